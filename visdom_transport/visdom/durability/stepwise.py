"""Large JSON, parsed in steps, for threads: no step keeps other threads waiting for long.

A parser that is called once holds the interpreter until it is done, in whatever thread: seconds for hundreds of megabytes. So a
large text is cut where the members of its arrays and objects end, and each piece is parsed for itself.
"""

from __future__ import annotations

import re
import time
from typing import Any

from visdom_transport.core.encoding import decode
from visdom_transport.visdom.durability.settling import settle

STEP_BYTES = 250_000
"""About so much is parsed at once."""

REST_S = 0.0005
"""Others have their turn after each step."""

_STRUCTURE = re.compile(rb'["\[\]{}]')
_SPACE = re.compile(rb"[ \t\r\n]*")
_LITERAL = re.compile(rb'[^\s,\]}\["{:]+')
_LONGEST_ESCAPE = 12


def decode_stepwise(data: bytes) -> Any:
    """Parse JSON; NaN and infinities are taken.

    Raises:
        ValueError: when ``data`` is not JSON.
    """
    if len(data) <= STEP_BYTES or data.startswith(b"\xef\xbb\xbf"):
        return decode(data, parse_constant=None)
    parser = _Parser(data)
    try:
        value, end = parser.value(0)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if parser.skip(end) != len(data):
        raise ValueError(f"more than one value: byte {end}")
    return value


class _Parser:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def skip(self, at: int) -> int:
        """Where what comes after white space begins."""
        found = _SPACE.match(self._data, at)
        assert found is not None
        return found.end()

    def value(self, at: int) -> tuple[Any, int]:
        """The value that begins there, and where it ends."""
        at = self.skip(at)
        first = self._data[at : at + 1]
        if first == b"[":
            return self._array(at + 1)
        if first == b"{":
            return self._object(at + 1)
        if first == b'"':
            return self._string(at)
        literal = _LITERAL.match(self._data, at)
        if literal is None:
            raise ValueError(f"no value: byte {at}")
        return self._decode(literal[0]), literal.end()

    def _array(self, at: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        is_first = True
        while True:
            cut, is_end = self._cut(at, b"]")
            if cut > at or is_end:
                piece = self._data[at:cut]
                # An array that is empty, not a comma that nothing follows.
                if not (is_first and is_end) and not piece.strip():
                    raise ValueError(f"no value: byte {at}")
                items.extend(self._decode(b"[%b]" % piece))
            elif is_first and self._closes(at, b"]"):
                return items, self.skip(at) + 1
            else:
                item, cut = self.value(at)
                items.append(item)
                cut, is_end = self._separator(cut, b"]")
            if is_end:
                if not is_first:
                    settle()
                return items, cut + 1
            is_first = False
            at = cut + 1

    def _object(self, at: int) -> tuple[dict[str, Any], int]:
        members: dict[str, Any] = {}
        is_first = True
        while True:
            cut, is_end = self._cut(at, b"}")
            if cut > at or is_end:
                piece = self._data[at:cut]
                if not (is_first and is_end) and not piece.strip():
                    raise ValueError(f"no member: byte {at}")
                members.update(self._decode(b"{%b}" % piece))
            elif is_first and self._closes(at, b"}"):
                return members, self.skip(at) + 1
            else:
                name, at = self._name(at)
                members[name], cut = self.value(at)
                cut, is_end = self._separator(cut, b"}")
            is_first = False
            at = cut + 1
            if is_end:
                return members, at

    def _name(self, at: int) -> tuple[str, int]:
        """The name of a member, and where its value begins."""
        at = self.skip(at)
        if self._data[at : at + 1] != b'"':
            raise ValueError(f"no name: byte {at}")
        name, at = self._string(at)
        at = self.skip(at)
        if self._data[at : at + 1] != b":":
            raise ValueError(f"no colon: byte {at}")
        return name, at + 1

    def _closes(self, at: int, closing: bytes) -> bool:
        at = self.skip(at)
        return self._data[at : at + 1] == closing

    def _separator(self, at: int, closing: bytes) -> tuple[int, bool]:
        at = self.skip(at)
        found = self._data[at : at + 1]
        if found not in (b",", closing):
            raise ValueError(f"neither a comma nor an end: byte {at}")
        return at, found == closing

    def _cut(self, at: int, closing: bytes) -> tuple[int, bool]:
        """Where the members that begin there and are one step together end, and whether the whole does.

        The same place when the first member alone is larger than a step.
        """
        data, limit, depth, cut = self._data, min(at + STEP_BYTES, len(self._data)), 0, at
        position = at
        while True:
            found = _STRUCTURE.search(data, position, limit)
            if depth == 0:
                comma = data.rfind(b",", position, found.start() if found else limit)
                cut = comma if comma >= 0 else cut
            if found is None:
                return cut, False
            character = found[0]
            position = found.end()
            if character == b'"':
                position = self._string_end(found.start())
                if position > limit:
                    return cut, False
            elif character in b"[{":
                depth += 1
            elif depth:
                depth -= 1
            elif character == closing:
                return found.start(), True
            else:
                raise ValueError(f"unexpected {character.decode()}: byte {found.start()}")

    def _string_end(self, at: int) -> int:
        """Where the string that begins there has ended."""
        data, quote = self._data, at
        while True:
            quote = data.find(b'"', quote + 1)
            if quote < 0:
                raise ValueError(f"a string that does not end: byte {at}")
            before = quote - 1
            while data[before] == 0x5C:
                before -= 1
            if (quote - before) % 2:
                return quote + 1

    def _string(self, at: int) -> tuple[str, int]:
        """The string that begins there, and where it has ended."""
        end = self._string_end(at)
        parts, at, last = [], at + 1, end - 1
        while last - at > STEP_BYTES:
            cut = self._string_cut(at + STEP_BYTES)
            if cut <= at:
                break
            parts.append(self._decode(b'"%b"' % self._data[at:cut]))
            at = cut
        parts.append(self._decode(b'"%b"' % self._data[at:last]))
        return "".join(parts), end

    def _string_cut(self, cut: int) -> int:
        """A place near this one, inside of a string, that is inside neither of a character nor of an escape."""
        data, lowest = self._data, cut - STEP_BYTES // 2
        while cut > lowest and (data[cut] & 0xC0 == 0x80 or b"\\" in data[max(0, cut - _LONGEST_ESCAPE) : cut]):
            cut -= 1
        return cut if cut > lowest else 0

    @staticmethod
    def _decode(piece: bytes) -> Any:
        time.sleep(REST_S)
        return decode(piece, parse_constant=None)
