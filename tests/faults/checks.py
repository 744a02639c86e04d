"""The invariants, checked on what the server says and on what every client has seen."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.others import PythonSource
from tests.faults.own import Event, OwnClient
from tests.faults.publishing import BIG_BYTES
from tests.faults.stage import SETTINGS, Stage
from tests.faults.stock import StockPage, StockSource

Status = Mapping[str, Any]

LATE_S = 2.0
"""How late the server's reaper may be on a machine that is busy."""
HISTORY_SLACK_BYTES = 100_000
"""What is encoded between two flushes counts as history until the next one."""
UNEXPECTED = re.compile("Uncaught exception|exception was never retrieved|Exception in callback")
MAX_LOG = 2_000
CLICK = "Click"


def check_bounds(stage: Stage, status: Status) -> None:
    """What is in flight and what is kept, at any moment."""
    for session in status["sessions"]:
        if session["in_flight_bytes"] > SETTINGS["in_flight_bytes"] + BIG_BYTES:
            stage.violated("bounds", f"too much in flight: {session}")
    feeds = status["feeds"]
    history = sum(feed["retained_bytes"] for name, feed in feeds.items() if name not in ("events", "notifications"))
    if history > SETTINGS["history_bytes"] + HISTORY_SLACK_BYTES:
        stage.violated("bounds", f"{history} bytes of history")


def check_log(stage: Stage, path: Path, begin: int) -> None:
    """Nothing that happened was unexpected."""
    with path.open("rb") as log:
        log.seek(begin)
        said = log.read().decode(errors="replace")
    for found in UNEXPECTED.finditer(said):
        stage.violated("errors", said[found.start() :][:MAX_LOG].replace("\n", " / "))


def overdue(status: Status) -> list[str]:
    """Links and sessions that should be gone."""
    late = []
    for session in status["sessions"]:
        limit_s = SETTINGS["dead_after_s"] + LATE_S + (0.0 if session["link"] else SETTINGS["grace_s"])
        if session["seen_s_ago"] > limit_s:
            late.append(f"not heard of for {session['seen_s_ago']} s, and still there: {session}")
    return late


@dataclass(frozen=True, slots=True)
class Truth:
    """What the server holds."""

    windows: Mapping[str, Any]
    other_windows: Mapping[str, Any]
    envs: list[str]
    events: tuple[str, int]
    """Epoch and offset of the feed of events; of a stock server nothing."""

    def differences(self, env: str, members: Iterable[Any]) -> dict[int, str]:
        """What each client that is behind has not caught up with."""
        return {member.id: difference for member in members if (difference := self._difference(env, member))}

    def _difference(self, env: str, member: object) -> str | None:
        if isinstance(member, OwnClient):
            return self._own_difference(env, member)
        if isinstance(member, StockPage):
            return differing(member.windows, self.windows)
        return None

    def _own_difference(self, env: str, client: OwnClient) -> str | None:
        if client.outbox.pending:
            return f"{len(client.outbox.pending)} commands are not answered, the first {client.outbox.pending[0]}"
        for reader in client.readers.values():
            if (reader.epoch, reader.offset) != self.events:
                return f"has read to {reader.epoch} {reader.offset} of {self.events}"
        if not client.states:
            return None
        if client.states["shared"].values.get("envs") != self.envs:
            return f"shared has {client.states['shared'].values} instead of {self.envs}"
        return differing(client.states[f"env/{env}"].values, self.windows) or differing(
            client.states[f"env/{env}-x"].values, self.other_windows
        )


def disagreement(pages: list[OwnClient]) -> dict[int, str]:
    """The layouts are told to nobody but pages: they must have the same ones."""
    layouts = {page.id: page.states["shared"].values.get("layouts") for page in pages}
    return dict.fromkeys(layouts, f"has the layouts {layouts}") if len(set(layouts.values())) > 1 else {}


def differing(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """The first windows that differ, or None."""
    different = [key for key in sorted(held.keys() | wanted.keys()) if held.get(key) != wanted.get(key)]
    if not different:
        return None
    return "; ".join(f"{key} is {_short(held.get(key))} instead of {_short(wanted.get(key))}" for key in different[:2])


def _short(window: Any) -> str:
    if window is None:
        return "missing"
    content = window.get("content")
    points = [trace.get("x") for trace in content["data"]] if isinstance(content, dict) else str(content)[:40]
    return f"{points} ({window.get('contentID', '')[:8]})"


# --- events ---


def check_events(stage: Stage, members: Iterable[object], truth: Truth) -> None:
    """Every source has seen the same events at the same offsets, each click once and in order, every loss announced."""
    own = [member for member in members if isinstance(member, OwnClient)]
    sources = [client for client in own if client.readers]
    for client in sources:
        by_epoch: dict[str, list[Event]] = defaultdict(list)
        for (epoch, _), event in sorted(client.events.items()):
            by_epoch[epoch].append(event)
        for events in by_epoch.values():
            check_clicks(stage, f"{client.kind} {client.id}", events)
    for member in members:
        if isinstance(member, StockSource):
            by_life: dict[int, list[Event]] = defaultdict(list)
            for life, event in member.events:
                by_life[life].append(event)
            for events in by_life.values():
                check_clicks(stage, f"{member.kind} {member.id}", events)
    seen: dict[tuple[str, int], tuple[Event, OwnClient]] = {}
    for client in sources:
        for at, event in client.events.items():
            other, by = seen.setdefault(at, (event, client))
            if other != event:
                stage.violated("order", f"at {at} {client.kind} {client.id} saw {event}, {by.kind} {by.id} {other}")
    _check_answered(stage, own, sources, truth)


def check_clicks(stage: Stage, who: str, events: Iterable[Event]) -> None:
    """The clicks of each page are numbered."""
    seen: dict[Any, list[int]] = defaultdict(list)
    for kind, target, eid, number in events:
        if kind != CLICK or eid != stage.env:
            continue
        before = seen[target]
        if number in before:
            if (target, number) in stage.unsure:
                continue
            stage.violated("duplicate", f"{who} saw click {number} of {target} twice: {before}")
        elif before and number < before[-1]:
            stage.violated("order", f"{who} saw click {number} of {target} after {before[-1]}")
        before.append(number)


def _check_answered(stage: Stage, own: list[OwnClient], sources: list[OwnClient], truth: Truth) -> None:
    """A source that the faults of networks spare has read every click that the present server has answered."""
    epoch = truth.events[0]
    for source in sources:
        if source.network is not None:
            continue
        read = {(event[1], event[3]) for (at, _), event in source.events.items() if at == epoch and event[0] == CLICK}
        answered = {key for client in own for key, server in client.answered.items() if server == source.server}
        lost = answered - read
        if len(lost) > source.missed[epoch] and source.began.get(epoch) == 0:
            stage.violated("loss", f"answered clicks {sorted(lost)[:5]} did not reach {source.kind} {source.id}")


def check_gaps(stage: Stage, members: Iterable[object], truth: Truth) -> None:
    """What a source did not get was announced, with its number."""
    epoch, offset = truth.events
    for member in members:
        if isinstance(member, OwnClient) and member.readers and epoch in member.began:
            got = sum(1 for at, _ in member.events if at == epoch)
            if member.began[epoch] + got + member.missed[epoch] != offset:
                told = f"{got} events and {member.missed[epoch]} missed from {member.began[epoch]}"
                stage.violated("gap", f"{member.kind} {member.id} was told of {told}, to {offset}")
        if isinstance(member, PythonSource) and stage.life == 0:
            check_clicks(stage, f"{member.kind} {member.id}", [(CLICK, page, stage.env, n) for page, n in member.events])


def unannounced(members: Iterable[object]) -> dict[int, str]:
    """What Visdom's Python clients, once live, have neither been given nor told of."""
    everybody = list(members)
    answered = {key: each.given[key] for each in everybody if isinstance(each, OwnClient) for key in each.answered}
    behind = {}
    for source in everybody:
        if isinstance(source, PythonSource) and source.live_at is not None and not source.gaps:
            owed = {key for key, given_at in answered.items() if given_at > source.live_at and key[0] in source.targets}
            if lost := owed - set(source.events):
                behind[source.id] = f"neither has {sorted(lost)[:5]} nor was told that they are lost"
    return behind
