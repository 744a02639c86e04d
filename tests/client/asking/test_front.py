"""A publisher behind a front that answers for its server: only the server decides about messages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.publishers import TIMEOUT_S, Connect, append, xs
from tests.fuzz.values import VALUES, examples, text_of
from tests.support.front import Front, Reply, Request, page, passes
from tests.support.local import LocalServer
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer
from tests.support.wait import during, until
from visdom_transport.client import sender
from visdom_transport.client.asking import outage
from visdom_transport.client.messages import request_size
from visdom_transport.core.signature import SERVER_HEADER

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

Serve = Callable[..., LocalServer]

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=UTF-8"}
APPLIED = {"server": "0123456789abcdef", "applied": 1, "durable": 1, "refused": []}


def said(reply: dict[str, Any], headers: dict[str, str] = JSON, **more: Any) -> Reply:
    return Reply(200, headers, json.dumps(reply | more).encode())


WAYS = {
    **{
        f"{status} with a page": page(status) for status in (400, 401, 403, 404, 405, 407, 409, 413, 418, 451, 500, 501, 511, 530)
    },
    **{f"{status} with a page (not now)": page(status, Retry_After="0") for status in (408, 425, 429, 502, 503, 504)},
    "500 with nothing": Reply(500, HTML),
    "400 with nothing": Reply(400, HTML),
    "401 with nothing": Reply(401, {**HTML, "WWW-Authenticate": "Basic"}),
    "a login page": page(200, "Sign in"),
    "a redirect to a login page": Reply(302, {"Location": "/__login?next=/transport/publish"}),
    "a redirect to a page of the same name": Reply(303, {"Location": "/transport/publish"}),
    "a redirect to nowhere": Reply(308, {"Location": "http://[::1"}),
    "a redirect to itself": Reply(307, {"Location": "/transport/publish"}),
    "200 with nothing": Reply(200, HTML),
    "204": Reply(204),
    "304": Reply(304),
    "the JSON of others": said({"status": "ok"}),
    "an error of others": Reply(403, JSON, b'{"error": {"code": 403, "message": "Forbidden"}}'),
    "a JSON list": Reply(200, JSON, b"[]"),
    "true": Reply(200, HTML, b"true"),
    "false": Reply(200, HTML, b"false"),
    "the id of the window": Reply(200, HTML, b"loss"),
    "a reply that is cut": Reply(200, JSON, json.dumps(APPLIED).encode()[:-9]),
    "a reply that ends early": Reply(200, JSON, json.dumps(APPLIED).encode()[:-9], length=500),
    "a reply that is called HTML": said(APPLIED, HTML),
    "a reply that is signed by another": said(APPLIED, JSON | {SERVER_HEADER: "fedcba9876543210"}),
    "a reply of nobody": said(APPLIED, server=""),
    "more than was ever sent": said(APPLIED, applied=10**9, durable=10**9),
    "less than nothing": said(APPLIED, applied=-1),
    "numbers as text": said(APPLIED, applied="1", durable="1"),
    "refusals that are none": said(APPLIED, refused=[{"number": 1}]),
    "gzip that is none": Reply(200, JSON | {"Content-Encoding": "gzip"}, json.dumps(APPLIED).encode()),
}
"""What fronts say in the place of a server."""

SOME_WAYS = (
    *("400 with nothing", "401 with nothing", "404 with a page", "413 with a page", "500 with a page", "500 with nothing"),
    *("503 with a page (not now)", "a login page", "a redirect to a login page", "200 with nothing", "204", "true", "false"),
    *("the JSON of others", "a JSON list", "gzip that is none"),
)
"""Those that Visdom's own endpoints might say something like."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers try again soon."""
    monkeypatch.setattr(outage, "MAX_BACKOFF_S", 0.1)
    monkeypatch.setattr(sender, "INTERVAL_S", 0.02)


@pytest.fixture
def front(server: LocalServer) -> Iterator[Front]:
    """Before a server of ours, which is as one of an older version: its signature does not get through."""
    with Front(server.port, hides=[SERVER_HEADER]) as front:
        yield front


def answer_for_a_while(front: Front, *replies: Reply, times: int = 3) -> None:
    """Let the front answer for the server until it has been asked a few times."""
    count = len(front.seen)
    front.behave = lambda _: replies[len(front.seen) % len(replies)]
    until(lambda: len(front.seen) >= count + times, "the publisher asks again", seen=lambda: front.seen[-1:])
    front.behave = passes


# --- nothing is lost ---


def test_nothing_is_lost_or_doubled_whatever_a_front_says(
    front: Front, server: LocalServer, connect: Connect, records: Records
) -> None:
    records.ignore("visdom_transport.client")
    vis = connect(front.port, env="e")
    points = 0
    for name, way in WAYS.items():
        for x in range(points, points + 3):
            append(vis, x)
        answer_for_a_while(front, way)
        append(vis, points + 3)
        points += 4
        assert vis.flush(TIMEOUT_S), (name, vis.counters)
        assert xs(server.windows("e")) == [*range(points)], name
        counters = vis.counters
        assert (counters.dropped, counters.refused) == (0, 0), name


CONTENTS = st.one_of(
    st.binary(max_size=40),
    VALUES.map(text_of).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"", b"true", b"false", b"loss", b"[]", b"{}", b"win does not exist", b"<html>", b'{"messages": []}']),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from([*JSON.values(), *HTML.values(), "text/plain", "x", "text/html; charset=nonsense"]),
        "Location": st.sampled_from(
            ["/", "/transport/publish", "//nowhere.invalid/", "https://[", "ftp://x/transport/publish", ""]
        ),
        "Retry-After": st.sampled_from(["0", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "identity", "x"]),
        "Set-Cookie": st.just("a=b"),
        SERVER_HEADER: st.just("fedcba9876543210"),
    },
)
REPLIES = st.builds(Reply, st.integers(200, 599), HEADERS, CONTENTS)


def test_no_answer_that_is_not_the_servers_decides_about_a_message(
    server: LocalServer, connect: Connect, records: Records
) -> None:
    records.ignore("visdom_transport.client")
    points = 0
    with Front(server.port) as front:
        vis = connect(front.port, env="e")

        @examples(25)
        @given(st.lists(REPLIES, min_size=1, max_size=3))
        def check(replies: list[Reply]) -> None:
            nonlocal points
            append(vis, points)
            points += 1
            answer_for_a_while(front, *replies)
            assert vis.flush(TIMEOUT_S)
            assert xs(server.windows("e")) == [*range(points)]
            assert (vis.counters.dropped, vis.counters.refused) == (0, 0)

        check()


def test_the_log_says_once_what_answered_and_no_secrets(
    server: LocalServer, connect: Connect, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    records.expect("something else answers in its place: 403 text/html titled 'Please sign in'")
    records.expect("is back after")
    with Front(server.port) as front:
        vis = connect(front.port, env="e")
        append(vis, 0)
        assert vis.flush(TIMEOUT_S)
        append(vis, 1)
        answer_for_a_while(front, page(403, "Please\n <b>sign</b> in", Set_Cookie="id=secret-in-a-cookie"), times=8)
        assert vis.flush(TIMEOUT_S)
    assert len(caplog.records) == 2
    assert "secret" not in caplog.text


def test_another_cause_in_the_same_outage_is_told_too(server: LocalServer, connect: Connect, records: Records) -> None:
    for expected in ("502 text/html titled 'Bad Gateway'", "200 text/html titled 'Sign in'", "is back after"):
        records.expect(expected)
    with Front(server.port) as front:
        vis = connect(front.port, env="e")
        append(vis, 0)
        answer_for_a_while(front, page(502, "Bad Gateway"))
        front.behave = lambda _: page(200, "Sign in")
        count = len(front.seen)
        until(lambda: len(front.seen) > count + 2, "it is asked again")
        front.behave = passes
        assert vis.flush(TIMEOUT_S)


def test_a_front_is_not_asked_before_it_says_so(front: Front, connect: Connect, records: Records) -> None:
    records.ignore("visdom_transport.client")
    times: list[float] = []

    def not_yet(request: Request) -> Reply | None:
        if request.path != "/env/e":  # by the thread that sends: other threads ask for themselves
            return None
        times.append(time.monotonic())
        return page(429, Retry_After="1") if len(times) < 3 else None

    front.behave = not_yet
    vis = connect(front.port, env="e")
    append(vis, 0)
    assert vis.flush(TIMEOUT_S)
    assert all(later - earlier >= 1 for earlier, later in pairwise(times)), times


def test_a_login_is_tried_again_when_a_front_was_in_its_way(serve: Serve, connect: Connect, records: Records) -> None:
    records.ignore("visdom_transport.client|40[01] POST")
    server = serve(login=ADA)
    with Front(server.port) as front:
        for way in (page(200, "Sign in", Set_Cookie="sso=1"), page(403), Reply(400, HTML), Reply(500, HTML)):
            vis = connect(front.port, env="e", username=ADA.username, password=ADA.password)
            append(vis, 0, win=str(way.status))
            answer_for_a_while(front, way)
            assert vis.flush(TIMEOUT_S), way
            assert xs(server.windows("e"), str(way.status)) == [0]


# --- sizes ---


def test_smaller_requests_for_a_front_that_takes_no_larger_ones(
    server: LocalServer, connect: Connect, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    records.expect("takes no message of .* bytes")
    with Front(server.port) as front:
        front.behave = lambda request: page(413) if len(request.body) > 1_000 else None
        vis = connect(front.port)
        for number in range(20):
            vis.text("x" * 100, win=f"w{number}")
        vis.text("x" * 2_000, win="large")
        vis.text("last", win="last")
        assert vis.flush(TIMEOUT_S)
        assert sorted(server.windows()) == sorted([*(f"w{number}" for number in range(20)), "last"])
        assert vis.counters.refused == 1
        tries = [request for request in front.seen if b"x" * 2_000 in request.body]
        assert len(tries) >= request_size.TOO_LARGE_TIMES
        assert vis.finish(TIMEOUT_S)
    assert len([record for record in caplog.records if "refused" in record.getMessage()]) == 1


def test_what_refuses_everything_for_its_size_has_no_limit(
    front: Front, server: LocalServer, connect: Connect, records: Records
) -> None:
    records.ignore("visdom_transport.client")
    vis = connect(front.port)
    for number in range(5):
        vis.text("x" * 100, win=f"w{number}")
    answer_for_a_while(front, page(413), times=12)
    assert vis.flush(TIMEOUT_S)
    assert sorted(server.windows()) == [f"w{number}" for number in range(5)]
    assert (vis.counters.refused, vis._sender._outbox.batch_bytes if vis._sender else 0) == (0, 500_000)


# --- redirects ---


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_server_that_was_moved_is_followed_there(status: int, serve: Serve, connect: Connect, records: Records) -> None:
    server = serve(base_url="/vis")
    records.expect(rf"is redirected \({status}\) to http://127.0.0.1:{server.port}/vis. Requests go there; use that address")
    with Front(server.port) as front:
        front.behave = lambda request: Reply(status, {"Location": server.url(request.path)})
        vis = connect(front.port, env="e")
        for x in range(5):
            append(vis, x)
            assert vis.flush(TIMEOUT_S)
        assert xs(server.windows("e")) == [*range(5)]
        assert len(front.seen) <= 2, "the thread that sends and the one that asks remember it"
        assert xs({"loss": json.loads(vis.get_window_data("loss"))}) == [*range(5)]
        assert vis.win_exists("loss")


def test_a_redirect_is_forgotten_with_the_connection(
    server: LocalServer, serve: Serve, connect: Connect, records: Records
) -> None:
    records.ignore("visdom_transport.client")
    other = serve()
    with Front(server.port) as first, Front(other.port) as second:
        first.behave = lambda request: Reply(307, {"Location": f"http://127.0.0.1:{second.port}{request.path}"})
        vis = connect(first.port, env="e")
        append(vis, 0)
        assert vis.flush(TIMEOUT_S)
        assert xs(other.windows("e")) == [0]
        first.behave = passes
        second.behave = lambda _: page(404)
        append(vis, 1)
        assert vis.flush(TIMEOUT_S)
        assert 1 in xs(server.windows("e"))


def test_a_login_is_not_taken_to_another_host(serve: Serve, connect: Connect, records: Records) -> None:
    server = serve(login=ADA)
    records.expect(f"302 redirects to http://localhost:{server.port}, where the login is not sent; use that address")
    records.expect("is back after")
    with Front(server.port) as front:
        front.behave = lambda request: Reply(302, {"Location": f"http://localhost:{server.port}{request.path}"})
        vis = connect(front.port, env="e", username=ADA.username, password=ADA.password)
        append(vis, 0)
        until(lambda: vis._sender is not None and vis._sender._outage.failures >= 3, "it gives up")
        assert "e" not in server.app.state
        assert all(request.path == "/" for request in front.seen)
        front.behave = passes
        assert vis.flush(TIMEOUT_S)


# --- a Visdom without this package ---


def test_one_odd_answer_does_not_make_a_server_one_without_the_package(
    front: Front, server: LocalServer, connect: Connect, records: Records
) -> None:
    """The front blocks one path, or answers every other request: what gets through is not what a plain Visdom would say."""
    records.ignore("cannot be reached|is back after")
    vis = connect(front.port, env="e")
    append(vis, 0)
    assert vis.flush(TIMEOUT_S)
    for status in (404, 405, 500):
        for blocked in (r"/transport/", r"/(transport|env_state)", r"/(transport|update)", r"/(transport|win_exists)"):
            append(vis, 1)
            front.behave = lambda request: page(status) if re.match(blocked, request.path) else None  # noqa: B023
            count = len(front.seen)
            until(lambda: len(front.seen) >= count + 3, "it is asked")  # noqa: B023
            front.behave = passes
            assert vis.flush(TIMEOUT_S)
    assert {request.path for request in front.passed if request.path in ("/events", "/close", "/embedding")} == set()
    assert xs(server.windows("e")) == [0, *[1] * 12]
    assert vis.counters.refused == 0


def test_a_plain_visdom_behind_a_front(tmp_path: Any, connect: Connect, records: Records) -> None:
    records.ignore("visdom_transport.client")
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock, Front(stock.port) as front:
        vis = connect(front.port, env="e")
        for points, name in enumerate(SOME_WAYS, 1):
            way = WAYS[name]
            append(vis, points)
            vis.text("t", win="t")
            vis.close("t")
            answer_for_a_while(front, way)
            assert vis.flush(TIMEOUT_S), (name, vis.counters)
            windows = json.loads(vis.get_window_data())
            assert (xs(windows), list(windows)) == ([*range(1, points + 1)], ["loss"]), name
            assert (vis.counters.dropped, vis.counters.refused) == (0, 0), name


def test_what_a_plain_visdom_refuses_is_counted_and_the_rest_goes_on(tmp_path: Any, connect: Connect, records: Records) -> None:
    for expected in (
        "has no visdom-transport",
        "for window 'bad'",
        "win does not exist",
        "win is not scatter",
        "for window 'points'",
    ):
        records.expect(expected)
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock, Front(stock.port) as front:
        vis = connect(front.port, env="e")
        vis._send({"data": [], "win": "bad"})
        vis.bar(X=[1, 2], win="bar")
        vis._send({"data": [{"type": "scatter", "x": [1], "y": [1]}], "win": "none", "opts": {}, "layout": {}}, endpoint="update")
        vis._send({"data": [{"type": "bar", "x": [1], "y": [1]}], "win": "bar", "opts": {}, "append": True}, endpoint="update")
        vis._send({"type": "embedding", "x": 1, "y": 0, "win": "points"}, endpoint="embedding")
        vis.text("t", win="t")
        assert vis.flush(TIMEOUT_S)
        assert sorted(json.loads(vis.get_window_data())) == ["bar", "t"]
        assert vis.counters.refused == 4
        vis.set_window_data(vis.get_window_data("t"), win="copy")
        vis.text("more", win="copy", append=True)
        assert vis.flush(TIMEOUT_S)
        assert json.loads(vis.get_window_data("copy"))["content"] == "t<br>more"
        vis.close()
        assert vis.flush(TIMEOUT_S)
        assert json.loads(vis.get_window_data()) == {}


def test_a_plain_visdom_that_gets_the_package_is_given_whole_batches(
    tmp_path: Any, serve: Serve, connect: Connect, records: Records
) -> None:
    records.expect("has no visdom-transport")
    records.ignore("cannot be reached|is back after")
    server = serve(settings={"journal_interval_s": 0.05})
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock, Front(stock.port) as front:
        vis = connect(front.port, env="e")
        append(vis, 0)
        assert vis.flush(TIMEOUT_S)
        front._backend = server.port
        append(vis, 1)
        assert vis.flush(TIMEOUT_S)
        append(vis, 2)
        assert vis.flush(TIMEOUT_S, durable=True)
        front.passed.clear()
        append(vis, 3)
        assert vis.flush(TIMEOUT_S, durable=True)
        assert {request.path for request in front.passed} == {"/transport/publish"}
        during(0.1, lambda: vis.counters.refused == 0, "nothing is refused")
