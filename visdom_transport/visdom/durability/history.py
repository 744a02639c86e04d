"""What a journal tells: the generations of its files, read in order, and what they make of the environments on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visdom_transport.core.delta import apply
from visdom_transport.core.errors import GapError
from visdom_transport.visdom.durability.blocks import Block


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one of our files says of the journal it belongs to: the records up to ``number`` are in it.

    Of the parts that were written later than that, ``windows`` and ``members`` tell the number.
    """

    journal: str
    eid: str
    number: int
    windows: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "journal": self.journal,
            "eid": self.eid,
            "number": self.number,
            "windows": self.windows,
            "members": self.members,
        }

    @classmethod
    def parse(cls, value: Any) -> Stamp | None:
        """The stamp, or None if that is none."""
        if not isinstance(value, dict) or value.keys() != cls.__dataclass_fields__.keys():
            return None
        stamp = cls(**value)
        if not isinstance(stamp.windows, dict) or not isinstance(stamp.members, dict):
            return None
        numbers = [stamp.number, *stamp.windows.values(), *stamp.members.values()]
        return stamp if all(isinstance(number, int) for number in numbers) else None


NO_ENVIRONMENT: list[int] = []
"""What is said of the file of an environment when there is something else under its name."""


@dataclass(frozen=True, slots=True)
class Base:
    """What is on disk under an environment's name."""

    environment: dict[str, Any] | None = None
    """None: there is no file, or none that holds an environment."""
    stamp: Stamp | None = None
    file: list[int] | None = None
    """Size and time of change: enough to see that a file is not the one it was. `NO_ENVIRONMENT` if it holds none."""
    error: OSError | None = None
    """Why it is not known what the file holds."""


def is_sound(block: Block) -> bool:
    """Whether a block says what blocks say. One that does not was written by somebody else, checksum and all."""
    head: Any = block.head
    return (
        isinstance(head, dict)
        and isinstance(head.get("first"), int)
        and _are_numbers(head.get("producers"))
        and ("journal" not in head or _is_journal(head["journal"]))
        and all(map(_is_record, block.records))
    )


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(number, int) for number in value.values())


def _is_journal(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and isinstance(value.get("fresh"), bool)
        and _are_numbers(value.get("bases"))
    )


def _is_record(record: Any) -> bool:
    match record:
        case ["end", str()] | ["begin", str(), None | list()] | ["base", str(), list()] | ["closed", str(), str()]:
            return True
        case ["window", str(), str(), _] | ["update", str(), str(), list()]:
            return True
        case ["member", str(), str(name), value]:
            # Windows have records of their own, and visdom relies on what their positions are.
            return name != "jsons" and (name != "reload" or isinstance(value, dict))
    return False


class BaseMismatch(Exception):
    """What is on disk is not what the records continue. The message says why."""


@dataclass(slots=True)
class Log:
    """The records of one environment since it began."""

    begun: int | None = None
    file: list[int] | None = None
    """What was on disk when it began."""
    continues_file: bool = False
    """The records say what has changed in that file, not all there is."""
    records: list[tuple[int, list[Any]]] = field(default_factory=list)
    last: int = 0


class History:
    """The journal as far as it can be read.

    Args:
        generations: the blocks of each file, oldest first.
    """

    def __init__(self, generations: Iterable[Iterable[Block]]) -> None:
        self.id: str | None = None
        self.first = 1
        """The number of the oldest record."""
        self.last = 0
        self.logs: dict[str, Log] = {}
        self.publishers: dict[str, int] = {}
        self.written_at: float | None = None
        """When the newest records were taken from the state; None if an older version wrote them."""
        self.whole = True
        """Nothing is missing: no generation in between, and no file is ahead of the journal."""
        self._bases: dict[str, int] = {}
        for blocks in generations:
            for block in blocks:
                self._add(block)

    def _add(self, block: Block) -> None:
        first, journal = block.head["first"], block.head.get("journal")
        if journal is not None and (self.id is None or journal["fresh"]):
            self.id, self.first, self.last, self.whole = journal["id"], first, first - 1, True
            self.logs, self.publishers, self._bases = {}, {}, journal["bases"]
        if self.id is None or first != self.last + 1:
            self.whole = False
        if not self.whole:
            return
        for record in block.records:
            self.last += 1
            self._add_record(record)
        self.publishers.update(block.head["producers"])
        time = block.head.get("time")
        self.written_at = time if isinstance(time, int | float) else None

    def _add_record(self, record: list[Any]) -> None:
        kind, eid = record[:2]
        if kind == "end":
            self.logs.pop(eid, None)
            self._bases.pop(eid, None)
            return
        if kind in ("begin", "base"):
            self.logs[eid] = Log(self.last, record[2], continues_file=kind == "base")
        log = self.logs.setdefault(eid, Log())
        if kind not in ("begin", "base"):
            log.records.append((self.last, record))
        log.last = self.last

    def file(self, eid: str, base: Base) -> tuple[int, int] | None:
        """The number that the environment's file reaches, and its size, if all of the environment's records are in it."""
        stamp, last = base.stamp, self.logs[eid].last
        if stamp is None or (stamp.journal, stamp.eid) != (self.id, eid) or stamp.number < last or not base.file:
            return None
        return stamp.number, base.file[0]

    def restored(self, eid: str, base: Base) -> dict[str, Any]:
        """The environment after all of its records.

        Raises:
            BaseMismatch: they do not belong to what is on disk.
            OSError: they continue what is on disk, and it cannot be read now.
        """
        log = self.logs[eid]
        stamp = base.stamp if base.stamp is not None and (base.stamp.journal, base.stamp.eid) == (self.id, eid) else None
        if stamp is not None and max(stamp.number, *stamp.windows.values(), *stamp.members.values(), 0) > self.last:
            self.whole = False
        if log.begun is not None and not log.continues_file and (stamp is None or stamp.number < log.begun):
            _check_begin(log, base, stamp)
            start: dict[str, Any] = {"jsons": {}, "reload": {}}
            stamp = None
        elif base.error is not None:
            raise base.error
        elif base.environment is None:
            raise BaseMismatch("its file is gone" if base.file is None else "its file cannot be read")
        else:
            start = base.environment
            stamp = self._continued(eid, log, base, stamp)
        try:
            for number, record in log.records:
                _apply(start, record, number, stamp)
        except (GapError, KeyError) as error:
            raise BaseMismatch(f"its records do not fit its file: {error!r}") from error
        return start

    def _continued(self, eid: str, log: Log, base: Base, stamp: Stamp | None) -> Stamp | None:
        """What the file says of the records that it has, if it has any.

        Raises:
            BaseMismatch: the records do not continue this file.
        """
        if log.continues_file and (stamp is None or stamp.number < (log.begun or 0)):
            if base.file != log.file:
                raise BaseMismatch("its file is not the one that was there")
            return None
        if log.begun is None and (stamp is None or stamp.number < min(self.first - 1, self._bases.get(eid, self.last))):
            raise BaseMismatch("its file was written by somebody else")
        return stamp


def _check_begin(log: Log, base: Base, stamp: Stamp | None) -> None:
    """Whether records that say all there is may take the place of what is on disk.

    Raises:
        BaseMismatch: it is not what was there when they began, and is somebody's.
    """
    if base.file == NO_ENVIRONMENT:
        return
    if base.file is None:
        if log.file:
            raise BaseMismatch("its file is gone")
    elif log.file == NO_ENVIRONMENT or (stamp is None and base.file != log.file):
        raise BaseMismatch("its file is not the one that was there")


def _apply(environment: dict[str, Any], record: list[Any], number: int, stamp: Stamp | None) -> None:
    kind, _, name, *rest = record
    if stamp is not None:
        parts = stamp.members if kind == "member" else stamp.windows
        if number <= parts.get(name, stamp.number):
            return
    windows = environment["jsons"]
    if kind == "window":
        windows[name] = rest[0]
    elif kind == "update":
        windows[name] = apply(windows[name], rest[0])
    elif kind == "closed":
        windows.pop(name, None)
    elif kind == "member":
        environment[name] = rest[0]
