"""A process loses what a file system may not do, and gets it back."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.files import FAILING, LASTING, PASSING

PROGRAM = """
import fcntl, json, os, signal, sys
from files import OddFiles
OddFiles()

def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

def rename(target):
    open("new", "w").close()
    os.replace("new", target)

def lock():
    with open("old", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

attempts = {"chmod": lambda: os.chmod("old", 0o600), "sync": lambda: sync("old"), "sync a folder": lambda: sync("."),
            "rename onto a file": lambda: rename("old"), "rename": lambda: rename("another"), "lock": lock}
for line in sys.stdin:
    os.kill(os.getpid(), signal.SIGUSR2)
    failed = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            failed[name] = error.errno
        if os.path.exists("another"):
            os.remove("another")
    print(json.dumps(failed), flush=True)
"""


@pytest.mark.parametrize("failing", [*({name: errno.EPERM} for name in LASTING), {"sync": errno.EBUSY, "lock": errno.ENOLCK}, {}])
def test_just_what_is_named_fails_until_it_does_not(tmp_path: Path, failing: dict[str, int]) -> None:
    (tmp_path / "old").touch()
    (tmp_path / FAILING).write_text(json.dumps(failing))
    command = [sys.executable, "-c", PROGRAM]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def attempt() -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        assert attempt() == failing
        (tmp_path / FAILING).write_text("{}")
        assert attempt() == {}


def test_no_error_both_passes_and_says_that_something_is_impossible() -> None:
    assert all(not {*LASTING[name]} & {*errors} for name, errors in PASSING.items())
