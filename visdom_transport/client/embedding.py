"""Streaming embeddings: points from numpy arrays into one bounded window, coloured and counted by cluster.

    stream = EmbeddingStream(vis, title="Validation set")
    stream.replace(points, clusters=labels, predicted=guesses)      # the whole set, every epoch
    stream.add(0.3, -1.2, cluster=7)                                # or point by point

`docs/embedding.md` describes what is sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visdom_transport.client.asking.proof import is_foreign_page
from visdom_transport.core.errors import TransportError
from visdom_transport.core.window_ids import window_id

if TYPE_CHECKING:
    from visdom import Visdom

Label: TypeAlias = str | int | float | bool | None
Points: TypeAlias = NDArray[np.float64]

NUMBERS = "iuf"
"""The kinds of dtype that are numbers."""


class EmbeddingRefused(TransportError):
    """The server did not take the points, and none of them is shown.

    ``field`` names what is wrong, such as ``points[3].x``; it is None when the answer is not one of this package.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class EmbeddingStream:
    """One window of points on a Visdom server, which keeps the newest: nothing needs to be published again for late viewers.

    What the server keeps stays when this object goes; another one for the same window continues it.

    Args:
        vis: the connection that is used, with its login, base URL and session.
        win: the window's id, ``"embedding"`` by default.
        env: the environment; that of ``vis`` by default.
        max_points: how many points the window keeps, the newest of all clusters; the server's setting (4,000) by default.
        title: the window's title.

    Every method returns whether the server has the points: False when ``vis`` is offline, or the server cannot be reached and
    ``vis`` was made with ``raise_exceptions=False``. All of them raise:

        ValueError: an argument that cannot be sent; nothing was sent.
        EmbeddingRefused: the server refuses; nothing was applied.
        ConnectionError: the server cannot be reached, if ``vis`` raises exceptions.

    A label (cluster, prediction, phase) is a string of at most 200 characters, a finite number, a bool or None. A prediction
    agrees with a cluster when they are equal: 3 and 3.0 are, 3 and "3" are not.
    """

    def __init__(
        self,
        vis: Visdom,
        win: str | None = None,
        env: str | None = None,
        max_points: int | None = None,
        title: str | None = None,
    ) -> None:
        if max_points is not None and (isinstance(max_points, bool) or not isinstance(max_points, int) or max_points < 1):
            raise ValueError(f"max_points must be a positive integer, not {max_points!r}")
        self.win: str = "embedding" if win is None else window_id(win)
        self._vis: Any = vis
        self._env = env
        given = {"max_points": max_points, "title": title}
        self._opts = {name: value for name, value in given.items() if value is not None}

    def add(
        self,
        x: float,
        y: float,
        z: float | None = None,
        *,
        cluster: Label = None,
        predicted: Label = None,
        phase: Label = None,
    ) -> bool:
        """Add one point, in three dimensions if ``z`` is given."""
        point = {
            "x": _number("x", x),
            "y": _number("y", y),
            "z": None if z is None else _number("z", z),
            "cluster": _label("cluster", cluster),
            "predicted": _label("predicted", predicted),
            "phase": _label("phase", phase),
        }
        return self._send({"type": "embedding"} | _given(point))

    def extend(
        self,
        points: ArrayLike,
        clusters: ArrayLike | None = None,
        predicted: ArrayLike | None = None,
        phase: ArrayLike | None = None,
    ) -> bool:
        """Add points, the oldest first.

        Args:
            points: numbers of shape (n, 2) or (n, 3), all finite; n at most what the window keeps.
            clusters: labels of shape (n,).
            predicted: labels of shape (n,).
            phase: labels of shape (n,), or one for all points.
        """
        return self._send_batch(points, clusters, predicted, phase, replace=False)

    def replace(
        self,
        points: ArrayLike,
        clusters: ArrayLike | None = None,
        predicted: ArrayLike | None = None,
        phase: ArrayLike | None = None,
    ) -> bool:
        """Show these points instead of all that are there, in one step. The arguments are those of `extend`."""
        return self._send_batch(points, clusters, predicted, phase, replace=True)

    def _send_batch(
        self,
        points: ArrayLike,
        clusters: ArrayLike | None,
        predicted: ArrayLike | None,
        phase: ArrayLike | None,
        *,
        replace: bool,
    ) -> bool:
        coordinates = _points(points)
        rows = zip(
            coordinates.tolist(),
            _labels("clusters", clusters, coordinates),
            _labels("predicted", predicted, coordinates),
            _labels("phase", np.full(len(coordinates), phase, object) if _is_one(phase) else phase, coordinates),
            strict=True,
        )
        batch = [
            dict(zip("xyz", row, strict=False)) | _given({"cluster": cluster, "predicted": guess, "phase": each})
            for row, cluster, guess, each in rows
        ]
        return self._send({"type": "embedding_batch", "points": batch, "replace": replace})

    def _send(self, event: dict[str, Any]) -> bool:
        message = event | {"win": self.win, "eid": self._env, "opts": dict(self._opts)}
        reply = self._vis._send(message, endpoint="embedding")
        # What Visdom's client returns without a connection is False, what it would have sent, or the window's id.
        if not isinstance(reply, str) or self._vis.offline:
            return False
        if reply == self.win:
            return True
        if not is_foreign_page(reply):
            raise _refusal(reply)
        if self._vis.raise_exceptions:
            raise ConnectionError("something else than a Visdom server answers, with a page of its own")
        return False


def _refusal(reply: str) -> EmbeddingRefused:
    try:
        error = json.loads(reply)["error"]
        return EmbeddingRefused(error["message"], error["field"])
    except (ValueError, TypeError, KeyError):
        return EmbeddingRefused(
            f"the server answered {reply!r:.200}; is visdom-transport installed there, and did you log in?",
        )


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _points(points: ArrayLike) -> Points:
    try:
        array = np.asarray(points)
    except ValueError as error:
        raise ValueError(f"points must have shape (n, 2) or (n, 3): {error}") from error
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(f"points must have shape (n, 2) or (n, 3), not {array.shape}")
    if array.dtype.kind not in NUMBERS:
        raise ValueError(f"points must be numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        row = array[bad[0]].tolist()
        raise ValueError(f"points[{bad[0]}] is {row}, and must be finite ({bad.size} of {len(array)} rows are not)")
    return array


def _labels(name: str, labels: ArrayLike | None, points: Points) -> Iterator[Label]:
    """The label of each point."""
    if labels is None:
        labels = np.full(len(points), None, object)
    # As an array of its own choice, numpy would make [1, "a", None] an array of strings.
    array = np.array(labels, object) if isinstance(labels, list | tuple) else np.asarray(labels)
    if array.shape != points.shape[:1]:
        raise ValueError(f"{name} must have shape {points.shape[:1]} for points of shape {points.shape}, not {array.shape}")
    return (_label(f"{name}[{index}]", value) for index, value in enumerate(array.tolist()))


def _is_one(labels: ArrayLike | None) -> bool:
    return labels is None or (not isinstance(labels, list | tuple) and np.ndim(labels) == 0)


def _label(name: str, value: Any) -> Label:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, and must be finite")
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"{name} must be a string, a number, a bool or None, not {value!r:.80}")


def _number(name: str, value: Any) -> float:
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in NUMBERS:
        raise ValueError(f"{name} must be a number, not {value!r:.80}")
    number = float(array)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}, and must be finite")
    return number
