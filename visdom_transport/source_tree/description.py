"""The descriptions in `patches/`: by what a source tree is recognised, and what is changed in it."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent.parent

#: A bundle contains it if it was built with our provider (js/ApiProvider.js).
PROVIDER_MARK = b"visdom-transport/api-provider"

BEGIN = "# visdom-transport: begin"
END = "# visdom-transport: end"


@dataclass(frozen=True, slots=True)
class Replace:
    """In one file a short text, there exactly once, becomes another."""

    file: str
    find: str
    put: str


@dataclass(frozen=True, slots=True)
class Append:
    """Lines at the end of one file, between two marks."""

    file: str
    lines: str

    @property
    def block(self) -> bytes:
        return f"\n\n{BEGIN}\n{self.lines.strip()}\n{END}\n".encode()


@dataclass(frozen=True, slots=True)
class Description:
    """One kind of tree."""

    name: str
    title: str
    has: Mapping[str, str]
    """Files that exist, each with a text it contains."""
    lacks: Mapping[str, str]
    """Files that do not exist, or do not contain the text."""
    replace: tuple[Replace, ...]
    append: tuple[Append, ...]
    folder: str
    """The folder of our own in the tree."""
    index: str
    """The file of `patches/` that becomes the folder's `index.js`: it joins the tree's modules with ours."""
    bundle: str
    """What the tree's build makes."""


def patches_dir() -> Path:
    """The descriptions: part of the installed package, or `patches` of a source tree."""
    installed = _PACKAGE / "patches"
    return installed if installed.is_dir() else _PACKAGE.parent / "patches"


def browser_sources() -> dict[str, bytes]:
    """What is copied into the tree's folder: our provider and the modules it imports, by path."""
    installed = _PACKAGE / "static"
    modules = installed if installed.is_dir() else _PACKAGE.parent / "js" / "src"
    provider = patches_dir() / "ApiProvider.js" if installed.is_dir() else _PACKAGE.parent / "js" / "ApiProvider.js"
    sources = {f"src/{path.relative_to(modules).as_posix()}": path.read_bytes() for path in sorted(modules.rglob("*.js"))}
    del sources["src/main.js"]  # the entry point for a bundle without the provider
    return {"ApiProvider.js": provider.read_bytes(), **sources}


@functools.cache
def descriptions() -> tuple[Description, ...]:
    """All of `patches/`."""
    return tuple(_parse(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(patches_dir().glob("*.toml")))


def _parse(name: str, text: Mapping[str, Any]) -> Description:
    return Description(
        name=name,
        title=text["title"],
        has=text["has"],
        lacks=text["lacks"],
        replace=tuple(Replace(**each) for each in text["replace"]),
        append=tuple(Append(**each) for each in text["append"]),
        folder=text["folder"],
        index=text["index"],
        bundle=text["bundle"],
    )
