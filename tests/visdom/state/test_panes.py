"""What events carry of windows: what they held when it happened, encoded once as long as that is the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.stock_peers import StockPoll, StockSocket
from visdom_transport.core.event_feed import SharedMember

Serve = Callable[..., LocalServer]


def press(server: LocalServer, win: str = "w", **members: Any) -> None:
    """Press a key in a window; when this returns, the server has taken it."""
    data = {"eid": "main", "target": win, "event_type": "KeyPress", **members}
    server.run(lambda: server.app.transport.commands.carry_out(None, {"cmd": "forward_to_vis", "data": data}))


def carried(server: LocalServer) -> list[SharedMember | None]:
    """What each event that is kept has of its window."""
    return [event.shared for event in server.app.transport.hub.feeds["events"]._ring]


def update(server: LocalServer) -> None:
    append = {"data": [{"type": "text", "content": "more"}], "win": "w", "eid": "main", "append": True}
    server.post("/update", append).raise_for_status()


def comment(server: LocalServer) -> None:
    def change() -> None:
        server.app.state["main"]["jsons"]["w"]["comment"] = "fine"
        server.app.transport.changes.window_changed("main", "w")

    server.run(change)


def replace_all(server: LocalServer) -> None:
    windows = server.windows()
    windows["w"]["content"] = "another"
    server.run(lambda: server.app.state.__setitem__("main", {"jsons": windows, "reload": {}}))


CHANGES = {
    "replaced": lambda server: server.text("w", "another"),
    "updated": update,
    "changed inside": comment,
    "made again": lambda server: (server.post("/close", {"win": "w", "eid": "main"}), server.text("w", "another")),
    "all replaced": replace_all,
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_event_carries_what_the_window_held_when_it_happened(server: LocalServer, change: str) -> None:
    server.text("w", "before")
    with OwnSocket(server, "events") as client:
        client.receive_type("subscribed")
        before = server.windows()["w"]
        press(server)
        CHANGES[change](server)
        after = server.windows()["w"]
        press(server)
        client.until(lambda: len(client.replicas.events.get("events", [])) == 2, "both events")
        assert [event["pane_data"] for event in client.replicas.events["events"]] == [before, after]
    assert before != after


def test_a_window_is_encoded_once_until_it_changes(server: LocalServer) -> None:
    server.text("w", "x")
    server.text("other", "x")
    for win in ("w", "other", "w"):
        press(server, win)
    server.text("other", "y")
    press(server)
    first, other, *rest = carried(server)
    assert first is not None
    assert rest == [first, first]
    assert other not in (first, None)


def test_a_close_carries_what_clicks_before_it_carried(server: LocalServer) -> None:
    server.text("w", "x")
    press(server)
    server.run(lambda: server.app.transport.commands.carry_out(None, {"cmd": "close", "data": "w", "eid": "main"}))
    click, close = carried(server)
    assert close is click


def test_what_no_event_carries_any_more_is_not_kept(serve: Serve) -> None:
    server = serve(settings={"event_count": 2})
    server.text("w", "x")
    press(server)
    panes = server.app.transport.panes
    assert panes.carried("main", "w") is not None
    for _ in range(2):
        press(server, pane_data=False)
    assert panes.carried("main", "w") is None


@pytest.mark.parametrize("sent", [{"content": "what the page believes"}, True, None, 0, []])
def test_what_a_page_sends_of_the_window_is_not_what_the_event_carries(server: LocalServer, sent: Any) -> None:
    server.text("w", "x")
    with OwnSocket(server, "events") as client:
        client.receive_type("subscribed")
        press(server, pane_data=sent)
        client.until(lambda: "events" in client.replicas.events, "the event")
        (event,) = client.replicas.events["events"]
    assert event["pane_data"] == server.windows()["w"]


def test_stock_clients_are_given_the_same_events(server: LocalServer) -> None:
    server.text("w", "x")
    poller = StockPoll(server, "source")
    poller.query()
    with StockSocket(server, "source") as source:
        source.receive()
        press(server, n=1)
        press(server, n=2, pane_data=False)
        expected: list[dict[str, Any]] = [
            {"eid": "main", "target": "w", "event_type": "KeyPress", "n": 1, "pane_data": server.windows()["w"]},
            {"eid": "main", "target": "w", "event_type": "KeyPress", "n": 2, "pane_data": False},
        ]
        assert [source.receive(), source.receive()] == expected
        assert poller.query() == expected
