"""The Python of the documentation runs as it stands, against a server at the port that it takes for granted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import VisdomServer

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOOKS_LIKE_PYTHON = re.compile(r"^(from [\w.]+ import|import [\w.]+$|def |class |vis\.|vis = )", re.MULTILINE)

BLOCKS = [
    (f"{page.name}:{page.read_text()[: block.start()].count(chr(10)) + 1}", block[1], block[2])
    for page in PAGES
    for block in BLOCK.finditer(page.read_text())
]

# The port is another one each time: whoever runs the tests may have a server of their own.
RUNNER = """
import inspect, sys, visdom
init = inspect.unwrap(visdom.Visdom.__init__)
names = [each for each in inspect.signature(init).parameters.values() if each.default is not each.empty]
init.__defaults__ = tuple(int(sys.argv[1]) if each.name == "port" else each.default for each in names)
exec(compile(sys.stdin.read(), "block", "exec"), {"__name__": "__main__"})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.mark.parametrize("code", [pytest.param(code, id=place) for place, language, code in BLOCKS if language == "python"])
def test_a_block_of_python_runs(server: VisdomServer, code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", RUNNER, str(server.port)],
        input=code,
        env={name: value for name, value in os.environ.items() if not name.startswith("VISDOM")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr, result.stderr


def test_python_is_called_python() -> None:
    assert [place for place, language, code in BLOCKS if not language and LOOKS_LIKE_PYTHON.search(code)] == []
    assert sum(language == "python" for _, language, _ in BLOCKS) >= 6
