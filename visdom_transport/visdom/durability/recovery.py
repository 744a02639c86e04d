"""What a server finds when it begins: the journal's records, brought together with the files that they belong to."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.encoding import encode
from .environments import Environments
from .history import NO_ENVIRONMENT, Foreign, History

logger = logging.getLogger("visdom_transport.durability")


@dataclass(frozen=True, slots=True)
class Recovered:
    """One environment of the journal."""

    content: dict[str, Any] | None
    """None: its records were set aside, because they do not belong to what is on disk."""
    is_stranger: bool
    """What is on disk under its name is something else."""


def recover(history: History, environments: Environments, folder: Path) -> dict[str, Recovered]:
    """Every environment of the journal after all of its records. Records that cannot be used are kept in files in ``folder``.

    Raises:
        OSError: a file that the journal continues cannot be read now. Nothing was done.
    """
    found: dict[str, Recovered] = {}
    foreign: dict[str, Foreign] = {}
    for eid, log in history.logs.items():
        base = environments.base(eid)
        # What cannot be opened now may be its own, unless it was not when the records began.
        is_stranger = base.file == NO_ENVIRONMENT and (base.error is None or log.file == NO_ENVIRONMENT)
        try:
            found[eid] = Recovered(history.restored(eid, base), is_stranger)
        except Foreign as reason:
            found[eid] = Recovered(None, is_stranger)
            foreign[eid] = reason
    for eid, why in foreign.items():
        _set_aside(folder, eid, why, [record for _, record in history.logs[eid].records])
    return found


def _set_aside(folder: Path, eid: str, reason: object, records: list[Any]) -> None:
    for n in range(1, 1000):
        aside = folder / f"set-aside-{time.strftime('%Y%m%d-%H%M%S')}-{n}.log"
        with contextlib.suppress(FileExistsError), aside.open("xb") as file:
            file.writelines(encode(record) + b"\n" for record in records)
            break
    logger.error("what the journal holds of environment %s was not used (%s) and is kept in %s", eid, reason, aside)
