"""The tests are in the same rooms as what they test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "visdom_transport"

NO_ROOM_OF_THE_PACKAGE = {
    "browser": "the whole of it, seen from a real browser",
    "faults": "the whole of it, under schedules of faults",
    "fuzz": "whatever takes input from outside",
    "leaks": "what a server process holds, whoever has come and gone",
    "programs": "programs that others wrote",
    "support": "what tests use, with the tests of that",
    "vectors": "data that the Python and the browser tests read",
}


def rooms(root: Path, pattern: str) -> set[str]:
    """The folders below a root that have such files, the root itself as `.`."""
    return {str(path.parent.relative_to(root)) for path in root.rglob(pattern)}


MODULES = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
EVERYTHING = [path.relative_to(TESTS) for path in TESTS.rglob("*.py")]
FILES = [path for path in EVERYTHING if path.parts[0] not in NO_ROOM_OF_THE_PACKAGE]


def test_each_folder_of_tests_is_one_of_the_package() -> None:
    assert {str(path.parent) for path in FILES} <= rooms(PACKAGE, "*.py")
    assert all((TESTS / name).is_dir() for name in NO_ROOM_OF_THE_PACKAGE)


def test_each_folder_of_the_package_has_tests() -> None:
    """In a folder of the same name, or in a file."""
    tested = {str(path.parent) for path in FILES} | {str(path.parent / path.stem.removeprefix("test_")) for path in FILES}
    assert rooms(PACKAGE, "*.py") <= tested


def test_a_test_that_is_called_like_a_module_is_where_that_module_is() -> None:
    elsewhere = []
    for path in FILES:
        homes = {module.parent for module in MODULES if module.stem == path.stem.removeprefix("test_")}
        if path.name.startswith("test_") and homes and path.parent not in homes:
            elsewhere.append(f"{path}: {sorted(map(str, homes))}")
    assert not elsewhere, "\n".join(elsewhere)


def test_the_path_of_imports_is_changed_in_one_place() -> None:
    changed = {
        str(path)
        for path in EVERYTHING
        for node in ast.walk(ast.parse((TESTS / path).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("sys.path.")
    }
    assert changed == {"conftest.py"}


@pytest.mark.parametrize("name", ["scripts/test", "tox.ini", "pyproject.toml", "CONTRIBUTING.md", "docs/testing.md"])
def test_what_is_said_of_the_tests_is_there(name: str) -> None:
    """A room that moves is not forgotten in the script of the quick run, which would then run nothing."""
    said = (TESTS.parent / name).read_text("utf-8")
    assert [path for path in re.findall(r"\btests/[\w./-]*\w", said) if not (TESTS.parent / path).exists()] == []
