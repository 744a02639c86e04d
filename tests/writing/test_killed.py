"""A process that is killed at any line while it writes a file leaves the old content or the new, once it is taken up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import errno, json, os, sys
from pathlib import Path
from visdom_transport import writing
from visdom_transport.writing import in_place, replacement

folder, renames = Path(sys.argv[1]), sys.argv[2] == "renames"
target = folder / "a.json"
before, after = b"b" * 3_000_000, b"a" * 2_500_000
replace = os.replace

def fail(a, b):
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

if not renames:
    os.replace = fail
in_place._CHUNK_BYTES = 1_000_000
place = str(Path(writing.__file__).parent)

def killed_at(line):
    left = [line]
    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(place):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
        return trace
    sys.settrace(trace)
    writing.write_atomically(target, after)
    sys.settrace(None)
    os._exit(0)

seen = []
for line in range(1, 1000):
    target.write_bytes(before)
    child = os.fork()
    if child == 0:
        killed_at(line)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    at_once = target.read_bytes()
    writing.take_up(folder)
    writing.remove_abandoned(folder)
    content = target.read_bytes()
    name = {before: "before", after: "after"}.get(content, "half")
    seen.append([name, "half" if at_once not in (before, after) else "whole", sorted(p.name for p in folder.iterdir())])
    if status == 0:
        break
print(json.dumps(seen))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("kind", ["renames", "in place"])
def test_killed_at_any_line(tmp_path: Path, kind: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path, kind], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    contents = [content for content, _, _ in seen]
    assert contents == sorted(contents, key=["before", "after"].index), "first the old, then the new, and nothing else"
    assert {"before", "after"} == set(contents)
    assert all(names == ["a.json"] for _, _, names in seen), "nothing is left beside it"
    assert any(whole == "half" for _, whole, _ in seen) == (kind == "in place"), "the rewrite was killed in its middle, too"
