"""What the outbox makes of calls leaves the same windows as the calls themselves, by what the server does with them."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.local import LocalServer
from visdom_transport.client.messages.calls import Lines, Points, capture
from visdom_transport.client.messages.known_windows import Windows
from visdom_transport.client.messages.outbox import Outbox
from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.publishing.endpoints import ENDPOINTS
from visdom_transport.visdom.updates import UpdateRefused

Call = tuple[str, dict[str, Any]]

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    directory: Path = tmp_path_factory.mktemp("envs")
    server = LocalServer(directory)
    yield server
    server.stop()


# --- calls ---

wins = st.sampled_from(["w1", "w2", "w3"])
numbers = st.sampled_from([0, 1, 2.5, -3, 7])
coordinates = st.lists(numbers, min_size=1, max_size=3)
odd_coordinates = st.sampled_from([[], [None], [NAN, 1], [None, 2], [INFINITY], ["a"], [[1]], [NAN], "xy", None, [True, 2]])
names = st.sampled_from([None, "a", "b"])
opts = st.sampled_from(
    [
        {},
        {"title": "T"},
        {"max_points": 3},
        {"max_points": 2, "title": "U"},
        {"max_lines": 2},
        {"legend": ["a"]},
        {"legend": ["b", "a"]},
        {"comment": "c"},
        {"markers": True},
    ]
)
odd_opts = st.sampled_from([{"max_points": 0}, None, [], {"type": "image"}, {"legend": "ab"}])
layouts = st.sampled_from([{}, {"title": "L"}, {"title": "M", "xaxis": {"type": "linear"}}])


def traces(odd: bool) -> st.SearchStrategy[dict[str, Any]]:
    axis = st.one_of(coordinates, odd_coordinates) if odd else coordinates
    extra: list[dict[str, Any]] = [{}, {"mode": "lines"}, {"text": ["p", "q"]}, {"marker": {"size": 3}}]
    if odd:
        extra += [{"marker": {"color": ["#fff"]}}, {"z": [1]}, {"type": "heatmap"}, {"type": "bar"}, {"marker": 3}]
    return st.builds(
        lambda x, y, name, more: {"x": x, "y": y, "type": "scatter", **({} if name is None else {"name": name}), **more},
        axis,
        axis,
        names,
        st.sampled_from(extra),
    )


def body(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"win": wins, **members})


def calls(odd: bool) -> st.SearchStrategy[Call]:
    any_opts = st.one_of(opts, odd_opts) if odd else opts
    data = st.lists(traces(odd), min_size=1, max_size=2)
    lines = st.sampled_from(["one", "two", "x<br>y", ""])
    text = st.builds(lambda line: [{"type": "text", "content": line}], lines)
    image = st.builds(lambda src: [{"type": "image", "content": {"src": src, "caption": None}}], lines)
    history = st.builds(lambda src: [{"type": "image_history", "content": {"src": src, "caption": None}}], lines)
    point = st.builds(lambda x: {"type": "embedding", "x": x, "y": 1, "cluster": "c"}, numbers)
    additions = st.one_of(st.none(), st.builds(lambda name: {"append": True, "layout": {}, "name": name}, names))
    append = body(data=data, layout=st.just({}), opts=any_opts, name=names, append=st.just(True))
    choices: list[st.SearchStrategy[Call]] = [
        st.tuples(st.just("events"), body(data=data, layout=layouts, opts=any_opts)),
        st.tuples(st.just("events"), body(data=st.one_of(text, image, history), opts=any_opts)),
        st.tuples(st.just("update"), append),
        st.tuples(st.just("update"), append),
        st.tuples(st.just("update"), st.builds(lambda body, layout: body | {"otherwise": {"layout": layout}}, append, layouts)),
        st.tuples(st.just("events"), body(data=data, layout=layouts, opts=any_opts, otherwise=additions)),
        st.tuples(st.sampled_from(["events", "update"]), body(data=history, opts=any_opts, otherwise=st.just({}))),
        st.tuples(st.just("update"), body(data=data, layout=layouts, opts=any_opts, name=names, append=st.just(False))),
        st.tuples(st.just("update"), body(data=text, opts=any_opts)),
        st.tuples(st.just("update"), body(data=text, opts=any_opts)),
        st.tuples(st.just("update"), body(data=history, opts=any_opts)),
        st.tuples(st.just("update"), body(layout=layouts, opts=any_opts)),
        st.tuples(st.just("update"), body(data=st.just([]), name=names, delete=st.just(True))),
        st.tuples(st.just("close"), st.fixed_dictionaries({"win": st.one_of(wins, st.none())})),
        st.tuples(st.just("embedding"), st.builds(lambda point, more: point | more, point, body(opts=opts))),
    ]
    if odd:
        broken = st.sampled_from([{"data": []}, {"data": [{"type": "scatter"}]}, {"data": [{"type": "text"}], "layout": {}}, {}])
        choices.append(st.tuples(st.just("events"), st.builds(lambda body, more: body | more, body(), broken)))
    return st.one_of(choices)


# --- both ways ---


def apply(server: LocalServer, endpoint: str, body: dict[str, Any]) -> None:
    # As the endpoint has it, which is done with a message whatever goes wrong. A plot whose marker is a number makes a TypeError.
    with contextlib.suppress(UpdateRefused, MessageError, TypeError):
        ENDPOINTS[endpoint](server.app.transport, json.loads(json.dumps(body)))


def windows(server: LocalServer, eid: str) -> dict[str, Any]:
    held = copy.deepcopy(dict(server.app.state[eid]["jsons"])) if eid in server.app.state else {}
    for window in held.values():
        window.pop("contentID", None)
        window.pop("version", None)  # counts messages
    return held


def send_each(server: LocalServer, made: list[Call]) -> dict[str, Any]:
    for endpoint, each in made:
        apply(server, endpoint, as_written(each) | {"eid": "each"})
    return windows(server, "each")


def as_written(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def send_coalesced(server: LocalServer, made: list[Call], pauses: set[int]) -> dict[str, Any]:
    outbox, known = Outbox(batch_bytes=2_000), Windows()
    for index, (endpoint, each) in enumerate(made):
        given = copy.deepcopy(each) | {"eid": "coalesced"}
        message = capture(endpoint, given)
        assert outbox.offer(message, window_exists=known.is_sure(message.window))
        known.published(message)
        given.clear()
        if index in pauses:
            exchange(server, outbox)
    while outbox.has_news:
        exchange(server, outbox)
    assert outbox.snapshot().queued_bytes == 0
    counters = outbox.counters
    assert counters.sent + counters.coalesced == counters.calls == len(made)
    return windows(server, "coalesced")


def exchange(server: LocalServer, outbox: Outbox) -> None:
    request = outbox.request()
    for message in json.loads(request.encoded())["messages"]:
        apply(server, message["endpoint"], message["body"])
    last = request.first + len(request.items) - 1
    outbox.receive({"server": "s", "applied": last, "durable": None, "refused": []})


def forget(server: LocalServer) -> None:
    for eid in ("each", "coalesced"):
        server.app.state.pop(eid, None)


def check(server: LocalServer, made: list[Call], pauses: set[int]) -> None:
    def compare() -> tuple[dict[str, Any], dict[str, Any]]:
        forget(server)
        return send_each(server, made), send_coalesced(server, made, pauses)

    each, coalesced = server.run(compare)
    assert list(coalesced) == list(each)
    assert coalesced == each


sane = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=250)
pauses = st.sets(st.integers(0, 12), max_size=3)


@sane
@given(st.lists(calls(odd=False), max_size=12), pauses)
def test_the_same_windows(server: LocalServer, made: list[Call], pauses: set[int]) -> None:
    check(server, made, pauses)


def test_the_same_windows_when_text_is_sent_to_a_plot_without_traces(server: LocalServer) -> None:
    line = {"type": "text", "content": "one"}
    plot = {"win": "w2", "data": [{"x": [0], "y": [0], "type": "scatter"}], "layout": {}, "opts": {}}
    made: list[Call] = [
        ("events", plot),
        ("update", {"win": "w2", "data": [], "name": None, "delete": True}),
        ("events", {"win": "w1", "data": [line], "opts": {}}),
        ("update", {"win": "w2", "data": [line], "opts": {}}),
        ("update", {"win": "w2", "data": [line], "opts": {}}),
    ]
    check(server, made, set())


@sane
@given(st.lists(calls(odd=True), max_size=12), pauses)
def test_the_same_windows_whatever_is_refused(server: LocalServer, made: list[Call], pauses: set[int]) -> None:
    check(server, made, pauses)


@sane
@given(st.lists(calls(odd=True).filter(lambda call: call[1]["win"] == "w1"), max_size=12), pauses)
def test_the_same_window(server: LocalServer, made: list[Call], pauses: set[int]) -> None:
    check(server, made, pauses)


# --- that it does happen ---


def append(x: float, **more: Any) -> Call:
    trace = {"x": [x], "y": [x], "name": "a", "type": "scatter", **more}
    return "update", {"data": [trace], "win": "w", "eid": "e", "layout": {}, "opts": {"title": "T"}, "name": "a", "append": True}


def plot(title: str) -> Call:
    trace = {"x": [0], "y": [0], "name": "a", "type": "scatter"}
    return "events", {"data": [trace], "win": "w", "eid": "e", "layout": {}, "opts": {"title": title}}


def text(line: str, endpoint: str = "update") -> Call:
    return endpoint, {"data": [{"type": "text", "content": line}], "win": "w", "eid": "e", "opts": {}}


def sent(*made: Call) -> list[dict[str, Any]]:
    outbox = Outbox()
    for call in made:
        outbox.offer(capture(*call))
    messages: list[dict[str, Any]] = json.loads(outbox.request().encoded())["messages"]
    return messages


def test_appends_become_one_with_every_point() -> None:
    (message,) = sent(*(append(x) for x in range(1000)))
    assert message["endpoint"] == "update"
    assert message["body"] == append(0)[1] | {"data": [append(0)[1]["data"][0] | {"x": [*range(1000)], "y": [*range(1000)]}]}


@pytest.mark.parametrize("legend", [["a"], ["a", "b"], []])
def test_appends_whose_legend_says_what_they_are_called_become_one(legend: list[str]) -> None:
    made = [("update", append(x)[1] | {"name": None, "opts": {"legend": legend}}) for x in range(3)]
    (message,) = sent(*made)
    assert message["body"]["data"][0]["x"] == [0, 1, 2]


@pytest.mark.parametrize("legend", [["b"], "a"])
def test_appends_whose_legend_renames_them_do_not(legend: Any) -> None:
    """A plot without traces is given new ones, which the next update renames."""
    made = [("update", append(x)[1] | {"name": None, "opts": {"legend": legend}}) for x in range(3)]
    assert len(sent(*made)) == 3


def test_appends_in_both_forms_become_one() -> None:
    other = {"otherwise": {"layout": {"title": "T"}}}
    (message,) = sent(*(("update", append(x)[1] | other) for x in range(1000)))
    assert message["body"]["otherwise"] == other["otherwise"]
    assert message["body"]["data"][0]["x"] == [*range(1000)]


def test_what_begins_a_window_replaces_nothing_that_waits() -> None:
    begun: Call = ("events", plot("2")[1] | {"otherwise": {"append": True, "layout": {}, "name": "a"}})
    assert [message["endpoint"] for message in sent(append(1), begun, append(2))] == ["update", "events", "update"]


def test_lines_become_one() -> None:
    (message,) = sent(text("a"), text("b"), text("c"))
    assert message["body"]["data"] == [{"type": "text", "content": "a<br>b<br>c"}]


def test_a_replacement_drops_what_was_before() -> None:
    (message,) = sent(plot("1"), append(1), plot("2"), append(2, mode="lines"), plot("3"))
    assert message["body"]["opts"]["title"] == "3"


def test_a_replacement_takes_the_place_where_the_window_was_made() -> None:
    other: Call = ("events", text("other", "events")[1] | {"win": "v"})
    assert [message["body"]["win"] for message in sent(plot("1"), other, plot("2"))] == ["w", "v"]
    lost: Call = ("update", append(1)[1] | {"append": False})
    assert [message["body"]["win"] for message in sent(lost, other, plot("2"))] == ["v", "w"]


def test_replacing_points_sends_the_last() -> None:
    def replace(x: float) -> Call:
        return "update", append(x)[1] | {"append": False}

    (message,) = sent(replace(1), replace(2), replace(3))
    assert message["body"]["data"][0]["x"] == [3]


@pytest.mark.parametrize(
    "between",
    [
        ("close", {"win": "w", "eid": "e"}),
        ("close", {"win": None, "eid": "e"}),
        append(5, mode="lines"),
        append(NAN),
        append(5, z=[1]),
    ],
)
def test_nothing_is_folded_across(between: Call) -> None:
    assert len(sent(append(1), between, append(2))) == 3


def test_environments_that_a_server_takes_for_one_stay_in_order() -> None:
    messages = sent(*(("update", append(x)[1] | {"eid": eid}) for x, eid in enumerate(["a/b", "a_b", "a/b"])))
    assert [message["body"]["eid"] for message in messages] == ["a/b", "a_b", "a/b"]


def test_folding_ends_at_a_size() -> None:
    messages = sent(*(text("x" * 500) for _ in range(800)))
    assert 1 < len(messages) < 6
    assert sum(message["body"]["data"][0]["content"].count("<br>") + 1 for message in messages) == 800


@pytest.mark.parametrize("make", [lambda body: body["data"][0]["x"], lambda body: body["opts"], lambda body: body["data"][0]])
def test_the_caller_may_change_what_it_gave(make: Callable[[dict[str, Any]], Any]) -> None:
    given = append(1)[1]
    message = capture("update", given)
    assert type(message) is Points
    before = json.dumps(given)
    make(given).clear()
    assert json.loads(message.body()) == json.loads(before)


def test_what_orjson_does_not_write_is_sent_all_the_same() -> None:
    for endpoint, each in (text("\ud800"), append(2**70), ("update", append(1)[1] | {"opts": {1: 2}})):
        message = capture(endpoint, each)
        assert type(message) not in (Points, Lines)
        assert json.loads(message.body()) == json.loads(json.dumps(each))


def test_what_json_does_not_write_is_refused_at_once() -> None:
    with pytest.raises(TypeError):
        capture("events", {"data": {1, 2}})
