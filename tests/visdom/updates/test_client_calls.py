"""What Visdom's own client sends, through Visdom's update and ours."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from visdom import Visdom

from tests.visdom.updates.oracle import Stock, apply_reference, written, written_content
from visdom_transport.visdom.updates import WindowBounds, apply_update, refusal_text

Call = Callable[[Visdom], Any]


def opts(**members: Any) -> dict[str, Any]:
    return {"title": "t", **members}


LINE: list[Call] = [
    lambda v: v.line([1, 2], [1, 2], win="w", opts=opts(legend=["a"], markers=True)),
    lambda v: v.line([3], [3], win="w", update="append"),
    lambda v: v.line([4], [4], win="w", update="append", opts=opts(legend=["a"], ytype="log")),
    lambda v: v.line([float("nan")], [5], win="w", update="append"),
    lambda v: v.line([1, 2], [1, 2], win="w", update="append", name="b"),
    lambda v: v.line([9, 8], [1, 2], win="w", update="replace", name="b"),
    lambda v: v.update_window_opts("w", opts(title="new", xlabel="x", ytick=False)),
    lambda v: v.line(None, None, win="w", update="remove", name="b"),
    lambda v: v.line([1, 2], [3, 4], win="w", update="replace"),
]
LINES: list[Call] = [
    lambda v: v.line(np.ones((3, 2)), np.ones((3, 2)), win="w", opts=opts(legend=["a", "b"])),
    lambda v: v.line(np.ones((1, 2)), np.ones((1, 2)), win="w", update="append"),
    lambda v: v.line(np.ones((1, 2)), np.ones(1), win="w", update="append", opts=opts(legend=["a", "b"])),
    lambda v: v.line([5.5], [1.5], win="w", update="append", name="a"),
]
SCATTER: list[Call] = [
    lambda v: v.scatter(np.arange(6).reshape(3, 2), [1, 1, 2], win="w", opts=opts(legend=["a", "b"])),
    lambda v: v.scatter(np.ones((2, 2)), win="w", name="a", update="append", opts={"markercolor": np.array([7])}),
    lambda v: v.scatter(
        np.ones((2, 2)), win="w", name="c", update="append", opts={"markercolor": np.array([[0, 0, 255], [1, 2, 3]])}
    ),
    lambda v: v.scatter(
        np.ones((2, 2)), win="w", name="c", update="append", opts={"markercolor": np.array([[0, 0, 255], [1, 2, 3]])}
    ),
    lambda v: v.scatter(np.ones((1, 2)), win="w", name="b", update="replace", opts={"textlabels": ["l"]}),
]
SPACE: list[Call] = [
    lambda v: v.scatter(np.ones((2, 3)), win="w", opts=opts()),
    lambda v: v.scatter(np.ones((2, 3)), win="w", name="1", update="append"),
    lambda v: v.scatter(np.ones((1, 3)), win="w", name="1", update="replace"),
]
HEATMAP: list[Call] = [
    lambda v: v.heatmap(np.ones((2, 2)), win="w", opts=opts(columnnames=["a", "b"], rownames=["k", "l"])),
    lambda v: v.heatmap(np.ones((1, 2)), win="w", update="appendRow", opts={"rownames": ["m"], "colormap": "Jet"}),
    lambda v: v.heatmap(np.ones((1, 2)), win="w", update="prependRow", opts={"rownames": ["n"]}),
    lambda v: v.heatmap(np.ones((1, 2)), win="w", update="appendRow", opts={"rownames": ["n"]}),
    lambda v: v.heatmap(np.ones((1, 3)), win="w", update="appendRow", opts={"rownames": ["o"]}),
    lambda v: v.heatmap(np.ones((1, 2)), win="w", update="appendRow"),
    lambda v: v.heatmap(np.ones((4, 1)), win="w", update="appendColumn", opts={"columnnames": ["c"]}),
    lambda v: v.heatmap(np.zeros((4, 2)), win="w", update="prependColumn", opts={"columnnames": ["d", "e"]}),
    lambda v: v.heatmap(np.zeros((1, 1)), win="w", update="replace", opts={"xmin": 0.5}),
    lambda v: v.heatmap(None, win="w", update="remove"),
    lambda v: v.heatmap(np.ones((2, 2)), win="w", update="appendRow"),
]
TEXT: list[Call] = [
    lambda v: v.text("hello", win="w", opts=opts()),
    lambda v: v.text("<b>world</b>", win="w", append=True),
]
IMAGES: list[Call] = [
    lambda v: v.image(np.zeros((3, 2, 2)), win="w", opts=opts(store_history=True, caption="0")),
    *[lambda v: v.image(np.ones((3, 2, 2)), win="w", opts={"store_history": True, "caption": "n"})] * 6,
]
CALLS = {
    "line": LINE,
    "lines": LINES,
    "scatter": SCATTER,
    "scatter3d": SPACE,
    "heatmap": HEATMAP,
    "text": TEXT,
    "image history": IMAGES,
}


class Recorder(Visdom):  # type: ignore[misc]
    """A client that keeps what it would send; every window it asks for exists."""

    def __init__(self) -> None:
        super().__init__(send=False, use_incoming_socket=False)
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def win_exists(self, win: Any, env: Any = None) -> bool:
        return bool(self.sent)

    def _send(self, msg: dict[str, Any], endpoint: str = "events", *args: Any, **kwargs: Any) -> Any:
        if endpoint in ("events", "update"):
            self.sent.append((endpoint, json.loads(json.dumps(msg))))
        return msg.get("win")


@pytest.mark.parametrize("name", CALLS)
def test_the_state_is_the_same(stock: Stock, name: str) -> None:
    client = Recorder()
    for call in CALLS[name]:
        call(client)
    assert [endpoint for endpoint, _ in client.sent] == ["events"] + ["update"] * (len(CALLS[name]) - 1)
    window = stock.window(**client.sent[0][1])
    expected = copy.deepcopy(window)
    changes = 0
    for _, args in client.sent[1:]:
        if refusal_text(window, stock.rules) is not None:
            assert name == "scatter3d"
            assert not stock.is_0_3
            continue
        before = copy.deepcopy(window)
        operations = apply_update(window, copy.deepcopy(args), WindowBounds(), rules=stock.rules)
        assert written(apply_reference(before, operations)) == written(window)
        stock.update(expected, args)
        assert written_content(window) == written_content(expected)
        changes += len(operations) > 1
    assert changes > 0 or name == "scatter3d"
