"""An HTTP front as a fault of a network: for a time it answers in the server's place, or changes what the server answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

from tests.support.front import Front, Reply, Request, page
from visdom_transport.core.signature import SERVER_HEADER

LIMIT_BYTES = 30_000
"""Larger than any message of a publisher, smaller than many of them."""
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}

SAID: dict[str, Reply] = {
    **{status: page(int(status)) for status in ("403", "404", "413", "500", "502", "530")},
    "429": page(429, Retry_After="1"),
    "login": page(200, "Sign in"),
    "to-login": Reply(302, {"Location": "/login?next=%2F"}),
    "packed": Reply(200, {**HTML, "Content-Encoding": "gzip"}, gzip.compress(page(200).content)),
    "half": Reply(200, JSON, b'{"server": "one", "applied": 100000, "dur'),
    "broken": Reply(200, JSON, b'{"messages": [', length=4_000),
    "json": Reply(200, JSON, b'{"error": "unknown host"}'),
    "empty": Reply(200, HTML),
}
"""What is said to everything, by name."""

MOVED = ("301", "307", "308")
KINDS = (*SAID, *MOVED, "packs", "strips", "limits")
"""The redirects lead to the same server. What passes is compressed by `packs`, loses its signature by `strips`, and must not be
large for `limits`."""


class FaultyFront(Front):
    """Does one of `KINDS`.

    Args:
        port: of the server.
        elsewhere: the port that redirects lead to.
        late: of what is said to everything: what is posted reaches the server first, and only its answer is replaced.
    """

    def __init__(self, port: int, kind: str, *, elsewhere: int, late: bool = False) -> None:
        super().__init__(port, hides=[SERVER_HEADER] if kind == "strips" else ())
        self._late = late and kind in SAID
        self._packs = kind == "packs"
        self.behave = _behaviour(kind, elsewhere)

    def answer(self, method: str, request: Request) -> Reply:
        reply = super().answer(method, request)
        if self._late and method == "POST":
            self._pass_on(method, request)
        return _packed(reply) if self._packs else reply


def _behaviour(kind: str, elsewhere: int) -> Callable[[Request], Reply | None]:
    def moved(request: Request) -> Reply:
        return Reply(int(kind), {"Location": f"http://127.0.0.1:{elsewhere}{request.path}"})

    def limit(request: Request) -> Reply | None:
        return page(413) if len(request.body) > LIMIT_BYTES else None

    if kind in MOVED:
        return moved
    return limit if kind == "limits" else lambda _: SAID.get(kind)


def _packed(reply: Reply) -> Reply:
    return replace(reply, headers={**reply.headers, "Content-Encoding": "gzip"}, content=gzip.compress(reply.content))
