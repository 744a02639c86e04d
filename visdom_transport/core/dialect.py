"""Dialects: how a link speaks, ours or stock Visdom's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visdom_transport.core.encoding import encode
from visdom_transport.core.feed import Batch, Verdict
from visdom_transport.core.packing import Outgoing


class Dialect:
    """How a link puts batches and verdicts into messages, and what may be expected of its peer."""

    values_only = False
    """The peer understands neither deltas nor pieces."""
    acknowledges = True
    """The peer says what it has applied. Otherwise a batch counts as applied when the kernel has taken it."""

    def batch(self, batch: Batch) -> Sequence[Outgoing]:
        """The messages that carry ``batch``."""
        raise NotImplementedError

    def subscribed(self, feed: str, verdict: Verdict) -> list[bytes]:
        """The messages that answer a subscription."""
        return []

    def show(self, feed: str) -> None:
        """The page now shows the windows of another feed."""

    def is_echo(self, command: dict[str, Any]) -> bool:
        """Whether a command is only the page's answer to what it was sent."""
        return False


class OwnDialect(Dialect):
    """docs/protocol.md.

    ``compresses``: the peer has said that it takes compressed messages, and the connection has a way to carry them.
    """

    def __init__(self) -> None:
        self.compresses = False

    def batch(self, batch: Batch) -> Sequence[Outgoing]:
        return [batch.message] if self.compresses else [batch.data]

    def subscribed(self, feed: str, verdict: Verdict) -> list[bytes]:
        return [
            encode(
                {
                    "type": "subscribed",
                    "feed": feed,
                    "epoch": verdict.epoch,
                    "offset": verdict.offset,
                    "recovered": verdict.recovered,
                    "reason": verdict.reason,
                    "header": verdict.header,
                }
            )
        ]
