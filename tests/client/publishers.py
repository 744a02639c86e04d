"""Publishers of this process, and what they are given to publish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import pytest

from visdom_transport.client import Publisher

Connect: TypeAlias = Callable[..., Publisher]

TIMEOUT_S = 20.0
"""For what should take a moment, on a busy machine."""


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes publishers: `connect(server.port, when_full="drop")`."""
    monkeypatch.setattr(logging.getLogger("visdom"), "disabled", True)
    made: list[Publisher] = []

    def make(port: int, **options: Any) -> Publisher:
        made.append(Publisher(server="http://127.0.0.1", port=port, use_incoming_socket=False, exit_timeout_s=1, **options))
        return made[-1]

    yield make
    for publisher in made:
        publisher.finish(5)
        if publisher._session is not None:
            publisher._session.close()


def append(vis: Any, x: float, win: str = "loss", **more: Any) -> Any:
    """A point of a line."""
    return vis.line(X=np.array([x]), Y=np.array([x]), win=win, name="a", update="append", opts={"title": "Loss"}, **more)


def xs(windows: dict[str, Any], win: str = "loss") -> list[float]:
    """The x values of a line."""
    points: list[float] = windows[win]["content"]["data"][0]["x"]
    return points
