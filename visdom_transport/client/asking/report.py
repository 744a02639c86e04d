"""What a publisher's process is told in its log: about outages, lost calls, and what a server refuses."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from visdom_transport.client.asking.errors import Away
from visdom_transport.client.messages.request import Item

logger = logging.getLogger("visdom_transport.client")

MAX_CAUSES = 100

WAITS = "so calls wait until some of it has been taken"
LOSES = "so the oldest calls are lost: the program goes on (see the counters)"


class Report:
    """The log of one publisher. What goes wrong again and again is told once.

    Args:
        server: its address, as it may be shown.
        max_bytes: what may be held in memory.
        outbox_dir: where what is published is kept on disk, if it is.
    """

    def __init__(self, server: str, max_bytes: int, outbox_dir: Path | None = None) -> None:
        self._server = server
        self._max_bytes = max_bytes
        self._outbox_dir = outbox_dir
        self._full: set[str] = set()
        self._causes: set[tuple[str, ...]] = set()

    def full(self, consequence: str) -> None:
        """There is no room."""
        if consequence not in self._full:
            self._full.add(consequence)
            logger.warning("%d bytes for the Visdom server at %s are waiting, %s.", self._max_bytes, self._server, consequence)

    def room_again(self, lost: int) -> None:
        """Everything that was held is sent."""
        self._full.discard(LOSES)
        if lost:
            logger.warning("%d calls for the Visdom server at %s are lost: there was no room for them.", lost, self._server)

    def away(self, why: Away) -> None:
        """The server cannot be reached."""
        held = f"up to {self._max_bytes} bytes are held until it is back"
        if self._outbox_dir is not None:
            held = f"what is published is kept in {self._outbox_dir} until it is back"
        logger.warning("the Visdom server at %s cannot be reached (%s). Nothing is lost yet: %s.", self._server, why, held)

    def back(self, seconds: float) -> None:
        """The server can be reached again."""
        logger.warning("the Visdom server at %s is back after %.1f s; what was held is being sent.", self._server, seconds)

    def restarted(self, windows: int) -> None:
        """The server has lost what it had."""
        logger.warning(
            "the Visdom server at %s was restarted and has lost %d windows that this process feeds. They are made again, "
            "with what was not kept for good; what was, is gone.",
            *(self._server, windows),
        )

    def ended(self, lost: int, within_s: float) -> None:
        """The process ends before everything is sent."""
        logger.warning(
            "the process ends, and %d calls (or more) have not reached the Visdom server at %s within %g s: they are lost.",
            *(lost, self._server, within_s),
        )

    def left(self, outbox_dir: Path) -> None:
        """The process ends, and what the server does not have is on disk."""
        logger.warning(
            "the process ends, and the Visdom server at %s does not have everything. The rest is in %s: the next publisher with "
            "that outbox_dir sends it, or python -m visdom_transport send.",
            *(self._server, outbox_dir),
        )

    def refused(self, item: Item, error: dict[str, Any]) -> None:
        """The server refuses a message."""
        cause = (item.message.endpoint, str(error.get("code")), str(error.get("field")))
        if cause in self._causes or len(self._causes) >= MAX_CAUSES:
            return
        self._causes.add(cause)
        eid, win = item.message.window
        logger.warning(
            "the Visdom server at %s refused a message to /%s for window %r of environment %r: %s%s (%s). "
            "Others refused for the same cause are only counted.",
            *(self._server, item.message.endpoint, win, eid),
            f"{error['field']}: " if error.get("field") else "",
            *(error.get("message"), error.get("code")),
        )

    def failed(self) -> None:
        """An exception that nobody has thought of."""
        logger.exception("publishing to the Visdom server at %s failed", self._server)
