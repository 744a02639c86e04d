"""The rules of the house that no linter checks: small functions and files, and a map that names every room."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "visdom_transport"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_BRANCHES = 15

BRANCHES = (
    ast.AsyncFor,
    ast.BoolOp,
    ast.ExceptHandler,
    ast.For,
    ast.If,
    ast.IfExp,
    ast.While,
    ast.comprehension,
    ast.match_case,
)
SCOPES = (ast.AsyncFunctionDef, ast.ClassDef, ast.FunctionDef, ast.Lambda)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def branches(node: ast.AST) -> int:
    """How many there are below a node, without those of functions inside of it."""
    return sum(
        isinstance(child, BRANCHES) + branches(child) for child in ast.iter_child_nodes(node) if not isinstance(child, SCOPES)
    )


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def too_large(path: Path) -> list[str]:
    """What in a file of Python is larger than the house allows."""
    found = []
    lines = len(path.read_text().splitlines())
    if lines > MAX_FILE_LINES:
        found.append(f"{path.name} has {lines} lines")
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            found.append(f"{path.name}: {function.name} has {lines} lines")
        if branches(function) > MAX_BRANCHES:
            found.append(f"{path.name}: {function.name} has {branches(function)} branches")
    return found


def test_functions_and_files_of_the_package_are_small() -> None:
    assert [each for path in sorted(PACKAGE.rglob("*.py")) for each in too_large(path)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\n" * 401, ["large.py has 401 lines"]),
        ("def f():\n" + "    x = 1\n" * 40, ["large.py: f has 41 lines"]),
        ("def f():\n" + "    if x: pass\n" * 16, ["large.py: f has 16 branches"]),
        ("def f():\n    def g():\n" + "        if x: pass\n" * 15 + "    if x: pass\n" * 15, []),
    ],
)
def test_what_is_too_large_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    path = tmp_path / "large.py"
    path.write_text(text)
    assert too_large(path) == found


def test_the_map_names_the_rooms_in_the_order_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rooms = next(contract for contract in contracts if contract.get("containers") == ["visdom_transport.visdom"])
    text = (ROOT / "docs" / "architecture.md").read_text()
    described = text[text.index("  visdom/  ") : text.index("  client/  ")]
    lines = []
    for layer in rooms["layers"]:
        for room in layer.split(" | "):
            name = f"{room}/" if (PACKAGE / "visdom" / room).is_dir() else f"{room}.py"
            assert name in described, f"{name} is not in the map of docs/architecture.md"
            lines.append((described[: described.index(name)].count("\n"), layer))
    order = [layer for _, layer in sorted(lines)]
    assert list(dict.fromkeys(order)) == rooms["layers"]


def swallowing(path: Path) -> list[str]:
    """Context managers made of a generator that end an exception.

    From Python 3.12 on, what it has swallowed refers to itself by the frames that it went through: with it all that called
    the `with` waits for the garbage collector.
    """
    found = []
    for function in functions(path):
        decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
        handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler)]
        if decorators & {"contextmanager", "contextlib.contextmanager"} and not all(map(raises, handlers)):
            found.append(f"{path.name}: {function.name}")
    return found


def raises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def test_no_context_manager_of_a_generator_swallows_an_exception() -> None:
    assert [each for path in sorted(PACKAGE.rglob("*.py")) for each in swallowing(path)] == []


@pytest.mark.parametrize(("last", "found"), [("pass", ["one.py: f"]), ("raise", [])])
def test_what_swallows_is_found(tmp_path: Path, last: str, found: list[str]) -> None:
    path = tmp_path / "one.py"
    path.write_text(f"@contextmanager\ndef f():\n    try:\n        yield\n    except KeyError:\n        {last}\n")
    assert swallowing(path) == found
