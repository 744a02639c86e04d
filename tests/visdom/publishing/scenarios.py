"""What clients and scripts say to a server: every kind of window, and whatever is done with windows and environments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.flavour import NEW_VISDOM
from tests.visdom.publishing.recorder import Recorder

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
