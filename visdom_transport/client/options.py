"""What a publisher may be told about how it holds what was not sent yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from visdom_transport.client.messages.intake import OnFull
from visdom_transport.settings import PublisherSettings

OutboxFull: TypeAlias = Literal["hold", "drop_oldest"]

FORMER_NAME: Final = "when_full"
"""What `on_full` was called at first, and still may be."""
FORMER_VALUES: Final[dict[Any, OnFull]] = {"block": "wait"}


@dataclass(frozen=True, slots=True)
class Options:
    """How a publisher holds what was not sent yet.

    Raises:
        ValueError: a value cannot be used.
    """

    max_bytes: int = 64_000_000
    """At most this much is held in memory. A single larger message is held alone."""
    on_full: OnFull = "drop_if_away"
    """What a call does when there is no room: see `OnFull`."""
    spill_dir: Path | None = None
    """Where the file of `spill` is; the system's directory for temporary files by default."""
    exit_timeout_s: float = 10.0
    """How long the end of the process waits until the server has everything for good."""
    outbox_dir: Path | None = None
    """Where everything that was not sent yet is kept on disk, to be sent even when the process is killed. None: nowhere."""
    outbox_max_bytes: int = 10_000_000_000
    """At most this much of this publisher is kept there."""
    outbox_max_age_s: float | None = None
    """What was kept for longer is not sent any more. None: everything is."""
    outbox_full: OutboxFull = "hold"
    """What happens when there is no room: new messages are held in memory (`hold`), or the oldest are lost (`drop_oldest`)."""

    def __post_init__(self) -> None:
        if self.outbox_dir is not None:
            object.__setattr__(self, "outbox_dir", Path(self.outbox_dir).expanduser().absolute())
        if self.outbox_full not in get_args(OutboxFull):
            raise ValueError(f"outbox_full must be one of {', '.join(get_args(OutboxFull))}, not {self.outbox_full!r}")
        self._check_bytes("outbox_max_bytes")
        self._check_bytes("max_bytes")
        if self.outbox_max_age_s is not None and not self.outbox_max_age_s > 0:
            raise ValueError(f"outbox_max_age_s must be a number of seconds above 0, not {self.outbox_max_age_s!r}")
        if self.on_full not in get_args(OnFull):
            raise ValueError(
                f"on_full (also called {FORMER_NAME}) must be one of {', '.join(get_args(OnFull))}, not {self.on_full!r}"
            )
        if not self.exit_timeout_s >= 0:
            raise ValueError(f"exit_timeout_s must be a number of seconds, not {self.exit_timeout_s!r}")

    def _check_bytes(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number above 0, not {value!r}")

    @classmethod
    def names(cls) -> frozenset[str]:
        """What they may be called."""
        return frozenset(each.name for each in fields(cls)) | {FORMER_NAME}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The options that a caller names, by today's names or the former ones.

        Raises:
            ValueError: there is no such option, or a value cannot be used.
        """
        try:
            return cls(**renamed(given))
        except TypeError as error:
            raise ValueError(f"{error}; options are {', '.join(sorted(cls.names()))}") from None


def from_environment() -> dict[str, Any]:
    """The options that the environment asks for. Of one that cannot be used, the log has been told: a training goes on."""
    return PublisherSettings.given()[0]


def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same options by today's names.

    Raises:
        ValueError: one is given by both of its names.
    """
    if FORMER_NAME not in given:
        return dict(given)
    if "on_full" in given:
        raise ValueError(f"on_full and {FORMER_NAME} are the same option: give one of them")
    former = given[FORMER_NAME]
    return {name: value for name, value in given.items() if name != FORMER_NAME} | {"on_full": FORMER_VALUES.get(former, former)}
