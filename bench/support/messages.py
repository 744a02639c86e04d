"""What producers post, made by the installed Visdom's own client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from visdom import Visdom

_client: Any = None


class Posts(Protocol):
    """A server, or a connection to one."""

    def post(self, path: str, body: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Message:
    """The body of one request and where it goes."""

    path: str
    body: bytes

    def post(self, server: Posts) -> None:
        server.post(self.path, self.body)


def made_by(method: str, *args: Any, **kwargs: Any) -> Message:
    """What `Visdom.<method>(...)` would send."""
    global _client
    if _client is None:
        _client = Visdom(send=False, use_incoming_socket=False)
    message, endpoint = getattr(_client, method)(*args, **kwargs)
    return Message(f"/{endpoint}", json.dumps(message).encode())


def line(win: str, points: int, **opts: Any) -> Message:
    """A new line of ``points`` points."""
    x = np.arange(points, dtype=float)
    return made_by("line", X=x, Y=np.sin(x / 100), win=win, opts={"title": win, **opts})


def point(win: str, x: float = 0.5, y: float = 0.25) -> Message:
    """One point more for the line of ``win``."""
    return made_by("line", X=np.array([x]), Y=np.array([y]), win=win, update="append")


def text(win: str, lines: int) -> Message:
    """A new text window of ``lines`` lines of 60 characters."""
    return made_by("text", "<br>".join(["x" * 60] * lines), win=win)


def text_line(win: str) -> Message:
    """One line more for the text of ``win``."""
    return made_by("text", "y" * 60, win=win, append=True)


def image(win: str, side: int, seed: int = 0) -> Message:
    """An image of ``side`` x ``side`` pixels of noise, which PNG cannot compress: about 4 x side^2 bytes."""
    return made_by("image", np.random.default_rng(seed).random((3, side, side)), win=win)


def marked(window: int, number: int, size: int) -> Message:
    """A text window of about ``size`` bytes that replaces the one before and can be recognised by the swarm."""
    return made_by("text", f"mark-{window:02d}-{number:06d}".ljust(size, "."), win=f"w{window:02d}")
