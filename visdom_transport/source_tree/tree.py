"""One source tree of Visdom: what it is, and the changes that patch it or take the patch back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import visdom_transport
from visdom_transport.source_tree.description import (
    BEGIN,
    PROVIDER_MARK,
    Append,
    Description,
    Replace,
    browser_sources,
    descriptions,
    patches_dir,
)
from visdom_transport.source_tree.files import Changes, PatchError

#: Lists what is in our folder of the tree, so that what somebody changed there is noticed and not lost.
MANIFEST = "manifest.json"


class Tree:
    """A source tree that is recognised.

    Raises:
        PatchError: it is none of those described in `patches/`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.description = _recognise(root)

    def patch(self) -> Changes:
        """Plan what is missing of the patch: nothing if it is all there.

        Raises:
            PatchError: something is neither as in the original nor as patched.
        """
        changes = Changes(self.root)
        for edit in self.description.replace:
            changes.want(edit.file, _replaced(changes, edit, edit.find, edit.put))
        for addition in self.description.append:
            content = _without(changes, addition)
            changes.want(addition.file, content + addition.block)
        self._want_folder(changes, self._sources())
        return changes

    def revert(self) -> Changes:
        """Plan the way back to the original: nothing if it is that.

        Raises:
            PatchError: as `patch`.
        """
        changes = Changes(self.root)
        for edit in self.description.replace:
            changes.want(edit.file, _replaced(changes, edit, edit.put, edit.find))
        for addition in self.description.append:
            changes.want(addition.file, _without(changes, addition))
        self._want_folder(changes, {})
        return changes

    def is_built(self) -> bool:
        """Whether the bundle that the server would serve contains our provider."""
        return PROVIDER_MARK in (Changes(self.root).read(self.description.bundle) or b"")

    def _sources(self) -> dict[str, bytes]:
        index = (patches_dir() / self.description.index).read_bytes()
        return {"index.js": index, **browser_sources()}

    def _want_folder(self, changes: Changes, files: Mapping[str, bytes]) -> None:
        folder = self.description.folder
        manifest = changes.read(f"{folder}/{MANIFEST}")
        if manifest is None and (self.root / folder).exists():
            raise PatchError(f"{folder} is there and not ours")
        held: dict[str, str] = json.loads(manifest)["files"] if manifest else {}
        present = {file.relative_to(self.root / folder).as_posix() for file in (self.root / folder).rglob("*") if file.is_file()}
        if strange := sorted(present - held.keys() - {MANIFEST}):
            raise PatchError(f"{folder}/{strange[0]} is not ours")
        for path, digest in held.items():
            content = changes.read(f"{folder}/{path}")
            if content is not None and _digest(content) != digest:
                raise PatchError(f"{folder}/{path} has been changed")
            if path not in files:
                changes.want(f"{folder}/{path}", None)
        for path, content in files.items():
            changes.want(f"{folder}/{path}", content)
        listed = {path: _digest(content) for path, content in files.items()}
        text = json.dumps({"version": visdom_transport.__version__, "files": listed}, indent=1) + "\n"
        changes.want(f"{folder}/{MANIFEST}", text.encode() if files else None)


def _recognise(root: Path) -> Description:
    files = Changes(root)
    for description in descriptions():
        has = all(text.encode() in (files.read(path) or b"") for path, text in description.has.items())
        lacks = any(
            text.encode() in content for path, text in description.lacks.items() if (content := files.read(path)) is not None
        )
        if has and not lacks:
            return description
    known = "; ".join(description.title for description in descriptions())
    raise PatchError(f"{root} is no source tree we know (known: {known})")


def _replaced(changes: Changes, edit: Replace, old: str, new: str) -> bytes:
    content = _existing(changes, edit.file)
    counts = (content.count(old.encode()), content.count(new.encode()))
    if counts == (1, 0):
        return content.replace(old.encode(), new.encode())
    if counts == (0, 1):
        return content
    raise PatchError(f"{edit.file} should contain either {edit.find} or {edit.put}, once")


def _without(changes: Changes, addition: Append) -> bytes:
    content = _existing(changes, addition.file).removesuffix(addition.block)
    if BEGIN.encode() in content:
        raise PatchError(f"{addition.file} has been changed at or after the lines of the patch")
    return content


def _existing(changes: Changes, path: str) -> bytes:
    content = changes.read(path)
    if content is None:
        raise PatchError(f"{path} is not there")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
