"""Whether a download is what its name says: a network that wants a login answers all requests with a page of its own."""

from __future__ import annotations

import codecs
import json
from pathlib import PurePosixPath
from typing import Final

_FIRST_BYTES: Final[dict[str, tuple[bytes, ...]]] = {
    ".ttf": (b"\0\1\0\0", b"true", b"OTTO"),
    ".woff": (b"wOFF",),
    ".woff2": (b"wOF2",),
}
_NEEDED: Final[dict[str, tuple[bytes, ...]]] = {".css": (b"{", b"}"), ".js": (b"function",)}


def is_what_it_is_called(path: str, content: bytes) -> bool:
    """Whether the content can be that of a file with this name, rather than a page or a message."""
    kind = PurePosixPath(path).suffix
    if kind in _FIRST_BYTES:
        return content.startswith(_FIRST_BYTES[kind])
    text = content.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text or text.startswith(b"<") or b"\0" in text:
        return False
    if kind == ".map":
        return "mappings" in (_object(text) or ())
    return all(each in text for each in _NEEDED.get(kind, ())) and _object(text) is None


def _object(text: bytes) -> dict[str, object] | None:
    """The JSON object that this is, if it is one."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
