"""Numbers, bounds and policies of the outbox, against a model of the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.client.messages.model import Publisher, Publishing, Server, begin, event, plot, point
from visdom_transport.client.messages.calls import Message, capture
from visdom_transport.client.messages.intake import OnFull
from visdom_transport.client.messages.known_windows import creation_of
from visdom_transport.client.messages.outbox import Outbox
from visdom_transport.client.messages.request import Request
from visdom_transport.client.messages.spill import Spill


class ExactlyOnce(Publishing):
    """Whatever is lost on the way and whenever the server is restarted, what is kept for good is there once, in order."""

    wins = Publishing.wins

    @initialize(batch_bytes=st.sampled_from([1, 300, 10_000]))
    def start(self, batch_bytes: int) -> None:
        self.server = Server()
        self.publisher = Publisher(self.server, batch_bytes=batch_bytes)
        self.count = 0
        self.expected: dict[str, tuple[str, list[int]]] = {}

    @rule(target=wins, win=st.sampled_from(["u", "v"]))
    def begin_window(self, win: str) -> str:
        if not self.publisher.windows.exists(("e", win)):
            self.publisher.put(begin(win=win))
            self.expected.setdefault(win, ("begun", []))
        return win

    @rule(win=wins)
    def append(self, win: str) -> None:
        self.count += 1
        self.publisher.put(point(self.count, win))
        self.expected[win][1].append(self.count)

    @rule()
    def stream(self) -> None:
        self.count += 1
        self.publisher.put(event(self.count))
        self.expected.setdefault("", ("", []))[1].append(self.count)

    @rule()
    def restart_after_losing_the_disk(self) -> None:
        """Only what is not confirmed can come back then, once there is something to send; the windows do."""
        kept = [json.loads(item.message.body()) for item in self.publisher.outbox._numbered]
        self.server.disk = ({}, {}, [])
        self.server.restart()
        self.publisher.exchange()
        self.publisher.settle()
        assert {body["x"] for body in kept if "x" in body} <= {*self.server.events}
        held = {win: (title, list(points)) for win, (title, points) in self.server.windows.items()}
        for win, (title, points) in self.expected.items():
            left = self.server.events if win == "" else held.get(win, ("", []))[1]
            assert left == points[len(points) - len(left) :]
            assert win == "" or held[win][0] == title
            self.expected[win] = (title, list(left))

    @invariant()
    def in_order(self) -> None:
        for points in [self.server.events, *(points for _, points in self.server.windows.values())]:
            assert points == sorted(set(points))

    def teardown(self) -> None:
        self.publisher.settle()
        self.server.restart()
        self.publisher.exchange()
        self.publisher.settle()
        events = self.expected.pop("", ("", []))[1]
        assert self.server.events == events
        assert self.server.windows == self.expected
        counters = self.publisher.outbox.snapshot()
        assert counters.queued_bytes == 0
        assert counters.unconfirmed == 0


TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnce.settings = settings(deadline=None, max_examples=150, stateful_step_count=40)


@given(st.lists(st.sampled_from(["put", "", "request", "reply", "restart"]), max_size=60))
def test_without_a_disk_applied_is_the_end_and_nothing_is_doubled(steps: list[str]) -> None:
    server = Server(keeps=False)
    publisher = Publisher(server, batch_bytes=300)
    for number, step in enumerate(steps):
        if step == "put":
            publisher.put(event(number))
        elif step == "restart":
            server.restart()
        else:
            publisher.exchange(step)
        assert server.events == sorted(set(server.events))
        assert publisher.outbox.snapshot().unconfirmed <= len(steps)
    publisher.settle()
    sent = [number for number, step in enumerate(steps) if step == "put"]
    assert server.events == sent[len(sent) - len(server.events) :]
    if "restart" not in steps:
        assert server.events == sent


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from(["begin", "append", "", "request", "reply"])), max_size=60))
def test_publishers_that_begin_a_window_at_once_replace_nothing(steps: list[tuple[int, str]]) -> None:
    server = Server()
    publishers = [Publisher(server, batch_bytes=300) for _ in range(3)]
    sent: list[list[int]] = [[], [], []]
    for number, (who, step) in enumerate(steps):
        if step in ("begin", "append"):
            sent[who].append(number)
            publishers[who].put(begin(number) if step == "begin" else point(number))
        else:
            publishers[who].exchange(step)
    for publisher in publishers:
        publisher.settle()
    points = server.windows["w"][1] if server.windows else []
    for who, numbers in enumerate(sent):
        assert [x for x in points if steps[x][0] == who] == numbers


@pytest.mark.parametrize("make", [plot, lambda title: begin(0)])
def test_windows_made_again_leave_those_that_others_have_made(make: Callable[[str], Message]) -> None:
    server = Server(keeps=False)
    publisher, other = Publisher(server), Publisher(server)
    publisher.put(make("title"))
    publisher.settle()
    server.restart()
    other.put(begin(7))
    publisher.put(event(1))
    publisher.exchange()
    other.settle()
    publisher.settle()
    assert server.windows == {"w": ("begun", [7])}


def test_windows_are_made_again_with_their_titles() -> None:
    server = Server(keeps=False)
    publisher = Publisher(server)
    publisher.put(plot("kept", "u"))
    publisher.put(plot("closed", "v"))
    publisher.put(point(1, "u"))
    publisher.settle()
    publisher.put(capture("close", {"win": "v", "eid": "e"}))
    publisher.outbox.request()
    publisher.take({"server": "0", "applied": 4, "durable": None, "refused": []})
    server.restart()
    publisher.put(point(2, "u"))
    publisher.exchange()
    publisher.settle()
    assert server.windows == {"u": ("kept", [2])}


def test_a_server_that_forgot_only_the_numbers_is_not_sent_again_what_it_has() -> None:
    server = Server()
    publisher = Publisher(server)
    publisher.put(plot("title"))
    publisher.put(point(1))
    publisher.exchange()
    server.known.clear()
    publisher.put(point(2))
    publisher.settle()
    assert server.windows == {"w": ("title", [1, 2])}


def test_large_creations_lose_their_points_only() -> None:
    trace = {"x": [*range(20_000)], "y": [*range(20_000)], "type": "scatter", "name": "a"}
    message = capture("events", {"data": [trace], "win": "w", "eid": "e", "layout": {"title": "T"}, "opts": {"title": "T"}})
    creation = creation_of(message)
    assert creation is not None
    body = json.loads(creation.body())
    assert body["data"] == [{"x": [], "y": [], "type": "scatter", "name": "a"}]
    assert (body["layout"], body["opts"]) == ({"title": "T"}, {"title": "T"})
    image = {"type": "image", "content": {"src": "x" * 100_000}}
    assert creation_of(capture("events", {"data": [image], "win": "w", "eid": "e", "opts": {}})) is None


# --- bounds ---


def numbers(request: Request) -> list[int]:
    return [json.loads(item.message.body())["x"] for item in request.items]


def drain(outbox: Outbox) -> list[int]:
    drained: list[int] = []
    while outbox.has_news:
        request = outbox.request()
        drained += numbers(request)
        last = request.first + len(request.items) - 1
        outbox.receive({"server": "s", "applied": last, "durable": None, "refused": []})
    return drained


def outbox_of(on_full: OnFull, max_bytes: int = 2_000) -> Outbox:
    return Outbox(max_bytes=max_bytes, on_full=on_full, batch_bytes=500, spill=Spill())


def test_wait_refuses_and_loses_nothing() -> None:
    outbox = outbox_of("wait")
    taken = [number for number in range(100) if outbox.offer(event(number, 50))]
    assert taken == [*range(len(taken))]
    assert 5 < len(taken) < 25
    assert outbox.snapshot().queued_bytes <= 2_000
    assert drain(outbox) == taken
    assert outbox.offer(event(0))


def test_what_shrinks_the_outbox_is_taken_when_it_is_full() -> None:
    outbox = outbox_of("block")
    big, small = ({"win": "w", "eid": "e", "data": [{"type": "text", "content": "x" * size}]} for size in (1_900, 50))
    assert outbox.offer(capture("events", big))
    assert not outbox.offer(event(1, 500))
    assert outbox.offer(capture("events", small))
    assert outbox.offer(event(1, 500))


def test_a_larger_message_is_held_alone() -> None:
    outbox = outbox_of("block")
    assert outbox.offer(event(1, 5_000))
    assert not outbox.offer(event(2))
    assert drain(outbox) == [1]


def test_what_is_sent_but_not_kept_counts() -> None:
    outbox = outbox_of("block", max_bytes=1_000)
    assert outbox.offer(event(1, 800))
    outbox.request()
    outbox.receive({"server": "s", "applied": 1, "durable": 0, "refused": []})
    assert not outbox.offer(event(2, 800))
    outbox.request()
    outbox.receive({"server": "s", "applied": 1, "durable": 1, "refused": []})
    assert outbox.offer(event(2, 800))


def test_drop_loses_the_oldest_updates_and_counts_them() -> None:
    outbox = outbox_of("drop")
    assert outbox.offer(plot("kept"))
    for number in range(100):
        assert outbox.offer(event(number, 50))
        assert outbox.snapshot().queued_bytes <= 2_000
    first, *rest = outbox.request().items
    assert first.message.endpoint == "events"
    left = [json.loads(item.message.body())["x"] for item in rest]
    dropped = outbox.counters.dropped
    assert 0 < dropped < 100
    assert left == [*range(dropped, dropped + len(left))]


def test_updates_are_lost_before_what_makes_their_windows() -> None:
    outbox = outbox_of("drop")
    for number in range(10):
        assert outbox.offer(plot("title", win=f"w{number}"))
    for number in range(100):
        assert outbox.offer(event(number))
    request = outbox.request()
    assert [item.message.endpoint for item in request.items][:3] == ["events"] * 3
    assert outbox.counters.dropped > 50


def test_drop_if_away_loses_only_while_the_server_is_away() -> None:
    outbox = outbox_of("drop_if_away")
    taken = [number for number in range(100) if outbox.offer(event(number, 50))]
    assert (taken, outbox.counters.dropped) == ([*range(len(taken))], 0)
    assert outbox.offer(event(100, 50), is_away=True)
    assert (outbox.counters.dropped, outbox.lost) == (1, 1)
    assert drain(outbox) == [*taken[1:], 100]


def receive(outbox: Outbox, applied: int | None, durable: int | None = 0, server: str = "s") -> bool:
    return outbox.receive({"server": server, "applied": applied, "durable": durable, "refused": []}).known


def full_of_applied(on_full: OnFull = "drop_if_away") -> tuple[Outbox, int]:
    """An outbox that holds only what the server has applied, and how many messages that are."""
    outbox = outbox_of(on_full)
    count = 0
    while outbox.offer(event(count, 50)):
        count += 1
        outbox.request()
        receive(outbox, count)
    return outbox, count


@pytest.mark.parametrize("state", [{"is_away": True}, {"keeps": False}])
def test_what_is_applied_makes_room_for_what_is_not(state: dict[str, bool]) -> None:
    outbox, count = full_of_applied()
    assert outbox.offer(event(count, 50), **state)
    assert [item.sequence for item in outbox.released()] == [1]
    assert outbox.released() == []
    assert (outbox.snapshot().unconfirmed, outbox.counters.dropped) == (count - 1, 0)
    # The server has it all, and writes it.
    outbox.request()
    assert receive(outbox, count + 1, count + 1)
    assert (outbox.counters.dropped, outbox.counters.sent, outbox.snapshot().unconfirmed) == (0, count + 1, 0)


@pytest.mark.parametrize("applied", [None, 0])
def test_what_made_room_is_lost_if_the_server_loses_it(applied: int | None) -> None:
    outbox, count = full_of_applied()
    assert outbox.offer(event(count, 50), is_away=True)
    outbox.request()
    assert not receive(outbox, applied, server="another")
    assert outbox.counters.dropped == 1
    outbox.begin_again([])
    assert drain(outbox) == [*range(1, count + 1)]


def test_what_is_on_its_way_is_lost_last() -> None:
    outbox = outbox_of("drop_if_away", max_bytes=100)
    assert outbox.offer(event(1, 500))
    first = outbox.request()
    assert outbox.offer(event(2, 500), is_away=True)
    assert outbox.counters.dropped == 1
    # Its number remains, so that the server skips it if it did arrive.
    again = outbox.request()
    assert (again.first, [item.given_up for item in again.items]) == (first.first, [True])
    assert outbox.snapshot().queued_bytes < 700
    receive(outbox, 1, None)
    assert drain(outbox) == [2]


def test_a_retry_takes_no_more_than_before() -> None:
    """Otherwise an outage would number everything that comes, and what is numbered is not dropped."""
    outbox = outbox_of("drop_if_away")
    outbox.offer(event(1))
    outbox.request()
    outbox.offer(event(2))
    assert [item.sequence for item in outbox.request().items] == [1]


def test_drop_counts_every_call_of_what_it_loses() -> None:
    outbox = outbox_of("drop", max_bytes=520)
    outbox.offer(plot("kept"))
    for number in range(10):
        outbox.offer(point(number))
    assert outbox.counters.coalesced == 9
    outbox.offer(capture("events", {"win": "v", "eid": "e", "data": [{"type": "text", "content": "x" * 300}]}))
    counters = outbox.snapshot()
    assert (counters.dropped, counters.coalesced, counters.calls) == (10, 0, 12)


@pytest.mark.parametrize("steps", [1, 3])
def test_spill_keeps_all_in_order(steps: int) -> None:
    outbox = outbox_of("spill")
    for number in range(300):
        assert outbox.offer(event(number, 50))
    mark = outbox.mark
    counters = outbox.snapshot()
    assert counters.queued_bytes <= 2_000
    assert counters.spilled_bytes > 10_000
    drained = []
    for _ in range(steps):
        request = outbox.request()
        drained += numbers(request)
        assert not outbox.settled(mark)
        outbox.receive({"server": "s", "applied": request.first + len(request.items) - 1, "durable": None, "refused": []})
        assert outbox.offer(event(300 + len(drained)))
    drained += drain(outbox)
    assert drained == sorted(drained)
    assert drained[:300] == [*range(300)]
    assert outbox.settled(mark)
    assert outbox.snapshot().spilled_bytes == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3)), max_size=20))
def test_spilled_points_are_all_there(steps: list[tuple[int, int]]) -> None:
    server = Server()
    publisher = Publisher(server, max_bytes=400, on_full="spill", batch_bytes=200, spill=Spill())
    publisher.put(plot("title"))
    points: list[int] = []
    for count, exchanges in steps:
        for _ in range(count):
            points.append(len(points))
            assert publisher.put(point(points[-1]))
        for _ in range(exchanges):
            publisher.exchange()
            server.flush()
    publisher.settle()
    assert server.windows == {"w": ("title", points)}
    publisher.outbox.close()


def test_a_spill_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    outbox = Outbox(max_bytes=100, on_full="spill", spill=Spill(tmp_path / "not there"))
    assert outbox.offer(event(1))
    with pytest.raises(OSError, match="not there"):
        outbox.offer(event(2))
    assert drain(outbox) == [1]


@pytest.mark.parametrize("durable", [False, True])
def test_settled_looks_at_what_was_before_the_mark(durable: bool) -> None:
    outbox = Outbox(batch_bytes=1)
    assert outbox.settled(outbox.mark, durable=durable)
    outbox.offer(event(1))
    mark = outbox.mark
    outbox.offer(event(2))
    for applied, kept, expected in [(1, 0, not durable), (2, 0, not durable), (2, 1, True)]:
        outbox.request()
        outbox.receive({"server": "s", "applied": applied, "durable": kept, "refused": []})
        assert outbox.settled(mark, durable=durable) == expected


def test_refusals_name_their_message() -> None:
    outbox = Outbox()
    for number in range(3):
        outbox.offer(event(number))
    outbox.request()
    error = {"code": "bad_field", "message": "no", "field": "x"}
    receipt = outbox.receive({"server": "s", "applied": 3, "durable": 1, "refused": [{"number": 2, "error": error}]})
    ((item, said),) = receipt.refused
    assert (json.loads(item.message.body())["x"], said) == (1, error)
    assert [json.loads(item.message.body())["x"] for item in receipt.confirmed] == [0]
    assert outbox.counters.refused == 1


def test_what_cannot_be_sent_keeps_its_number() -> None:
    outbox = Outbox()
    outbox.offer(event(1, 1_000))
    (item,) = outbox.request().items
    outbox.give_up(item)
    request = json.loads(outbox.request().encoded())
    assert (request["first"], request["messages"]) == (1, [{"endpoint": "embedding", "body": {}}])
    assert outbox.snapshot().queued_bytes < 10


def test_counters_are_of_their_moment() -> None:
    outbox = Outbox()
    before = outbox.snapshot()
    outbox.offer(event(1))
    assert (before.calls, outbox.snapshot().calls) == (0, 1)
