"""`POST /embedding` on a real server: what is refused, what is made, and what a subscriber gets."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnSocket
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.stock_peers import StockSocket

Serve = Callable[..., LocalServer]
Point = dict[str, Any]


def points(count: int, first: int = 0, clusters: int = 3) -> list[Point]:
    """Points whose x is their number."""
    return [{"x": n, "y": -n, "cluster": n % clusters, "predicted": n % 2} for n in range(first, first + count)]


def batch(*given: Point, **members: Any) -> dict[str, Any]:
    return {"type": "embedding_batch", "points": list(given), **members}


def send(server: LocalServer, body: Any) -> str:
    answer = server.post("/embedding", body)
    assert answer.status_code == 200, answer.text
    return answer.text


def refusal(answer: requests.Response) -> tuple[int, str]:
    """Status and field of a refusal, which must have a message too."""
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json()["error"]
    assert error["code"] == "bad_field"
    assert error["message"]
    return answer.status_code, error["field"]


def held(window: dict[str, Any]) -> list[float]:
    """The x of all points in the order of arrival."""
    numbered = [
        (number, x)
        for trace in window["content"]["data"]
        for x, (number, _, _) in zip(trace["x"], trace["customdata"], strict=True)
    ]
    return [x for _, x in sorted(numbered)]


def legend(window: dict[str, Any]) -> list[str]:
    return [trace["name"] for trace in window["content"]["data"]]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "x": ({"type": "embedding", "x": "1", "y": 2}, "x"),
    "y": ({"type": "embedding", "x": 1}, "y"),
    "z": (batch(*points(3), {"x": 1, "y": 2, "z": 3}), "points[3].z"),
    "bool": (batch(*points(3), {"x": 1, "y": True}), "points[3].y"),
    "huge": (batch({"x": 1, "y": 10**400}), "points[0].y"),
    "cluster": (batch(*points(3), {"x": 1, "y": 2, "cluster": [1]}), "points[3].cluster"),
    "predicted": (batch({"x": 1, "y": 2, "predicted": {}}), "points[0].predicted"),
    "phase": (batch({"x": 1, "y": 2, "phase": "x" * 1000}), "points[0].phase"),
    "no object": (batch({"x": 1, "y": 2}, 5), "points[1]"),  # type: ignore[arg-type]
    "no list": ({"type": "embedding_batch", "points": {"x": 1}}, "points"),
    "too many": (batch(*points(4001)), "points"),
    "too many for the window": (batch(*points(4), opts={"max_points": 3}), "points"),
    "replace": (batch({"x": 1, "y": 2}, replace="yes"), "replace"),
    "type": ({"type": "points", "x": 1, "y": 2}, "type"),
    "win": (batch({"x": 1, "y": 2}, win=[5]), "win"),
    "eid": (batch({"x": 1, "y": 2}, eid=["main"]), "eid"),
    "opts": (batch({"x": 1, "y": 2}, opts="title"), "opts"),
    "title": (batch({"x": 1, "y": 2}, opts={"title": 5}), "opts.title"),
    "max_points": (batch({"x": 1, "y": 2}, opts={"max_points": 0}), "opts.max_points"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusal_names_the_field_and_changes_nothing(server: LocalServer, records: Records, name: str) -> None:
    body, field = BAD[name]
    records.expect("400 POST /embedding")
    assert refusal(server.post("/embedding", body)) == (400, field)
    assert server.windows() == {}
    send(server, batch(*points(5)))
    before = server.windows()
    assert refusal(server.post("/embedding", body)) == (400, field)
    assert server.windows() == before


@pytest.mark.parametrize("body", ["", "{", '{"type": "embedding", "x": 1, "y": 1', "[1]", "null", "5"])
def test_what_is_no_json_object(server: LocalServer, records: Records, body: str) -> None:
    records.expect("400 POST /embedding")
    assert refusal(server.http.post(server.url("/embedding"), data=body, timeout=10)) == (400, "body")
    assert server.windows() == {}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + 400 * "0"])
def test_what_python_writes_for_no_finite_number(server: LocalServer, records: Records, number: str) -> None:
    records.expect("400 POST /embedding")
    body = f'{{"type": "embedding_batch", "points": [{{"x": 1, "y": 2}}, {{"x": {number}, "y": 2}}]}}'
    answer = server.http.post(server.url("/embedding"), data=body, timeout=10)
    assert refusal(answer) == (400, "points[1].x")
    assert server.windows() == {}


def test_single_events_make_the_window_and_go_on(server: LocalServer) -> None:
    event = {"type": "embedding", "y": 2.5, "phase": "train", "cluster": "a", "predicted": "a"}
    for x in range(3):
        assert send(server, event | {"x": x}) == "embedding"
    window = server.windows()["embedding"]
    (trace,) = window["content"]["data"]
    assert (window["type"], window["title"]) == ("plot", "Embedding")
    assert (trace["type"], trace["x"], trace["y"], trace["name"]) == ("scatter", [0, 1, 2], [2.5] * 3, "a (3)")
    assert trace["customdata"] == [[n, "train", "a"] for n in range(3)]
    assert window["content"]["layout"]["legend"]["title"]["text"] == "100.0 % of 3 agree"


def test_three_dimensions(server: LocalServer, records: Records) -> None:
    records.expect("400 POST /embedding")
    send(server, {"type": "embedding", "x": 1, "y": 2, "z": 3})
    send(server, batch({"x": 4, "y": 5, "z": 6}))
    (trace,) = server.windows()["embedding"]["content"]["data"]
    assert (trace["type"], trace["x"], trace["y"], trace["z"]) == ("scatter3d", [1, 4], [2, 5], [3, 6])
    before = server.windows()
    assert refusal(server.post("/embedding", {"type": "embedding", "x": 1, "y": 2})) == (400, "z")
    assert refusal(server.post("/embedding", batch({"x": 1, "y": 2}))) == (400, "points[0].z")
    assert server.windows() == before
    send(server, batch({"x": 1, "y": 2}, replace=True))
    assert server.windows()["embedding"]["content"]["data"][0]["type"] == "scatter"


def test_window_environment_and_options(server: LocalServer) -> None:
    opts = {"title": "Digits", "max_points": 4, "width": 500}
    assert send(server, batch(*points(4), win="digits", eid="runs", opts=opts)) == "digits"
    assert server.windows() == {}
    window = server.windows("runs")["digits"]
    assert (window["title"], window["width"], window["max_points"]) == ("Digits", 500, 4)
    assert window["content"]["layout"]["title"] == "Digits"
    send(server, batch(*points(2, first=4), win="digits", eid="runs"))
    assert held(server.windows("runs")["digits"]) == [2, 3, 4, 5]
    send(server, batch(*points(1, first=6), win="digits", eid="runs", opts={"title": "More digits", "max_points": 2}))
    window = server.windows("runs")["digits"]
    assert (window["title"], window["max_points"], held(window)) == ("More digits", 2, [5, 6])
    send(server, batch(*points(4, first=7), win="digits", eid="runs", opts={"max_points": 100}))
    assert held(server.windows("runs")["digits"]) == [5, 6, 7, 8, 9, 10]


def test_title_that_is_null(server: LocalServer) -> None:
    send(server, batch(*points(1), opts={"title": None, "max_points": None}))
    assert server.windows()["embedding"]["title"] == "Embedding"


def test_bound_of_the_server(serve: Serve) -> None:
    server = serve(settings={"embedding_points": 5})
    send(server, batch(*points(5)))
    send(server, batch(*points(3, first=5)))
    assert held(server.windows()["embedding"]) == [3, 4, 5, 6, 7]


def test_bound_of_plots_is_not_an_embedding_s(serve: Serve) -> None:
    """`max_points` of the server is per trace and knows nothing of what belongs to a point."""
    server = serve(settings={"max_points": 2})
    send(server, batch(*points(9)))
    assert held(server.windows()["embedding"]) == list(range(9))
    answer = server.post("/update", {"win": "embedding", "eid": "main", "layout": {"title": "Digits"}, "opts": {}})
    assert answer.text == "embedding"
    send(server, batch(*points(9, first=9)))
    assert held(server.windows()["embedding"]) == list(range(18))


def test_a_window_that_is_none_of_ours(server: LocalServer, records: Records) -> None:
    records.expect("400 POST /embedding")
    server.plot("embedding", [1, 2, 3])
    before = server.windows()
    assert refusal(server.post("/embedding", batch(*points(3)))) == (400, "win")
    assert server.windows() == before


@pytest.mark.parametrize(
    "update",
    [
        {"data": [{"type": "scatter", "name": "0 (1)", "x": [1], "y": [1]}], "append": True},
        {"data": [{"type": "scatter", "x": [1], "y": [1]}], "name": "new"},
        {"data": [], "name": "0 (1)", "delete": True},
        {"opts": {"max_points": 1}},
    ],
    ids=["append", "new trace", "delete", "bound"],
)
def test_updates_of_plots_leave_the_points_alone(server: LocalServer, records: Records, update: dict[str, Any]) -> None:
    records.expect("400 POST /update")
    send(server, batch(*points(3)))
    before = server.windows()
    assert refusal(server.post("/update", {"win": "embedding", "eid": "main"} | update)) == (400, "win")
    assert server.windows() == before


def test_layout_can_be_changed_by_others(server: LocalServer) -> None:
    send(server, batch(*points(3)))
    layout = {"xaxis": {"title": "t-SNE 1"}, "legend": {"orientation": "h"}, "showlegend": False}
    answer = server.post(
        "/update", {"win": "embedding", "eid": "main", "layout": layout, "opts": {"title": "Mine", "legend": ["?"]}}
    )
    assert answer.text == "embedding"
    send(server, batch(*points(3, first=3)))
    window = server.windows()["embedding"]
    assert window["content"]["layout"]["xaxis"] == {"title": "t-SNE 1"}
    assert window["content"]["layout"]["legend"]["orientation"] == "h"
    assert legend(window) == ["0 (2)", "1 (2)", "2 (2)"]


def test_a_closed_window_begins_anew(server: LocalServer) -> None:
    send(server, batch(*points(3)))
    server.post("/close", {"win": "embedding", "eid": "main"})
    send(server, batch(*points(2)))
    assert held(server.windows()["embedding"]) == [0, 1]


# --- who watches ---


def test_subscriber_gets_a_point_for_the_price_of_a_point(server: LocalServer) -> None:
    send(server, batch(*points(4000)))
    with OwnSocket(server, "env/main") as client:
        client.converge()
        send(server, {"type": "embedding", "x": 0.5, "y": 0.5, "cluster": 1, "predicted": 1, "phase": "late"})
        (message,) = [each for each in client.converge() if each["type"] == "batch"]
        (entry,) = message["entries"]
        assert "delta" in entry
        assert len(str(message)) < 2000


@pytest.mark.parametrize("replace", [True, False])
def test_batch_is_one_entry(server: LocalServer, replace: bool) -> None:
    send(server, batch(*points(30)))
    with OwnSocket(server, "env/main") as client:
        client.converge()
        send(server, batch(*points(300, first=100), replace=replace))
        entries = [entry for each in client.converge() if each["type"] == "batch" for entry in each["entries"]]
        assert [entry["key"] for entry in entries] == ["embedding"]
        window = client.replicas.state("env/main")["embedding"]
        assert held(window) == [*([] if replace else range(30)), *range(100, 400)]
        assert sum(int(name.partition("(")[2][:-1]) for name in legend(window)) == len(held(window))


def test_late_subscriber_gets_the_newest_set_at_once(serve: Serve) -> None:
    server = serve(settings={"embedding_points": 50})
    for cycle in range(10):
        send(server, batch(*points(30, first=30 * cycle)))
    with OwnSocket(server, "env/main") as client:
        message = client.receive_type("batch")
        assert message["complete"]
        assert held(client.replicas.state("env/main")["embedding"]) == list(range(250, 300))
    with OwnSocket(server, "env/main") as refreshed:
        refreshed.receive_type("batch")
        assert refreshed.replicas.state("env/main") == server.windows()


def test_resumed_subscriber_gets_what_it_missed(server: LocalServer) -> None:
    send(server, batch(*points(3000)))
    with OwnSocket(server, "env/main") as client:
        client.converge()
    server.wait_sessions(1, link=None)
    for n in range(20):
        send(server, {"type": "embedding", "x": n, "y": n, "cluster": n % 4})
    with OwnSocket(server, replicas=client.replicas, session=client.welcome) as again:
        (message,) = [each for each in again.converge() if each["type"] == "batch"]
        assert len(str(message)) < 10_000


def test_stock_page_follows(server: LocalServer) -> None:
    send(server, batch(*points(10)))
    with StockSocket(server) as page:
        page.register()
        page.load("main")
        send(server, batch(*points(5), replace=True))
        windows = page.windows_until(lambda held: "embedding" in held, "the window comes")
        assert held(windows["embedding"]) == list(range(5))


# --- where ---


def test_base_url(serve: Serve, records: Records) -> None:
    records.expect("404 POST /embedding")
    server = serve(base_url="/vis")
    assert send(server, batch(*points(2))) == "embedding"
    assert requests.post(f"http://127.0.0.1:{server.port}/embedding", data="{}", timeout=10).status_code == 404


def test_login(serve: Serve, records: Records) -> None:
    records.expect(f"{401 if NEW_VISDOM else 400} POST /embedding")
    server = serve(login=ADA)
    answer = requests.post(server.url("/embedding"), json=batch(*points(2)), timeout=10)
    assert answer.status_code == (401 if NEW_VISDOM else 400)
    assert server.windows() == {}
    send(server, batch(*points(2)))
    assert held(server.windows()["embedding"]) == [0, 1]


def test_readonly_is_for_pages_as_with_visdom_s_other_posts(serve: Serve) -> None:
    server = serve(readonly=True)
    server.text("note", "published")
    send(server, batch(*points(2)))
    assert set(server.windows()) == {"note", "embedding"}


def test_saved_windows_go_on_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    server = serve(tmp_path / "kept")
    send(server, batch(*points(7), opts={"max_points": 8}))
    server.post("/save", {"data": ["main"]}).raise_for_status()
    server.stop()
    again = serve(tmp_path / "kept")
    send(again, batch(*points(3, first=7)))
    window = again.windows()["embedding"]
    assert held(window) == [2, 3, 4, 5, 6, 7, 8, 9]
    judged = [(each["cluster"], each["predicted"]) for each in points(8, first=2)]
    agree = sum(cluster == predicted for cluster, predicted in judged)
    assert window["content"]["layout"]["legend"]["title"]["text"] == f"{100 * agree / 8:.1f} % of 8 agree"


def test_a_producer_that_republishes_stays_at_the_bound(serve: Serve) -> None:
    server = serve(settings={"embedding_points": 600})
    for cycle in range(30):
        send(server, batch(*points(600, first=cycle)))
        assert len(held(server.windows()["embedding"])) == 600
    assert math.isclose(held(server.windows()["embedding"])[0], 29)
