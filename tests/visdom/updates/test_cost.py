"""The cost of an update does not depend on what the window holds: what is held is not walked, copied or compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from visdom_transport.visdom.updates import V0_2_4, V0_3_0, Memo, Rules, WindowBounds, apply_update


class HeldList(list[Any]):
    """A long list that a window holds: it can grow, lose its head and be looked at in places, nothing else."""

    def _walked(self, *_: object) -> NoReturn:
        raise AssertionError("an update went through what the window holds")

    __iter__ = __reversed__ = __contains__ = __eq__ = __add__ = __iadd__ = __mul__ = __lt__ = __le__ = _walked  # type: ignore[assignment]
    copy = count = index = sort = reverse = remove = _walked  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and len(range(*key.indices(len(self)))) > 2:
            self._walked()
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, slice):
            self._walked()
        super().__setitem__(key, value)


class HeldText(str):
    """A long text that a window holds: it can grow at its end and be searched near its head."""

    def _walked(self, *_: object) -> NoReturn:
        raise AssertionError("an update went through what the window holds")

    count = split = rsplit = splitlines = replace = find = rfind = partition = encode = __contains__ = __iter__ = _walked  # type: ignore[assignment]

    def index(self, text: str, start: int = 0, end: Any = None) -> int:
        found = super().index(text, start)
        assert found < 100, "an update searched far into what the window holds"
        return found


N = 1000
Make = Callable[[], dict[str, Any]]


def held_trace(name: str, **members: Any) -> dict[str, Any]:
    numbers = range(N)
    return {
        "type": "scatter",
        "name": name,
        "x": HeldList(numbers),
        "y": HeldList(numbers),
        "text": HeldList(numbers),
        "marker": {"color": HeldList(numbers), "size": HeldList(numbers)},
        **members,
    }


def plot(*traces: dict[str, Any]) -> dict[str, Any]:
    return {"type": "plot", "contentID": "c", "version": 1, "content": {"data": list(traces), "layout": {}}}


POINT = {"x": [1], "y": [2], "marker": {"color": ["#000000"], "size": 10}}
BOTH = pytest.mark.parametrize("rules", [V0_2_4, V0_3_0], ids=["0.2.4", "0.3.0"])
SERVER_BOUNDS = pytest.mark.parametrize(
    "server_bounds", [WindowBounds(), WindowBounds(max_points=N, max_lines=N, max_images=N)], ids=["unbounded", "full"]
)


@BOTH
@SERVER_BOUNDS
@pytest.mark.parametrize(
    "args",
    [
        {"data": [POINT, POINT], "append": True},
        {"data": [POINT, POINT]},
        {"data": [POINT], "name": "a", "append": True, "opts": {"legend": ["a", "b"], "title": "t"}},
        {"data": [{**POINT, "type": "scatter"}], "name": "new"},
        {"data": [], "name": "a", "delete": True},
        {"opts": {"title": "t"}, "layout": {"title": "t"}},
        {"opts": {"max_points": N - 5}},
    ],
)
def test_plot(rules: Rules, server_bounds: WindowBounds, args: dict[str, Any]) -> None:
    window = plot(held_trace("a"), held_trace("b"))
    for _ in range(3):
        if len(window["content"]["data"]) == 2:
            assert len(repr(apply_update(window, args, server_bounds, rules=rules))) < 1000


class OtherTrace(dict[str, Any]):
    """A trace that an update does not touch."""

    def _looked_at(self, *_: object) -> NoReturn:
        raise AssertionError("an update looked at a trace it does not touch")

    __getitem__ = keys = items = values = _looked_at  # type: ignore[assignment]

    def get(self, key: Any, default: Any = None) -> Any:
        if key != "name":
            self._looked_at()
        return super().get(key, default)


@BOTH
@SERVER_BOUNDS
def test_other_traces_are_asked_for_their_name_only(rules: Rules, server_bounds: WindowBounds) -> None:
    window = plot(held_trace("a"), *(OtherTrace(held_trace("b")) for _ in range(5)))
    apply_update(window, {"data": [POINT], "name": "a", "append": True, "opts": {"title": "t"}}, server_bounds, rules=rules)


@BOTH
@SERVER_BOUNDS
@pytest.mark.parametrize("direction", ["appendRow", "prependRow"])
def test_heatmap_rows(rules: Rules, server_bounds: WindowBounds, direction: str) -> None:
    rows = HeldList(HeldList([1, 2, 3]) for _ in range(N))
    window = plot({"type": "heatmap", "z": rows, "x": HeldList("abc"), "y": None})
    args = {"data": [{"type": "heatmap", "z": [[1, 2, 3]], "x": None, "y": None}], "updateDir": direction, "append": True}
    apply_update(window, args, server_bounds, rules=rules)
    assert len(rows) == N + 1


@BOTH
@SERVER_BOUNDS
@pytest.mark.parametrize("direction", ["appendColumn", "prependColumn"])
def test_heatmap_columns(rules: Rules, server_bounds: WindowBounds, direction: str) -> None:
    rows = [HeldList(range(N)), HeldList(range(N))]
    window = plot({"type": "heatmap", "z": rows, "x": None, "y": None})
    args = {"data": [{"type": "heatmap", "z": [[1], [2]], "x": None, "y": None}], "updateDir": direction, "append": True}
    apply_update(window, args, server_bounds, rules=rules)
    assert [len(row) for row in rows] == [N + 1, N + 1]


@BOTH
@SERVER_BOUNDS
def test_text(rules: Rules, server_bounds: WindowBounds) -> None:
    window: dict[str, Any] = {"type": "text", "contentID": "c", "content": "<br>".join(["line"] * N)}
    memo: Memo = {}
    apply_update(window, {"data": [{"content": "counted once"}]}, server_bounds, rules=rules, memo=memo)
    for _ in range(5):
        window["content"] = HeldText(window["content"])
        operations = apply_update(window, {"data": [{"content": "new"}]}, server_bounds, rules=rules, memo=memo)
        assert len(repr(operations)) < 300


@BOTH
@SERVER_BOUNDS
def test_image_history(rules: Rules, server_bounds: WindowBounds) -> None:
    images = HeldList([{"src": "data:"}] * N)
    window = {"type": "image_history", "contentID": "c", "content": images, "selected": 0}
    for data in ({"type": "image_history", "content": {"src": ""}}, {"type": "image_update_selected", "selected": 5}):
        assert len(repr(apply_update(window, {"data": [data]}, server_bounds, rules=rules))) < 400


@BOTH
def test_embeddings(rules: Rules) -> None:
    former = HeldList(HeldList([n]) for n in range(40))
    window = {"type": "embeddings", "contentID": "c", "content": {"data": HeldList(range(N))}, "old_content": former}
    apply_update(window, {"data": {"update_type": "EntitySelected", "selected": 5}}, WindowBounds(), rules=rules)
    assert len(former) == 40


def test_the_instruments_notice() -> None:
    held = HeldList([1, 2, 3])
    walks: list[Callable[[], object]] = [
        lambda: list(iter(held)),
        lambda: [*held, 4],
        lambda: held + held,
        lambda: held[:],
        lambda: held == [1, 2, 3],
        lambda: 3 in held,
        lambda: sum(held),
        lambda: HeldText("abc").count("b"),
    ]
    for walk in walks:
        with pytest.raises(AssertionError):
            walk()
