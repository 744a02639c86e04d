"""Our browser runtime as pages load it: modules that import each other, below an address that names the version of all of them.

A module imports others by their place beside it. So the version in the address of the first is in all of them, and a browser that
has them asks for none again.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import visdom_transport
from visdom_transport.visdom.page.compressed import digest

PREFIX: Final = "transport"
"""Where it appears below Visdom's `static`."""

_MARK: Final = "~"
"""What the folder of a version begins with."""

_IMPORT: Final = re.compile(r"""^(?:import|export|\}) [^"\n]*"(\.[^"\n]+)";$""", re.MULTILINE)
"""How our modules import others."""

_PACKAGE: Final = Path(visdom_transport.__file__).resolve().parent

_Stat: TypeAlias = tuple[str, int, int]
"""A file's path in the runtime, when it was changed, and its size."""


def directory() -> Path:
    """Part of the installed package, or `js/src` of a source tree."""
    installed = _PACKAGE / "static"
    return installed if installed.is_dir() else _PACKAGE.parent / "js" / "src"


@dataclass(frozen=True)
class Runtime:
    """All modules as they were at a time."""

    version: str
    files: frozenset[_Stat]
    imports: dict[str, list[str]]
    """What each module imports."""

    def address(self, module: str) -> str:
        """Where a page finds a module, below `static`."""
        return f"{PREFIX}/{_MARK}{self.version}/{module}"

    def imported_by(self, module: str) -> list[str]:
        """The modules that it imports, and those that they import; what is nearest to it comes first."""
        found = dict.fromkeys(self.imports[module])
        waiting = list(found)
        for each in waiting:
            more = [path for path in self.imports[each] if path not in found]
            found |= dict.fromkeys(more)
            waiting += more
        return waiting


def current() -> Runtime:
    """The runtime as it is now."""
    root = str(directory())
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names if name.endswith(".js"))
    return _runtime_of(root, tuple(sorted(_stat(root, path[len(root) + 1 :]) for path in paths)))


def find(path: str) -> Path | None:
    """The file at a path below `static`, with a version or without one; None for what is not of the runtime."""
    first, *rest = path.split("/")
    if first != PREFIX:
        return None
    return directory().joinpath(*(rest[1:] if rest and rest[0].startswith(_MARK) else rest))


def is_version_of(path: str) -> bool:
    """Whether the address names the version that the file is of."""
    first, _, rest = path.partition("/")
    version, _, module = rest.partition("/")
    if first != PREFIX or not version.startswith(_MARK):
        return False
    known = _known.get(version.removeprefix(_MARK))
    try:
        return known is not None and _stat(str(directory()), module) in known.files
    except OSError:
        return False


_known: dict[str, Runtime] = {}
"""By version. One more when the package is updated while the server runs."""


@functools.lru_cache(maxsize=4)
def _runtime_of(root: str, files: tuple[_Stat, ...]) -> Runtime:
    contents, imports = [], {}
    for path, _, size in files:
        content = Path(root, path).read_bytes()
        contents += [f"{path}\0{size}\0".encode(), content]
        folder = os.path.dirname(path)
        imports[path] = [os.path.normpath(os.path.join(folder, name)) for name in _IMPORT.findall(content.decode())]
    version = digest(b"".join(contents))
    _known[version] = Runtime(version, frozenset(files), imports)
    return _known[version]


def _stat(root: str, path: str) -> _Stat:
    status = os.stat(os.path.join(root, path))
    return path, status.st_mtime_ns, status.st_size
