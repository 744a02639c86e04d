"""Reads large environments in a thread before somebody's request needs them: whoever needs one waits, and nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable
from typing import Any

from visdom_transport import feed_names
from visdom_transport.core.encoding import decode
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.observed import State, Unread, is_unread
from visdom_transport.visdom.state.environments import escape_eid

LARGE_BYTES = 250_000
"""A smaller file is read when it is needed: that takes a few milliseconds."""

LOOKED_THROUGH_BYTES = 65_536
"""Names are looked for in so much of the beginning and of the end of a request. What is missed is read when it is needed."""

_STRING = rb'((?:[^"\\]|\\.)*)"'
_NAMES = [
    # Found by its first bytes, which is twenty times as fast in a long line as the expression alone.
    (mark, re.compile(re.escape(mark) + rest))
    for mark, rest in ((b'eid"', rb'\s*:\s*"' + _STRING), (b'"env/', _STRING), (b'"compare/', _STRING))
]


class ReadAhead:
    """Of one application."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reading: dict[str, asyncio.Future[None]] = {}

    def before(self, request: bytes | str, eids: Iterable[str] = ()) -> Awaitable[None] | None:
        """What to wait for before a request is carried out, if anything: what it names, and ``eids``."""
        data = request.encode(errors="surrogatepass") if isinstance(request, str) else request
        if len(data) > 2 * LOOKED_THROUGH_BYTES:
            data = data[:LOOKED_THROUGH_BYTES] + data[-LOOKED_THROUGH_BYTES:]
        named = set(eids)
        for mark, pattern in _NAMES:
            # A single byte is looked for much faster, and arrays of numbers have none of these.
            at = data.find(mark) if mark[-1] in data else -1
            while at >= 0:
                found = pattern.match(data, at)
                if found is not None:
                    named.update(_environments(mark, found[1]))
                at = data.find(mark, at + len(mark))
        return self.of(named)

    def of(self, eids: Iterable[str]) -> Awaitable[None] | None:
        """The same, for environments whose names are known."""
        missing = [eid for eid in eids if not self._is_there(eid)]
        if not missing:
            return None
        reading = [self._begin(eid) for eid in {*missing, *map(escape_eid, missing)} if self._is_large(eid)]
        return asyncio.gather(*reading, return_exceptions=True) if reading else None  # type: ignore[return-value]

    def _is_there(self, eid: str) -> bool:
        environment = self._state.get(eid)
        return environment is not None and not is_unread(environment)

    def _is_large(self, eid: str) -> bool:
        files = self._state.files
        return files is not None and not self._is_there(eid) and files.size(eid) > LARGE_BYTES

    def _begin(self, eid: str) -> asyncio.Future[None]:
        reading = self._reading.get(eid)
        if reading is None:
            reading = self._reading[eid] = asyncio.ensure_future(self._read(eid))
            reading.add_done_callback(lambda _: self._reading.pop(eid))
        # Who waits may go; others may want it.
        return asyncio.shield(reading)

    async def _read(self, eid: str) -> None:
        files = self._state.files
        assert files is not None
        try:
            content, file = await in_thread(files.read_with_file, eid)
        except ValueError:
            return  # who needs it is told why; it is not read again for that
        known = self._state.get(eid)
        if known is None and files.exists(eid):
            environment = Unread(files, eid)
            environment.adopt(content, file)
            self._state.take_up(eid, environment)
        elif known is not None and is_unread(known):
            known.adopt(content, file)


def _environments(mark: bytes, encoded: bytes) -> list[str]:
    """The environments that a name in a request is about."""
    try:
        name: Any = decode(b'"%b"' % encoded)
    except ValueError:
        return []
    return feed_names.compared(name)[0] if mark == b'"compare/' else [name]
