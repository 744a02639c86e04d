"""Whatever Visdom's client says to a stock server, it may say to ours: the same replies, the same state afterwards.

Every scenario is performed by the client of the installed Visdom against a stock server of that Visdom, and what it said is said
again to ours. Content ids aside, replies and state must be the same. `EXCEPTIONS` lists where they are not meant to be.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from visdom import Visdom

from tests.support.flavour import NEW_VISDOM
from tests.support.server import WITHOUT_PAGE, VisdomServer

FAILED, REFUSED, NOT_FOUND = 500, 400, 404


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


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("stock"), program=WITHOUT_PAGE, stock=True) as server:
        assert "sessions" not in server.get("/transport/status").text, "this is not stock Visdom"
        yield server


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path_factory.mktemp("ours"), program=WITHOUT_PAGE) as server:
        assert server.status()["sessions"] == []
        yield server


Scenario = Callable[[Recorder], object]
SCENARIOS: dict[str, Scenario] = {}


def scenario(perform: Scenario) -> Scenario:
    SCENARIOS[perform.__name__] = perform
    return perform


RANDOM = np.random.default_rng(7)
IMAGE = RANDOM.integers(0, 255, (3, 8, 8)).astype(np.uint8)
POINTS = RANDOM.normal(size=(20, 2))


# --- every kind of window ---


@scenario
def text(vis: Recorder) -> None:
    vis.text("hello", win="t", opts={"title": "Hello", "width": 200})
    vis.text("more", win="t", append=True)
    vis.text("nothing to append to", win="missing", append=True)
    vis.text("näme \u2028 </script> \U0001f600 1e-05", win="t")
    vis.text("without a name")


@scenario
def lines(vis: Recorder) -> None:
    vis.line(Y=[1, 2, 3], win="l", name="a", opts={"title": "loss", "showlegend": True, "legend": ["a"]})
    vis.line(X=[3], Y=[4], win="l", name="a", update="append")
    vis.line(X=[0, 1], Y=[9, 8], win="l", name="b", update="append")
    vis.line(X=[0, 1], Y=[7.5e-5, 1e-9], win="l", name="b", update="replace")
    vis.line(X=None, Y=None, win="l", name="a", update="remove")
    vis.line(X=np.column_stack(([1, 2, 3],) * 2), Y=RANDOM.normal(size=(3, 2)), win="two", opts={"legend": ["one", "two"]})
    vis.line(X=[4], Y=[[5, 6]], win="two", update="append")
    vis.line(X=[1], Y=[2], win="new", update="append")
    vis.line(Y=[1, 2, 3], win="area", opts={"fillarea": True, "markers": True, "dash": np.array(["dash"])})


@scenario
def scatters(vis: Recorder) -> None:
    labels = RANDOM.integers(1, 3, 20)
    vis.scatter(X=POINTS, Y=labels, win="s", opts={"legend": ["x", "y"], "markersize": 5})
    vis.scatter(X=POINTS[:3], win="s", name="third", update="append")
    vis.scatter(X=POINTS[:3], win="s", name="third", update="append", opts={"markercolor": np.array([[1, 2, 3]])})
    vis.scatter(X=RANDOM.normal(size=(5, 3)), win="3d", opts={"webgl": True})
    vis.scatter(X=POINTS, win="text", opts={"textlabels": [f"p{n}" for n in range(20)]})


@scenario
def heatmaps(vis: Recorder) -> None:
    vis.heatmap(X=np.outer([1, 2], [1, 2, 3]), win="h", opts={"columnnames": list("abc"), "rownames": list("xy")})
    vis.heatmap(X=np.ones((1, 3)), win="h", update="appendRow", opts={"rownames": ["z"]})
    vis.heatmap(X=np.ones((1, 3)), win="h", update="prependRow", opts={"rownames": ["w"]})
    vis.heatmap(X=np.ones((4, 1)), win="h", update="appendColumn", opts={"columnnames": ["d"]})
    vis.heatmap(X=np.ones((4, 1)), win="h", update="prependColumn", opts={"columnnames": ["0"]})
    vis.heatmap(X=np.zeros((2, 2)), win="h", update="replace")
    vis.heatmap(X=np.zeros((2, 2)), win="h", update="remove")
    vis.heatmap(X=np.ones((1, 9)), win="h", update="appendRow", opts={"rownames": ["misfit"]})


@scenario
def other_plots(vis: Recorder) -> None:
    vis.bar(X=[1, 2, 3], win="bar", opts={"rownames": list("abc"), "stacked": False})
    vis.bar(X=RANDOM.random((3, 2)), opts={"stacked": True, "legend": ["m", "n"]})
    vis.histogram(X=RANDOM.random(50), opts={"numbins": 5})
    vis.boxplot(X=RANDOM.random((20, 2)), opts={"legend": ["m", "n"]})
    vis.surf(X=np.outer([1, 2, 3], [1, 2, 3]), opts={"colormap": "Hot"})
    vis.contour(X=np.outer([1, 2, 3], [1, 2, 3]))
    vis.quiver(X=np.ones((3, 3)), Y=np.ones((3, 3)), opts={"normalize": 0.9})
    vis.stem(X=[1.0, 2.0, 3.0], Y=[1.0, 2.0, 3.0])
    vis.pie(X=[1, 2, 3], opts={"legend": list("abc")})
    vis.mesh(X=RANDOM.random((6, 3)))
    vis.dual_axis_lines(X=[1, 2], Y1=[3, 4], Y2=[5, 6])
    vis.sunburst(labels=["a", "b"], parents=["", "a"])


@scenario
def plots_of_030(vis: Recorder) -> None:
    if not NEW_VISDOM:
        return
    vis.histogram2d(X=POINTS[:, 0], Y=POINTS[:, 1])
    vis.violin(X=RANDOM.random((20, 2)))
    vis.table(headers=["a", "b"], data=[[1, 2], [3, 4]])
    vis.sankey(source=[0, 1], target=[1, 2], value=[3, 4], labels=list("abc"))
    vis.parallel_coordinates(X=RANDOM.random((5, 3)))
    vis.roc_curve(np.array([0, 1, 1, 0]), np.array([0.1, 0.8, 0.6, 0.3]))
    vis.confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]))


@scenario
def graphs(vis: Recorder) -> None:
    vis.raw("/events", network({"nodes": [{"name": "a"}, {"name": "b"}], "edges": [{"source": 0, "target": 1}]}))
    vis.raw("/events", network({"nodes": [], "edges": []}))


def network(content: Any) -> Any:
    return {"data": [{"type": "network", "content": content}], "win": "n", "opts": {"directed": True}}


@scenario
def images(vis: Recorder) -> None:
    vis.image(IMAGE, win="i", opts={"caption": "one", "jpgquality": 50})
    vis.image(IMAGE[::-1], win="i")
    vis.images(np.stack([IMAGE, IMAGE]), nrow=1)
    vis.image(IMAGE, win="history", opts={"store_history": True, "caption": "1"})
    vis.image(IMAGE[::-1], win="history", opts={"store_history": True, "caption": "2"})
    for number in range(5):
        vis.image(IMAGE + number, win="history", opts={"store_history": True, "caption": str(number)})
    if NEW_VISDOM:
        vis.update_image_slider("history", 1)


@scenario
def properties(vis: Recorder) -> None:
    rows = [
        {"type": "text", "name": "a", "value": "x"},
        {"type": "number", "name": "b", "value": "12"},
        {"type": "checkbox", "name": "c", "value": True},
        {"type": "select", "name": "d", "value": 1, "values": ["r", "g"]},
        {"type": "button", "name": "e", "value": "go"},
    ]
    vis.properties(rows, win="p")
    vis.properties(rows[:2], win="p")


@scenario
def embeddings(vis: Recorder) -> None:
    points = [{"group": 1, "name": str(n), "label": "l", "position": [n, n], "idx": n} for n in range(4)]
    content = {"content": {"data": points}, "type": "embeddings"}
    vis.raw("/events", {"win": "e", "eid": vis.env, "data": [content], "opts": {"title": "embeddings"}})
    selected = {"data": {"update_type": "EntitySelected", "selected": {"html": "<b>1</b>"}}, "win": "e", "eid": vis.env}
    vis.raw("/update", {**selected, "append": True})
    region = {"data": {"update_type": "RegionSelected", "points": points[:2]}, "win": "e", "eid": vis.env}
    vis.raw("/update", {**region, "append": True})


# --- what the client does with windows and environments ---


@scenario
def window_data(vis: Recorder) -> None:
    vis.text("one", win="a")
    vis.text("two", win="b")
    everything = json.loads(vis.get_window_data())
    vis.set_window_data(json.dumps({**everything["a"], "content": "set"}), win="a")
    vis.get_window_data(win="a")
    vis.set_window_data(json.dumps({"only": {**everything["b"], "id": "only"}}))
    vis.get_window_data()
    vis.set_window_data(json.dumps({}), env=f"{vis.env}_made")
    vis.win_exists("only")
    vis.win_exists("missing")
    vis.win_exists("only", env=f"{vis.env}_none")


@scenario
def closing(vis: Recorder) -> None:
    for win in "abc":
        vis.text(win, win=win)
    vis.close("b")
    vis.close("missing")
    vis.text("b again", win="b")
    vis.close()
    vis.text("first again", win="a")


@scenario
def environments(vis: Recorder) -> None:
    env = vis.env
    vis.text("one", win="a")
    vis.text("elsewhere", win="a", env=f"{env}_2")
    vis.save([env, f"{env}_2", f"{env}_none"])
    vis.fork_env(env, f"{env}_fork")
    vis.text("only in the fork", win="a", env=f"{env}_fork")
    vis.fork_env(env, f"{env}_2")
    vis.delete_env(f"{env}_2")
    vis.text("slashes", win="a", env=f"{env}/deep")
    vis.raw("/env_state", {})
    vis.raw(f"/env/{env}_posted", {"eid": f"{env}_posted"})
    vis.raw(f"/env/{env}", {"sid": "nobody"})
    vis.raw("/env_state", {})


@scenario
def index_after_closes(vis: Recorder) -> None:
    for win in "abcd":
        vis.text(win, win=win)
    vis.close("a")
    vis.text("e", win="e")
    vis.text("a again", win="a")
    vis.text("d again", win="d")


@scenario
def options_and_layouts(vis: Recorder) -> None:
    vis.line(Y=[1, 2], win="l", opts={"title": "one"})
    vis.update_window_opts("l", opts={"title": "two", "xlabel": "steps", "ytickmin": 0, "width": 300})
    vis.raw("/update", {"win": "l", "eid": vis.env, "layout": {"title": "three", "showlegend": None}, "opts": {}})
    vis.raw("/events", {"win": "l", "eid": vis.env, "data": [{"type": "scatter", "x": [], "y": []}], "layout": {}})


# --- what only scripts say ---


@scenario
def requests_to_nobody(vis: Recorder) -> None:
    none = f"{vis.env}_none"
    vis.raw("/update", {"win": "missing", "eid": vis.env, "data": [{"content": "x"}]})
    vis.raw("/close", {"win": "a", "eid": none})
    vis.raw("/win_data", {"win": None, "eid": none})
    vis.raw("/win_data", {"win": "missing", "eid": vis.env})
    vis.raw("/fork_env", {"prev_eid": none, "eid": "x"})
    vis.raw("/save", {"data": []})
    vis.raw("/compare/a+b", {"sid": "nobody"})


@scenario
def missing_windows(vis: Recorder) -> None:
    vis.text("there", win="there")
    look_for(vis, "missing", vis.env)
    if not NEW_VISDOM:
        vis.win_hash("missing")
    vis.update_window_opts("missing", opts={"title": "of nothing"})
    vis.line(X=[1], Y=[2], win="missing", update="replace")
    vis.line(X=[1], Y=[2], win="missing 2", name="a", update="append")
    vis.line(X=None, Y=None, win="missing 3", name="a", update="remove")
    vis.heatmap(X=np.ones((1, 3)), win="missing 4", update="appendRow")
    vis.scatter(X=POINTS[:3], win="missing 5", name="a", update="replace")
    if NEW_VISDOM:
        vis.update_image_slider("missing", 1)
        vis.get_env_state(vis.env)
    vis.close("missing")
    look_for(vis, "there", vis.env)


@scenario
def missing_environments(vis: Recorder) -> None:
    none = f"{vis.env}_none"
    look_for(vis, "missing", none)
    vis.get_window_data(env=none)
    if not NEW_VISDOM:
        vis.win_hash("missing", env=none)
    vis.save([none])
    vis.fork_env(none, f"{none}_fork")
    vis.delete_env(none)
    vis.get_env_list()
    vis.close(env=none)
    vis.close("missing", env=none)
    vis.update_window_opts("missing", opts={"title": "of nothing"}, env=none)
    vis.line(X=[1], Y=[2], win="made", env=f"{none}_2", update="append")
    vis.get_env_list()


def look_for(vis: Recorder, win: str, env: str) -> None:
    vis.win_exists(win, env=env)
    vis.get_window_data(win=win, env=env)


@scenario
def malformed_requests(vis: Recorder) -> None:
    vis.text("one", win="a")
    for path in ("/events", "/update", "/close", "/win_data", "/win_exists", "/delete_env", "/env_state", "/fork_env", "/save"):
        vis.say(path, "not json")
        vis.say(path, "[]")
    vis.raw("/events", {"win": "a", "eid": vis.env})
    vis.raw("/events", {"win": "a", "eid": vis.env, "data": [{"type": "scatter"}]})
    vis.raw("/events", {"func": "lua", "data": [{"type": "text", "content": ""}]})
    vis.raw("/win_data", {"win": None, "eid": vis.env, "data": "not json"})
    vis.raw("/win_exists", {"eid": vis.env})
    vis.raw("/env/x", [])


@scenario
def odd_ids(vis: Recorder) -> None:
    vis.raw("/events", {"win": 5, "eid": vis.env, "data": [{"type": "text", "content": "five"}]})
    vis.raw("/events", {"win": "", "eid": vis.env, "data": [{"type": "text", "content": "empty"}]})
    vis.raw("/events", {"win": "a/b <c>", "eid": vis.env, "data": [{"type": "text", "content": "odd"}]})


@scenario
def window_set_without_index(vis: Recorder) -> None:
    window = {"command": "window", "id": "a", "type": "text", "content": "set", "title": ""}
    vis.raw("/win_data", {"win": "a", "eid": vis.env, "data": json.dumps(window)})
    vis.raw("/events", {"win": "a", "eid": vis.env, "data": [{"type": "text", "content": "replaced"}]})


@scenario
def deleting(vis: Recorder) -> None:
    vis.text("one", win="a")
    vis.raw("/delete_env", {"eid": vis.env})
    vis.raw("/delete_env", {"eid": vis.env})
    vis.raw("/delete_env", {"eid": f"{vis.env}_none"})


@dataclass(frozen=True)
class Otherwise:
    """Where ours answers otherwise. `state` says that the windows differ, too."""

    path: str
    stock: int
    ours: int
    why: str
    state: bool = False


#: By scenario. docs/equivalence.md has the same for people.
EXCEPTIONS: dict[str, list[Otherwise]] = {
    "requests_to_nobody": [Otherwise("/close", FAILED, 200, "closing what is not there is no error, whatever is not there")],
    "window_set_without_index": [
        Otherwise("/events", FAILED, 200, "a window that was set without an index can be replaced", state=True)
    ],
}
EXCEPTIONS["missing_environments"] = EXCEPTIONS["requests_to_nobody"]
EXCEPTIONS["malformed_requests"] = [Otherwise("/env/x", 200, REFUSED, "what is no object is refused everywhere")]
if not NEW_VISDOM:
    EXCEPTIONS["malformed_requests"].append(Otherwise("/env_state", 200, REFUSED, "likewise"))
    EXCEPTIONS["deleting"] = [
        Otherwise("/delete_env", FAILED, 200, "nothing is left to fail when an environment was never saved, or is not there")
    ]
    EXCEPTIONS["missing_environments"] = [
        *EXCEPTIONS["missing_environments"],
        *EXCEPTIONS["deleting"],
    ]


def differs(expected: Exchange, status: int, reply: str) -> str | None:
    """How an answer differs from the stock server's. The text of an error page does not matter, and where it fails on what it
    is given, a refusal that says what is wrong is as good."""
    if (expected.status, status) == (FAILED, REFUSED):
        error = json.loads(reply)["error"]
        return None if {"code", "message", "field"} <= error.keys() else f"{expected.path}: no error in {reply}"
    if (expected.status, status) == (FAILED, NOT_FOUND):
        return None if "no window" in reply or "no environment" in reply else f"{expected.path}: no reason in {reply}"
    if status != expected.status:
        return f"{expected.path} {expected.body[:200]}: stock {expected.status}, ours {status} {reply[:200]}"
    if status < 400 and without_content_ids(parsed(reply)) != without_content_ids(parsed(expected.reply)):
        return f"{expected.path} {expected.body[:200]}: stock {expected.reply[:300]!r}, ours {reply[:300]!r}"
    return None


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


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


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_replies_and_the_same_state(stock: VisdomServer, ours: VisdomServer, name: str) -> None:
    env = f"{name}_{uuid.uuid4().hex[:6]}"
    recorder = Recorder(stock, env)
    with warnings.catch_warnings(action="ignore"):
        SCENARIOS[name](recorder)
    recorder.session.close()
    assert len(recorder.exchanges) > 1 or (name.endswith("030") and not NEW_VISDOM), "the client said nothing"
    expected = {each.path: each for each in EXCEPTIONS.get(name, [])}
    met = set()
    for exchange in recorder.exchanges:
        answer = ours.http.post(ours.url(exchange.path), data=exchange.body.encode(), timeout=20)
        exception = expected.get(exchange.path)
        if exception and (exchange.status, answer.status_code) == (exception.stock, exception.ours):
            met.add(exchange.path)
            continue
        difference = differs(exchange, answer.status_code, answer.text)
        assert difference is None, difference
    assert met == set(expected), "an exception that does not happen any more"
    if not any(each.state for each in expected.values()):
        same_state(ours, stock, env)


def numbered(vis: Recorder, win: Any) -> list[object]:
    """What a program does that keeps its windows under numbers, and what it is answered."""
    answers = [
        vis.line(X=[1], Y=[1], win=win, update="append", opts={"title": "loss"}),
        vis.line(X=[2], Y=[4], win=win, update="append"),
        vis.line(X=[2], Y=[4], win=win, name="b", update="append"),
        vis.scatter(X=POINTS[:2], win=win, name="c", update="replace"),
        vis.win_exists(win),
        json.loads(vis.get_window_data(win=win))["content"],
        vis.update_window_opts(win, opts={"title": "two"}),
        vis.set_window_data(vis.get_window_data(win=win), win=win),
        vis.line(X=[3], Y=[9], win=win, name="b", update="append"),
        vis.line(X=None, Y=None, win=win, name="b", update="remove"),
        vis.close(win),
        vis.win_exists(win),
        vis.text("made", win=win),
        vis.text("and more", win=win, append=True),
        vis.close(win),
        vis.image(IMAGE, win=win, opts={"store_history": True}),
        vis.image(IMAGE[::-1], win=win, opts={"store_history": True}),
    ]
    return [*answers, vis.update_image_slider(win, 0)] if NEW_VISDOM else answers


@pytest.mark.parametrize("number", [2, 0, -1, 2.5])
def test_a_number_does_what_its_text_does_with_visdom(stock: VisdomServer, ours: VisdomServer, number: float) -> None:
    env = f"number_{uuid.uuid4().hex[:6]}"
    by_text, by_number = Recorder(stock, env), Recorder(ours, env)
    with warnings.catch_warnings(action="ignore"):
        assert without_content_ids(numbered(by_number, number)) == without_content_ids(numbered(by_text, str(number)))
    for each in (by_text, by_number):
        each.session.close()
    same_state(ours, stock, env)


LOOKING: dict[str, Callable[[Recorder, str], object]] = {
    "win_exists": lambda vis, env: vis.win_exists("missing", env=env),
    "get_window_data": lambda vis, env: vis.get_window_data(win="missing", env=env),
    "get_window_data of all": lambda vis, env: vis.get_window_data(env=f"{env}_none"),
    "fork_env": lambda vis, env: vis.fork_env(f"{env}_none", f"{env}_fork"),
    "delete_env": lambda vis, env: vis.delete_env(f"{env}_none"),
    "close": lambda vis, env: vis.close("missing", env=env),
    "close all": lambda vis, env: vis.close(env=env),
    "save": lambda vis, env: vis.save([f"{env}_none"]),
    "update": lambda vis, env: vis.update_window_opts("missing", opts={"title": "of nothing"}, env=env),
    "append text": lambda vis, env: vis.text("to nothing", win="missing", env=env, append=True),
    "append": lambda vis, env: vis.line(X=[1], Y=[2], win="made", env=env, update="append"),
    "replace": lambda vis, env: vis.line(X=[1], Y=[2], win="missing", env=env, update="replace"),
    "a refused update": lambda vis, env: vis.raw("/update", {"win": "t", "eid": env, "data": [{"type": "scatter"}]}),
}
if NEW_VISDOM:
    LOOKING["get_env_state"] = lambda vis, env: vis.get_env_state(f"{env}_none")
    LOOKING["finish_experiment"] = lambda vis, env: vis.finish_experiment(status="no status", env=env)
else:
    LOOKING["win_hash"] = lambda vis, env: vis.win_hash("missing", env=env)


@pytest.mark.parametrize("suffix", ["", "_missing"])
@pytest.mark.parametrize("name", LOOKING)
def test_what_a_program_gets_for_what_is_not_there(stock: VisdomServer, ours: VisdomServer, name: str, suffix: str) -> None:
    """What stock answers, or what is false where stock fails or refuses: programs test it with `if`."""
    eid = f"look_{uuid.uuid4().hex[:6]}"
    answers = []
    for server in (stock, ours):
        recorder = Recorder(server, eid)
        recorder.text("there", win="t")
        server.http.headers["Accept"] = "*/*"  # as Visdom's client asks
        try:
            with warnings.catch_warnings(action="ignore"):
                answers.append(LOOKING[name](recorder, f"{eid}{suffix}"))
        finally:
            server.http.headers["Accept"] = "application/json"
            recorder.session.close()
        if server is stock and recorder.exchanges[-1].status >= REFUSED:
            answers[0] = None
    expected, got = answers
    assert got == expected or (not got and expected is None), answers


def test_saved_environments_are_the_same_on_disk(stock: VisdomServer, ours: VisdomServer) -> None:
    env = f"disk_{uuid.uuid4().hex[:6]}"
    recorder = Recorder(stock, env)
    recorder.text("one", win="a")
    recorder.line(Y=[1, 2], win="l")
    recorder.save([env])
    recorder.session.close()
    for exchange in recorder.exchanges:
        ours.http.post(ours.url(exchange.path), data=exchange.body, timeout=20).raise_for_status()
    files = [json.loads((server.directory / "envs" / f"{env}.json").read_text()) for server in (stock, ours)]
    del files[1]["transport"]
    assert without_content_ids(files[0]) == without_content_ids(files[1])
