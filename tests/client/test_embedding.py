"""The producer's helper: what it sends, what it refuses itself, and that a real server takes it."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from visdom import Visdom

from tests.support.local import LocalServer
from tests.support.ports import free_port
from tests.support.records import Records
from tests.support.served import ADA
from visdom_transport.client import EmbeddingRefused, EmbeddingStream

Serve = Callable[..., LocalServer]


class Recorder:
    """In the place of a connection: keeps what would be sent."""

    offline = False

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.endpoints: set[str] = set()

    def _send(self, message: dict[str, Any], endpoint: str) -> str:
        self.sent.append(message)
        self.endpoints.add(endpoint)
        return str(message["win"])


class Tensor:
    """An array of another library: numpy can read it, and that is all."""

    def __init__(self, values: Any) -> None:
        self._array = np.array(values)
        self.ndim = self._array.ndim

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def stream(recorder: Recorder) -> EmbeddingStream:
    return EmbeddingStream(recorder)


@contextmanager
def connection(port: int, **options: Any) -> Iterator[Visdom]:
    """Visdom's own client, without its remarks on new sessions and missing sockets."""
    with mock.patch.object(logging.getLogger("visdom"), "disabled", True):
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            vis = Visdom(server="http://127.0.0.1", port=port, use_incoming_socket=False, **{"raise_exceptions": True, **options})
        yield vis
        vis.session.close()


@pytest.fixture
def vis(server: LocalServer) -> Iterator[Visdom]:
    with connection(server.port) as vis:
        yield vis


POINTS = np.array([[0.5, 1], [2, 3], [4, 5]])


# --- what is sent ---


def test_one_point(recorder: Recorder, stream: EmbeddingStream) -> None:
    assert stream.add(1, 2.5, cluster="a", predicted="b", phase="train")
    assert stream.add(np.float32(0.5), np.int64(2), Tensor(3.0), cluster=np.int64(4), predicted=np.str_("b"))  # type: ignore[arg-type]
    where = {"win": "embedding", "eid": None, "opts": {}}
    assert recorder.sent == [
        {"type": "embedding", "x": 1.0, "y": 2.5, "cluster": "a", "predicted": "b", "phase": "train"} | where,
        {"type": "embedding", "x": 0.5, "y": 2.0, "z": 3.0, "cluster": 4, "predicted": "b"} | where,
    ]
    assert recorder.endpoints == {"embedding"}


@pytest.mark.parametrize("method", ["extend", "replace"])
def test_batch(recorder: Recorder, stream: EmbeddingStream, method: str) -> None:
    assert getattr(stream, method)(POINTS, clusters=np.array([1, 2, 1]), predicted=["a", None, 3], phase="test")
    (message,) = recorder.sent
    assert message["points"] == [
        {"x": 0.5, "y": 1.0, "cluster": 1, "predicted": "a", "phase": "test"},
        {"x": 2.0, "y": 3.0, "cluster": 2, "phase": "test"},
        {"x": 4.0, "y": 5.0, "cluster": 1, "predicted": 3, "phase": "test"},
    ]
    assert (message["type"], message["replace"]) == ("embedding_batch", method == "replace")
    assert {type(point["cluster"]) for point in message["points"]} == {int}


@pytest.mark.parametrize(
    "points",
    [
        POINTS.astype(np.float32),
        POINTS.astype(np.longdouble),
        POINTS.tolist(),
        Tensor(POINTS),
        np.asfortranarray(POINTS),
    ],
    ids=["float32", "longdouble", "list", "tensor", "fortran"],
)
def test_kinds_of_arrays(recorder: Recorder, stream: EmbeddingStream, points: Any) -> None:
    stream.extend(points)
    assert recorder.sent[0]["points"] == [{"x": x, "y": y} for x, y in POINTS.tolist()]
    assert all(type(value) is float for point in recorder.sent[0]["points"] for value in point.values())


@pytest.mark.parametrize(
    "labels",
    [[1, 2, 3], (1, 2, 3), np.array([1, 2, 3], np.uint8), Tensor([1, 2, 3]), np.array([1, 2, 3], object)],
    ids=["list", "tuple", "uint8", "tensor", "object"],
)
def test_kinds_of_labels(recorder: Recorder, stream: EmbeddingStream, labels: Any) -> None:
    stream.extend(POINTS, labels, predicted=labels, phase=labels)
    assert recorder.sent[0]["points"][2] == {"x": 4.0, "y": 5.0, "cluster": 3, "predicted": 3, "phase": 3}
    assert {type(point["cluster"]) for point in recorder.sent[0]["points"]} == {int}


def test_labels_of_several_kinds_stay_what_they_are(recorder: Recorder, stream: EmbeddingStream) -> None:
    stream.extend(POINTS, [1, "1", None], predicted=np.array(["a", "b", "c"]), phase=np.array([True, False, True]))
    first, second, third = recorder.sent[0]["points"]
    assert [first["cluster"], second["cluster"], third.get("cluster")] == [1, "1", None]
    assert [first["predicted"], first["phase"]] == ["a", True]


def test_three_dimensions(recorder: Recorder, stream: EmbeddingStream) -> None:
    stream.replace(np.arange(6).reshape(2, 3))
    assert recorder.sent[0]["points"] == [{"x": 0, "y": 1, "z": 2}, {"x": 3, "y": 4, "z": 5}]


def test_no_points(recorder: Recorder, stream: EmbeddingStream) -> None:
    stream.replace(np.empty((0, 2)), clusters=[], predicted=np.array([], int), phase="end")
    assert recorder.sent[0]["points"] == []


def test_where_to_and_with_which_options(recorder: Recorder) -> None:
    stream = EmbeddingStream(recorder, win="digits", env="runs", max_points=50, title="Digits")
    stream.add(1, 2)
    stream.extend(POINTS)
    for message in recorder.sent:
        assert (message["win"], message["eid"]) == ("digits", "runs")
        assert message["opts"] == {"max_points": 50, "title": "Digits"}


# --- what is not sent ---


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros(3), r"points must have shape \(n, 2\) or \(n, 3\), not \(3,\)"),
        (np.zeros((3, 4)), r"points must have shape \(n, 2\) or \(n, 3\), not \(3, 4\)"),
        (np.zeros((2, 2, 2)), r"points must have shape .* not \(2, 2, 2\)"),
        ([], r"points must have shape .* not \(0,\)"),
        (5, r"points must have shape .* not \(\)"),
        ([[1, 2], [3]], r"points must have shape \(n, 2\) or \(n, 3\): "),
        ([["1", "2"]], "points must be numbers, not <U1"),
        (np.zeros((1, 2), bool), "points must be numbers, not bool"),
        (np.zeros((1, 2), complex), "points must be numbers, not complex128"),
        ([[1, 10**400]], "points must be numbers, not object"),
        ([[1, 2], [3, np.nan], [np.inf, 4]], r"points\[1\] is \[3\.0, nan\], and must be finite \(2 of 3 rows are not\)"),
    ],
)
def test_bad_points(recorder: Recorder, stream: EmbeddingStream, points: Any, message: str) -> None:
    for send in (stream.extend, stream.replace):
        with pytest.raises(ValueError, match=message):
            send(points)
    assert recorder.sent == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(2), r"{} must have shape \(3,\) for points of shape \(3, 2\), not \(2,\)"),
        (np.zeros((3, 1)), r"{} must have shape \(3,\) for points of shape \(3, 2\), not \(3, 1\)"),
        ([[1], [2], [3]], r"{} must have shape \(3,\) for points of shape \(3, 2\), not \(3, 1\)"),
        ([1.0, np.nan, 2.0], r"{}\[1\] is nan"),
        (np.array([1.0, 2.0, np.inf]), r"{}\[2\] is inf"),
        (["a", b"b", "c"], r"{}\[1\] must be a string, a number, a bool or None, not b'b'"),
        ([1, 2, [3]], r"{}\[2\] must be a string"),
        (np.array(["2024-01-01"] * 3, "datetime64[D]"), r"{}\[0\] must be a string"),
    ],
)
@pytest.mark.parametrize("name", ["clusters", "predicted", "phase"])
def test_bad_labels(recorder: Recorder, stream: EmbeddingStream, name: str, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.format(name)):
        stream.extend(POINTS, **{name: labels})
    assert recorder.sent == []


@pytest.mark.parametrize("name", ["clusters", "predicted"])
def test_one_label_for_all_is_for_phases(recorder: Recorder, stream: EmbeddingStream, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must have shape \(3,\) for points of shape \(3, 2\), not \(\)"):
        stream.extend(POINTS, **{name: "abc"})
    assert recorder.sent == []


NOT_NUMBERS = [None, "1", True, [1], np.zeros(1), 1j, np.nan, -np.inf, 10**400]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: f"{value!r:.9}")
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_bad_coordinate(recorder: Recorder, stream: EmbeddingStream, axis: str, value: Any) -> None:
    if axis == "z" and value is None:
        return
    with pytest.raises(ValueError, match=f"^{axis} "):
        stream.add(**{"x": 1, "y": 2, "z": 3, axis: value})
    assert recorder.sent == []


@pytest.mark.parametrize("name", ["cluster", "predicted", "phase"])
def test_bad_label_of_one_point(recorder: Recorder, stream: EmbeddingStream, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        stream.add(1, 2, **{name: [1]})  # type: ignore[arg-type]
    assert recorder.sent == []


@pytest.mark.parametrize("max_points", [0, -1, 2.5, True, "5"])
def test_bad_bound(recorder: Recorder, max_points: Any) -> None:
    with pytest.raises(ValueError, match="max_points must be a positive integer"):
        EmbeddingStream(recorder, max_points=max_points)


# --- a real server ---


def held(server: LocalServer, win: str = "embedding", eid: str = "main") -> dict[str, list[float]]:
    """The x of the points of each cluster, by its name in the legend."""
    return {trace["name"]: trace["x"] for trace in server.windows(eid)[win]["content"]["data"]}


def test_stream(server: LocalServer, vis: Visdom) -> None:
    stream = EmbeddingStream(vis, title="Digits", max_points=4)
    assert stream.add(9, 9, cluster="a", predicted="a") is True
    assert stream.extend(POINTS, clusters=np.array(["a", "b", "a"]), predicted=["a", "a", "a"]) is True
    window = server.windows()["embedding"]
    assert held(server) == {"a (3)": [9, 0.5, 4], "b (1)": [2]}
    assert (window["title"], window["content"]["layout"]["legend"]["title"]["text"]) == ("Digits", "75.0 % of 4 agree")
    stream.add(10, 10, cluster="b")
    assert held(server) == {"a (2)": [0.5, 4], "b (2)": [2, 10]}
    assert stream.replace(POINTS[:2]) is True
    assert held(server) == {"unassigned (2)": [0.5, 2]}
    stream.replace(np.empty((0, 2)))
    assert held(server) == {"unassigned (0)": []}


def test_environments(server: LocalServer) -> None:
    with connection(server.port, env="mine") as vis:
        EmbeddingStream(vis).add(1, 2)
        EmbeddingStream(vis, win="w", env="other").add(3, 4)
    assert held(server, eid="mine") == {"unassigned (1)": [1]}
    assert held(server, "w", "other") == {"unassigned (1)": [3]}


def test_refusal_of_the_server(server: LocalServer, vis: Visdom, records: Records) -> None:
    records.expect("400 POST /embedding")
    stream = EmbeddingStream(vis, max_points=2)
    with pytest.raises(EmbeddingRefused, match="points: has 3 points, and the window keeps at most 2") as caught:
        stream.extend(POINTS)
    assert caught.value.field == "points"
    with pytest.raises(EmbeddingRefused, match=r"points\[1\]\.cluster: must have at most 200 characters"):
        stream.extend(POINTS[:2], clusters=["a", "a" * 201])
    assert server.windows() == {}
    vis.text("taken", win="embedding")
    with pytest.raises(EmbeddingRefused, match="win: is not a streaming embedding"):
        stream.add(1, 2)


def test_base_url_and_login(serve: Serve, records: Records) -> None:
    records.expect("40[01] POST /vis/e(mbedding|nv/main)")
    server = serve(base_url="/vis", login=ADA)
    with connection(server.port, base_url="/vis", username=ADA.username, password=ADA.password) as vis:
        assert EmbeddingStream(vis).add(1, 2)
    assert held(server) == {"unassigned (1)": [1]}
    with connection(server.port, base_url="/vis") as stranger, pytest.raises(EmbeddingRefused, match="did you log in"):
        EmbeddingStream(stranger).add(3, 4)
    assert held(server) == {"unassigned (1)": [1]}


def test_server_without_streaming_embeddings(serve: Serve, records: Records) -> None:
    records.expect(".")  # Visdom takes any unknown address for its login page, fails, and says so at length
    server = serve()
    with connection(server.port) as vis:
        vis.base_url = "/elsewhere"
        with pytest.raises(EmbeddingRefused, match="is visdom-transport installed there") as caught:
            EmbeddingStream(vis).add(1, 2)
    assert caught.value.field is None


def test_no_server(server: LocalServer) -> None:
    with connection(server.port) as vis:
        vis.port = free_port()
        with pytest.raises(ConnectionError):
            EmbeddingStream(vis).add(1, 2)
        vis.raise_exceptions = False
        assert EmbeddingStream(vis).add(1, 2) is False
        assert EmbeddingStream(vis).replace(POINTS) is False


def test_offline(tmp_path: Path) -> None:
    with connection(free_port(), offline=True, log_to_filename=str(tmp_path / "log")) as vis:
        assert EmbeddingStream(vis).replace(POINTS) is False
        assert EmbeddingStream(vis).add(1, 2) is False


def test_importing_the_package_is_cheap() -> None:
    program = "import sys, visdom_transport.client as c; early = 'numpy' in sys.modules; c.EmbeddingStream; assert not early"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_name() -> None:
    import visdom_transport.client as client

    with pytest.raises(AttributeError, match="Embeding"):
        client.Embeding  # noqa: B018
