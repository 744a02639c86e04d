"""Every setting, in one place: those of servers, and those of publishers.

A setting is named with its unit, and is read from the environment variable `VISDOM_TRANSPORT_<NAME>`: `heartbeat_s`
from `VISDOM_TRANSPORT_HEARTBEAT_S`. `docs/operations.md` explains each to the people who run a server.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from visdom_transport.core.limits import Limits
from visdom_transport.hook import BACKGROUND, OFF, ON, SWITCH
from visdom_transport.origins import parse_host, parse_origin

PREFIX = "VISDOM_TRANSPORT_"


MAX_PORT = 65_535


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it as its reader knows it."""


def _whole(text: str) -> int:
    return int(text.replace("_", ""))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().rstrip("/") for word in text.split(",") if word.strip())


_KINDS: dict[Any, tuple[Callable[[str], Any], str]] = {
    float: (float, "a number of seconds above 0"),
    int: (_whole, "a whole number above 0"),
    int | None: (_whole, "a whole number above 0"),
    str: (str, "a word"),
    str | None: (str, "a word"),
    tuple[str, ...]: (_words, "names separated by commas"),
    float | None: (float, "a number of seconds above 0"),
    Path | None: (lambda text: Path(text).expanduser(), "a directory"),
}
"""By the type of a setting: how its variable is read, and what is expected there."""


def _choice(choices: tuple[str, ...]) -> tuple[Callable[[str], Any], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError
        return text.lower()

    return parse, f"one of {', '.join(choices)}"


@dataclass(frozen=True, slots=True)
class Settings(Limits):
    """What a server runs with: the limits of the core, and everything else. Every value is checked when the object is made.

    Raises:
        SettingsError: a value is out of range, or two values contradict each other.
    """

    answer_wait_s: float = 0.5
    """A page's event about a pane waits this long for handlers that are still at the one before it."""

    compression: Literal["on", "off"] = "on"
    """Whether messages to pages that take that are compressed."""

    flush_interval_ms: int = 10
    """Changes are collected for this long before they are sent."""

    loop: Literal["auto", "asyncio"] = "auto"
    """The event loop of `python -m visdom.server`: uvloop if it is installed, or always that of Python."""

    drain_s: float = 2.0
    """A server that stops ends the links of its clients over at most this long, where there are many."""

    log_format: Literal["text", "json"] = "text"
    """How the log is written: in lines for people, or as JSON, one object in each line."""

    operator_page: Literal["on", "off"] = "on"
    """Whether there is a page for the person who runs the server, at `/transport/operator`."""

    max_message_bytes: int = 10_485_760
    """A larger message from a client is refused."""

    max_body_bytes: int = 1_073_741_824
    """A larger body of any other request, a publisher's or a page's of stock, is refused. The default is Visdom's own bound."""

    max_points: int | None = None
    """Points of each trace of a plot. A window's own `opts` go before. Not set: no bound."""

    keep: Literal["newest", "overview"] = "newest"
    """Which points those are: the newest, or fewer of the whole run, exact where it is new. A window's own `opts` go before."""

    max_lines: int | None = None
    """Lines of a text window."""

    max_images: int | None = None
    """Entries of an image or plot history."""

    max_old_content: int | None = None
    """Former point sets of an embeddings window."""

    embedding_points: int = 4_000
    """Points a streaming embedding keeps, over all clusters, first in first out. A window's own `max_points` goes before."""

    detail: Literal["screen", "full"] = "screen"
    """How many points of a line pages draw: those that their screen can show, or all. A window's own `opts` go before."""

    allowed_origins: tuple[str, ...] = ()
    """Other origins whose pages may connect, such as `https://host.example`. The server's own always may."""

    allowed_hosts: tuple[str, ...] = ()
    """Host names this server answers to. If set, any other `Host` is refused: a defence against DNS rebinding."""

    readonly_http: Literal["allow", "refuse"] = "allow"
    """What a server started with `-readonly` does with HTTP requests that change something. Visdom allows them."""

    journal: Literal["all", "fed", "off"] = "all"
    """Which environments are kept on disk while they change: all, those that a publisher feeds, or none."""

    journal_interval_s: float = 2.0
    """What has changed is written to disk this often."""

    journal_bytes_per_s: int = 2_000_000
    """Bytes per second that are written of large windows, on average. Those that a publisher feeds are written always."""

    metrics: Literal["on", "off"] = "on"
    """Whether the server measures what it does, for Prometheus."""

    metrics_port: int | None = None
    """Where the metrics are, in the place of the port of the pages. Relays behind one port have the ports after it."""

    metrics_bind: str = "127.0.0.1"
    """The address to listen at there."""

    metrics_token: str | None = field(default=None, repr=False)
    """What a scrape may show in the place of a login: `Authorization: Bearer` and this."""

    browser_files_dir: Path | None = None
    """Where the browser files are kept. Not set: a folder in the user's cache directory."""

    def __post_init__(self) -> None:
        _require_numbers(self)
        self._require_names()
        self._require_metrics()
        self._require_order("heartbeat_s", "dead_after_s")
        self._require_order("poll_wait_s", "dead_after_s")
        self._require_order("batch_bytes", "in_flight_bytes", or_equal=True)

    def _require_names(self) -> None:
        """One that cannot match anything would leave out whom it is meant to let in."""
        for origin in self.allowed_origins:
            if origin not in ("*", "null") and parse_origin(origin) is None:
                expected = "origins separated by commas, such as https://host.example"
                raise SettingsError(f"{variable('allowed_origins')} must be {expected}, not {origin!r}")
        for host in self.allowed_hosts:
            if parse_host(host) is None:
                raise SettingsError(f"{variable('allowed_hosts')} must be host names separated by commas, not {host!r}")

    def _require_metrics(self) -> None:
        if self.metrics_port is not None and self.metrics_port > MAX_PORT:
            raise SettingsError(f"{variable('metrics_port')} must be a port, not {self.metrics_port}")
        # It is a secret: what it is instead is not said.
        if self.metrics_token is not None and not re.fullmatch(r"[\w.~+/=-]+", self.metrics_token, re.ASCII):
            raise SettingsError(f"{variable('metrics_token')} must be letters, digits and any of -._~+/= (RFC 6750)")

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
        return cls(**_values(cls, environ))

    @classmethod
    def of_server(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of a server that starts. Nothing that looks like a setting of ours may be without effect.

        Raises:
            SettingsError: naming every variable that cannot be used, or names no setting.
        """
        found = problems(environ)
        if found:
            raise SettingsError("; ".join(found))
        return cls.from_env(environ)


@dataclass(frozen=True, slots=True)
class PublisherSettings:
    """What publishers take from the environment, so that programs need no change. `docs/publisher.md` explains each.

    Raises:
        SettingsError: a value is out of range.
    """

    outbox_dir: Path | None = None
    """Where publishers keep on disk what was not sent yet. Not set: in memory only."""

    outbox_max_bytes: int = 10_000_000_000
    """How much of each publisher is kept there."""

    outbox_max_age_s: float | None = None
    """What was kept for longer is not sent any more. Not set: everything is."""

    outbox_full: Literal["hold", "drop_oldest"] = "hold"
    """What happens when there is no room: new messages are held in memory, or the oldest are lost."""

    def __post_init__(self) -> None:
        _require_numbers(self)

    @classmethod
    def given(cls, environ: Mapping[str, str] | None = None) -> tuple[dict[str, Any], list[str]]:
        """Those that the environment has, and what is wrong with others.

        One that cannot be used does not turn off the rest: a wrong bound is no reason to keep nothing on disk.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        wrong = []
        for name in (variable(setting.name) for setting in fields(cls)):
            try:
                value = _values(cls, {name: environ.get(name, "")})
                cls(**value)
            except SettingsError as error:
                wrong.append(str(error))
            else:
                values |= value
        return values, wrong


def _values(kind: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for setting in fields(kind):
        text = environ.get(variable(setting.name), "").strip()
        if not text:
            continue
        parse, expected = _kind(kind, setting.name)
        try:
            values[setting.name] = parse(text)
        except (ValueError, RuntimeError):  # the latter for ~ of a user without a home directory
            raise SettingsError(f"{variable(setting.name)} must be {expected}, not {text!r}") from None
    return values


def _require_numbers(settings: Any) -> None:
    kind: Any = type(settings)
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        # The comparison is also false for NaN.
        if isinstance(value, int | float) and not 0 < value < float("inf"):
            raise SettingsError(f"{variable(setting.name)} must be {_kind(kind, setting.name)[1]}, not {value!r}")


@cache
def _kind(kind: Any, name: str) -> tuple[Callable[[str], Any], str]:
    hint = get_type_hints(kind)[name]
    return _choice(get_args(hint)) if get_origin(hint) is Literal else _KINDS[hint]


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


_KUBERNETES: re.Pattern[str] = re.compile(rf"{SWITCH}_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_\w+)?)?)")
"""What Kubernetes sets in every container beside a service that is called `visdom-transport`."""


def unknown_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that look like ours but name no setting, with the nearest that does: a spelling mistake would pass unnoticed."""
    environ = os.environ if environ is None else environ
    known = [SWITCH, BACKGROUND, *(variable(setting.name) for kind in (Settings, PublisherSettings) for setting in fields(kind))]
    strange = (name for name in environ if name.upper().startswith(SWITCH) and name not in known)
    return {name: _nearest(name, known[1:]) for name in sorted(strange) if not _KUBERNETES.fullmatch(name)}


def _nearest(name: str, known: list[str]) -> str:
    # Without what all have in common, which would make all of them alike.
    end = name.upper().removeprefix(SWITCH).strip("_")
    ends = {each.removeprefix(PREFIX): each for each in known}
    return ends[difflib.get_close_matches(end, ends, n=1, cutoff=0)[0]]


def problems(environ: Mapping[str, str] | None = None) -> list[str]:
    """Every variable of ours that cannot be used, named, with what is expected."""
    environ = os.environ if environ is None else environ
    found = [f"{name} is not a setting; the nearest is {nearest}" for name, nearest in unknown_variables(environ).items()]
    for switch in (SWITCH, BACKGROUND):
        value = environ.get(switch, "").strip()
        if value and value.lower() not in (*ON, *OFF):
            found.append(f"{switch} must be one of {', '.join((*ON, *OFF))}, not {value!r}")
    try:
        Settings.from_env(environ)
    except SettingsError as error:
        found.append(str(error))
    return found + PublisherSettings.given(environ)[1]
