"""What came back for a request, before anybody believes it. No I/O."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Final

from visdom_transport.core.encoding import decode
from visdom_transport.core.signature import SERVER_HEADER

MOST_RETRY_AFTER_S: Final = 60.0
"""Nobody is waited for longer than this, whatever the answer asks for."""

_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TITLE_WITHIN_BYTES: Final = 8_192
_TITLE_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete reply. Names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def server(self) -> str | None:
        """The id of the server that signed this answer; None when none of ours did."""
        return self.headers.get(SERVER_HEADER.lower()) or None

    @property
    def media_type(self) -> str:
        """Such as ``text/html``; empty when it is not told."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        try:
            return self.content.decode(message.get_content_charset("utf-8"), errors="replace")
        except (LookupError, ValueError):  # a charset that nobody knows, or that is none of text
            return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The content, whatever its type is called; None when it is not JSON."""
        try:
            return decode(self.content)
        except ValueError:
            return None

    @property
    def title(self) -> str:
        """The first words of a page's title; empty when there is none."""
        found = _TITLE.search(self.content[:_TITLE_WITHIN_BYTES].decode(errors="replace"))
        words = html.unescape(re.sub(r"<[^>]*>", "", found[2])) if found else ""
        printable = "".join(character if character.isprintable() else " " for character in words)
        return " ".join(printable.split())[:_TITLE_CHARACTERS]

    def describe(self) -> str:
        """What answered, for a log: never what else its content says, which may be a secret."""
        said = f"{self.status} {self.media_type[:_TITLE_CHARACTERS] or 'without a content type'}"
        return f"{said} titled {self.title!r}" if self.title else said

    @property
    def retry_after_s(self) -> float | None:
        """How long the answer asks to wait, within reason."""
        asked = self.headers.get("retry-after", "").strip()
        if asked.isascii() and asked.isdecimal():
            seconds = float(asked[:10])
        else:
            try:
                when = parsedate_to_datetime(asked)
                seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
            except (ValueError, TypeError, OverflowError):
                return None
        return min(max(0.0, seconds), MOST_RETRY_AFTER_S)
