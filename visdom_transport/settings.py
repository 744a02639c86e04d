"""Every setting of the server side, in one place.

A setting is named with its unit, and is read from the environment variable `VISDOM_TRANSPORT_<NAME>`: `heartbeat_s`
from `VISDOM_TRANSPORT_HEARTBEAT_S`. `docs/operations.md` explains each to the people who run a server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from visdom_transport.hook import BACKGROUND

PREFIX = "VISDOM_TRANSPORT_"


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it as its reader knows it."""


def _whole(text: str) -> int:
    return int(text.replace("_", ""))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _setting(default: Any, parse: Callable[[str], Any], expected: str) -> Any:
    return field(default=default, metadata={"parse": parse, "expected": expected})


def _seconds(default: float) -> Any:
    return _setting(default, float, "a number of seconds above 0")


def _count(default: int) -> Any:
    return _setting(default, _whole, "a whole number above 0")


def _bound() -> Any:
    return _setting(None, _whole, "a whole number above 0")


def _choice(default: str, *others: str) -> Any:
    choices = (default, *others)

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError
        return text.lower()

    return _setting(default, parse, f"one of {', '.join(choices)}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server runs with. Every value is checked when the object is made.

    Raises:
        SettingsError: a value is out of range, or two values contradict each other.
    """

    heartbeat_s: float = _seconds(8.0)
    """After this long without hearing from a peer, ask it whether it is there."""

    dead_after_s: float = _seconds(20.0)
    """After this long without hearing from a peer, its link is dead. Longer than `heartbeat_s` and `poll_wait_s`."""

    grace_s: float = _seconds(120.0)
    """How long a session without a link is remembered, with the history it needs to resume."""

    poll_wait_s: float = _seconds(10.0)
    """How long a long poll may wait for news. Shorter than `dead_after_s`, and than any proxy in between gives up."""

    window_batches: int = _count(16)
    """At most this many batches are on their way to one client unacknowledged."""

    batch_bytes: int = _count(1_000_000)
    """A batch is cut at about this size; a single larger value goes alone."""

    in_flight_bytes: int = _count(4_000_000)
    """At most this many bytes are on their way to one client unacknowledged. At least `batch_bytes`."""

    history_bytes: int = _count(64_000_000)
    """At most this many bytes of deltas are kept, by all feeds together."""

    event_count: int = _count(10_000)
    """At most this many events are kept by each event feed."""

    event_bytes: int = _count(64_000_000)
    """At most this many bytes of events are kept by each event feed. Of the windows that events carry, each version counts once
    and the largest one not at all."""

    answer_wait_s: float = _seconds(0.5)
    """A page's event about a pane waits this long for handlers that are still at the one before it."""

    max_tombstones: int = _count(10_000)
    """At most this many deletions are remembered by each state feed."""

    flush_interval_ms: int = _count(10)
    """Changes are collected for this long before they are sent."""

    max_message_bytes: int = _count(10_485_760)
    """A larger message from a client is refused."""

    max_body_bytes: int = _count(1_073_741_824)
    """A larger body of any other request, a publisher's or a page's of stock, is refused. The default is Visdom's own bound."""

    max_sessions: int = _count(10_000)
    """At most so many sessions, and links that have not said hello yet."""

    max_address_sessions: int = _count(5_000)
    """The same, of one remote address. Behind a proxy all clients have the proxy's."""

    max_subscriptions: int = _count(64)
    """At most so many feeds are followed by one session."""

    max_position_keys: int = _count(100_000)
    """A position may name so many keys that the client holds."""

    max_commands_per_s: int = _count(200)
    """A session may give so many commands a second, and ten times as many at once."""

    max_messages_per_s: int = _count(2_000)
    """Likewise messages of any kind, and polls; a session that sends more is ended."""

    max_points: int | None = _bound()
    """Points of each trace of a plot, first in first out. A window's own `opts` go before. Not set: no bound."""

    max_lines: int | None = _bound()
    """Lines of a text window."""

    max_images: int | None = _bound()
    """Entries of an image or plot history."""

    max_old_content: int | None = _bound()
    """Former point sets of an embeddings window."""

    embedding_points: int = _count(4_000)
    """Points a streaming embedding keeps, over all clusters, first in first out. A window's own `max_points` goes before."""

    allowed_origins: tuple[str, ...] = _setting((), _words, "origins separated by commas")
    """Other origins whose pages may connect, such as `https://host.example`. The server's own always may."""

    allowed_hosts: tuple[str, ...] = _setting((), _words, "host names separated by commas")
    """The names this server is asked for by. Set, requests to any other `Host` are refused: a defence against DNS rebinding."""

    readonly_http: str = _choice("allow", "refuse")
    """What a server started with `-readonly` does with HTTP requests that change something. Visdom allows them."""

    journal: str = _choice("all", "fed", "off")
    """Which environments are kept on disk while they change: all, those that a publisher feeds, or none."""

    journal_interval_s: float = _seconds(2.0)
    """What has changed is written to disk this often."""

    journal_bytes_per_s: int = _count(2_000_000)
    """Bytes per second that are written of large windows, on average. Those that a publisher feeds are written always."""

    browser_files_dir: Path | None = _setting(None, _path, "a directory")
    """Where the browser files are kept. Not set: a folder in the user's cache directory."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = getattr(self, setting.name)
            # The comparison is also false for NaN.
            if isinstance(value, int | float) and not 0 < value < float("inf"):
                raise SettingsError(f"{variable(setting.name)} must be {setting.metadata['expected']}, not {value!r}")
        self._require_order("heartbeat_s", "dead_after_s")
        self._require_order("poll_wait_s", "dead_after_s")
        self._require_order("batch_bytes", "in_flight_bytes", or_equal=True)

    def _require_order(self, smaller: str, larger: str, or_equal: bool = False) -> None:
        low, high = getattr(self, smaller), getattr(self, larger)
        if not (low < high or (or_equal and low == high)):
            relation = "at most" if or_equal else "less than"
            raise SettingsError(f"{variable(smaller)} ({low}) must be {relation} {variable(larger)} ({high})")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings the environment asks for. An empty variable counts as not set.

        Raises:
            SettingsError: naming the environment variable that cannot be used.
        """
        environ = os.environ if environ is None else environ
        values = {}
        for setting in fields(cls):
            text = environ.get(variable(setting.name), "").strip()
            if not text:
                continue
            try:
                values[setting.name] = setting.metadata["parse"](text)
            except ValueError:
                expected = setting.metadata["expected"]
                raise SettingsError(f"{variable(setting.name)} must be {expected}, not {text!r}") from None
        return cls(**values)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables that look like ours but name no setting: a spelling mistake would otherwise pass unnoticed."""
    environ = os.environ if environ is None else environ
    known = {BACKGROUND, *(variable(setting.name) for setting in fields(Settings))}
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
