"""What has changed since the last block: values by name, which are read when the block is made, and deltas.

Like a feed, it conflates: of a window that was replaced ten times, the last value is recorded. Records are numbered when they
are sealed. A value read right after its part was sealed is what the records up to that number lead to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from visdom_transport.core.delta import Delta, fold
from visdom_transport.core.encoding import decode, encode

logger = logging.getLogger("visdom_transport.durability")

Part: TypeAlias = tuple[str, str, str]
"""Environment id; "window" or "member"; window id or name of the member."""


class Changes:
    """Collects the records of the next block.

    Args:
        read: returns the value of a part now. Raises KeyError when it does not exist.
        number: of the last record sealed so far.
    """

    def __init__(self, read: Callable[[Part], Any], number: int = 0) -> None:
        self.number = number
        self.records: list[bytes] = []
        self.sealed_bytes = 0
        self._read = read
        self._last: dict[str, int] = {}
        self._pending: dict[str, dict[Part, list[bytes] | None]] = {}
        self._lost: set[Part] = set()
        """What could not be encoded: deltas would have nothing to change."""

    def last(self, eid: str) -> int:
        """The number of the environment's last sealed record."""
        return self._last.get(eid, 0)

    def set_last(self, eid: str, number: int) -> None:
        """Records of the environment up to this number were sealed before."""
        self._last[eid] = number

    def __bool__(self) -> bool:
        return bool(self.records or self._pending)

    def pending(self) -> Iterator[Part]:
        """What is not sealed. It may change while this is read."""
        for eid in list(self._pending):
            yield from list(self._pending.get(eid, ()))

    # --- what changes ---

    def replaced(self, part: Part) -> None:
        """The part is new, replaced or gone."""
        self._pending.setdefault(part[0], {})[part] = None

    def updated(self, part: Part, delta: Delta) -> None:
        """``delta`` has been applied to the part."""
        if part in self._lost:
            self.replaced(part)
            return
        deltas = self._pending.setdefault(part[0], {}).setdefault(part, [])
        if deltas is not None:
            # Encoded now: it shares lists with the state, and would grow with it.
            deltas.append(encode(delta))

    def begin(self, eid: str, file: list[int] | None) -> None:
        """From here on the records say all there is in the environment; ``file`` tells what was on disk."""
        self._pending.pop(eid, None)
        self._seal(eid, encode(["begin", eid, file]))

    def end(self, eid: str) -> None:
        """The environment is gone."""
        self._pending.pop(eid, None)
        self._seal(eid, encode(["end", eid]))
        self._last.pop(eid, None)

    # --- making records ---

    def seal(self, part: Part) -> bytes | None:
        """Make a record of what is pending for the part, if anything. Returns the value if it had to be encoded for that."""
        pending = self._pending.get(part[0], {})
        if part not in pending:
            return None
        deltas = pending.pop(part)
        if not pending:
            del self._pending[part[0]]
        eid, kind, name = part
        if deltas is not None:
            delta = deltas[0] if len(deltas) == 1 else encode(fold(map(decode, deltas)))
            self._seal(eid, b'["update",%b,%b,%b]' % (encode(eid), encode(name), delta))
            return None
        value = self.encoded(part)
        if value is not None:
            self._seal(eid, b"[%b,%b,%b,%b]" % (encode(kind), encode(eid), encode(name), value))
        elif kind == "window":
            self._seal(eid, encode(["closed", eid, name]))
        return value

    def encoded(self, part: Part) -> bytes | None:
        """The part's value now, or None when there is none, or none that can be kept."""
        self._lost.discard(part)
        try:
            return encode(self._read(part))
        except KeyError:
            return None
        except TypeError as error:
            self._lost.add(part)
            logger.error("%s %r of environment %s cannot be saved: %s", part[1], part[2], part[0], error)
            return None

    def take(self) -> tuple[int, list[bytes]]:
        """Everything, sealed, with the number of the first record. What comes now belongs to the next block."""
        for part in self.pending():
            self.seal(part)
        records, self.records = self.records, []
        self.sealed_bytes = 0
        return self.number - len(records) + 1, records

    def clear(self) -> None:
        """Forget everything that was not taken."""
        self.records.clear()
        self.sealed_bytes = 0
        self._pending.clear()
        self._last.clear()

    def _seal(self, eid: str, record: bytes) -> None:
        self.number += 1
        self._last[eid] = self.number
        self.records.append(record)
        self.sealed_bytes += len(record)
