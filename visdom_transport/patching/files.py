"""Changes to files: planned first, made as a whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..writing import write_atomically


class PatchError(Exception):
    """The tree cannot be patched, or the patch not be taken back. Nothing was changed."""


@dataclass(slots=True)
class Changes:
    """What the files of a folder are to contain; None: they are not to exist."""

    root: Path
    wanted: dict[str, bytes | None] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """What the file contains now; None if there is none."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def want(self, path: str, content: bytes | None) -> None:
        """Plan the content of one file. A file that is so already is not part of the plan."""
        if self.read(path) != content:
            self.wanted[path] = content

    def make(self) -> None:
        """Make all changes.

        Raises:
            PatchError: one could not be made; those made before it were taken back.
        """
        before: dict[str, bytes | None] = {}
        try:
            for path, content in self.wanted.items():
                before[path] = self.read(path)
                _put(self.root, path, content)
        except OSError as error:
            for path, content in reversed(before.items()):
                _put(self.root, path, content)
            raise PatchError(f"nothing was changed: {error}") from error


def _put(root: Path, path: str, content: bytes | None) -> None:
    file = root / path
    if content is None:
        file.unlink(missing_ok=True)
        # Folders that are empty now were made for our files: git knows no empty ones.
        for folder in file.relative_to(root).parents[:-1]:
            try:
                (root / folder).rmdir()
            except OSError:
                break
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content)
