"""docs/architecture.md names files and folders that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_TEXT = (_ROOT / "docs" / "architecture.md").read_text("utf-8")
_PACKAGE = _ROOT / "visdom_transport"
#: What paths in the text are relative to.
_BASES = (_ROOT, _PACKAGE, _PACKAGE / "visdom", _ROOT / "js" / "src", _ROOT / "docs")


def _named() -> list[str]:
    """Files and folders of ours in code quotes."""
    return sorted(set(re.findall(r"`((?:[\w-]+/)*(?:[\w-]+\.(?:py|js|md)|[\w-]+/))`", _TEXT)))


def _drawn() -> list[str]:
    """The paths at the beginning of the map's lines, which are indented like a tree."""
    tree = _TEXT.split("## The map", 1)[1].split("```", 2)[1]
    paths: list[str] = []
    folders: list[str] = []
    for line in tree.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0].strip("/")
        folders[depth:] = [name]
        paths.append("/".join(folders))
    return paths


@pytest.mark.parametrize("path", _named())
def test_what_the_text_names_exists(path: str) -> None:
    assert any((base / path).exists() for base in _BASES)


@pytest.mark.parametrize("path", _drawn())
def test_what_the_map_shows_exists(path: str) -> None:
    assert (_ROOT / path).exists()


def test_the_map_shows_every_room() -> None:
    """Of the package and of the browser runtime."""
    shown = set(_drawn())
    for folder in (_PACKAGE, _PACKAGE / "visdom", _ROOT / "js" / "src"):
        rooms = {each.relative_to(_ROOT).as_posix() for each in folder.iterdir() if _is_room(each)}
        assert rooms - shown == set()


def _is_room(path: Path) -> bool:
    return path.is_dir() and any(file.suffix in {".py", ".js"} for file in path.rglob("*"))
