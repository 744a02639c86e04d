"""Visdom's own client, whose requests are written down to be said again, and what two servers hold afterwards."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

from visdom import Visdom

from tests.support.server import VisdomServer


@dataclass(frozen=True)
class Exchange:
    """One request, and how the stock server answered it."""

    path: str
    body: str
    status: int
    reply: str


class Recorder(Visdom):  # type: ignore[misc]
    """Visdom's client, whose requests are written down. Everything random about them is the client's own."""

    def __init__(self, server: VisdomServer, env: str) -> None:
        self.exchanges: list[Exchange] = []
        self.stock = server
        with warnings.catch_warnings(action="ignore"):
            super().__init__(
                server="http://127.0.0.1", port=server.port, env=env, use_incoming_socket=False, raise_exceptions=True
            )

    def _handle_post(self, url: str, data: Any = None) -> str:
        path = url.removeprefix(f"http://127.0.0.1:{self.stock.port}")
        return self.say(path, data or "")

    def say(self, path: str, body: str) -> str:
        answer = self.stock.http.post(self.stock.url(path), data=body, timeout=20)
        self.exchanges.append(Exchange(path, body, answer.status_code, answer.text))
        return answer.text

    def raw(self, path: str, body: Any) -> str:
        """A request that the client itself never makes, or not like this."""
        return self.say(path, json.dumps(body))


def without_content_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_content_ids(item) for key, item in value.items() if key != "contentID"}
    if isinstance(value, list):
        return [without_content_ids(item) for item in value]
    return value


def same_state(ours: VisdomServer, stock: VisdomServer, env: str) -> None:
    """Everything that both hold in the environments of a scenario is the same, and in the same order."""
    ours_now, stock_now = state(ours, env), state(stock, env)
    assert list(ours_now) == list(stock_now)
    for eid, windows in stock_now.items():
        assert list(ours_now[eid]) == list(windows), eid
        for win, window in windows.items():
            assert ours_now[eid][win] == window, (eid, win)
            assert list(ours_now[eid][win]) == list(window), "the order of members"


def state(server: VisdomServer, prefix: str) -> dict[str, Any]:
    """Every environment of a scenario, in order."""
    eids = [eid for eid in server.post("/env_state", {}).json() if eid.startswith(prefix)]
    return {eid: without_content_ids(server.windows(eid)) for eid in eids}
