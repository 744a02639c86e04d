"""What a server finds when it begins: the journal's records, brought together with the files that they belong to."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.visdom.durability.environments import Environments
from visdom_transport.visdom.durability.history import NO_ENVIRONMENT, BaseMismatch, History

logger = logging.getLogger("visdom_transport.durability")


@dataclass(frozen=True, slots=True)
class Recovered:
    """One environment of the journal."""

    content: dict[str, Any] | None
    """None: its records were set aside, because they do not belong to what is on disk."""
    is_stranger: bool
    """What is on disk under its name is something else."""
    besides: Collection[str] = ()
    """Windows that the journal says are closed, and that are there: somebody had saved them before."""
    file: tuple[int, int] | None = None
    """The records up to this number are all there are, and in its file, which has this size."""


def recover(history: History, environments: Environments, folder: Path) -> dict[str, Recovered]:
    """Every environment of the journal after all of its records. Records that cannot be used are kept in files in ``folder``.

    Raises:
        OSError: a file that the journal continues cannot be read now. Nothing was done.
    """
    found: dict[str, Recovered] = {}
    mismatches: dict[str, BaseMismatch] = {}
    for eid, log in history.logs.items():
        base = environments.base(eid)
        # What cannot be opened now may be its own, unless it was not when the records began.
        is_stranger = base.file == NO_ENVIRONMENT and (base.error is None or log.file == NO_ENVIRONMENT)
        try:
            content = history.restored(eid, base)
        except BaseMismatch as reason:
            found[eid] = Recovered(None, is_stranger)
            mismatches[eid] = reason
            continue
        besides = environments.saved_besides(eid, content["jsons"])
        content["jsons"].update(besides)
        found[eid] = Recovered(content, is_stranger, besides, history.file(eid, base))
    for eid, why in mismatches.items():
        _set_aside(folder, eid, why, [record for _, record in history.logs[eid].records])
    return found


def _set_aside(folder: Path, eid: str, reason: object, records: list[Any]) -> None:
    aside = folder / f"set-aside-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}.log"
    with contextlib.suppress(OSError):  # where nothing can be written, they stay in the journal
        aside.write_bytes(b"".join(encode(record) + b"\n" for record in records))
    logger.error("what the journal holds of environment %s was not used (%s) and is kept in %s", eid, reason, aside)
