"""What a publisher asks of its server, and which answers decide about its messages."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away, TooLarge
from visdom_transport.client.asking.exchange import QUESTION_TIMEOUT_S, REPLY_TIMEOUT_S, Exchange
from visdom_transport.client.asking.proof import (
    asks_for_login,
    environments,
    existence,
    is_made,
    is_visdoms,
    own_error,
    publish_reply,
    stranger,
)
from visdom_transport.client.asking.stock import StockVisdom, comes_from_stock
from visdom_transport.client.messages.calls import Window, window_of
from visdom_transport.client.messages.request import Request

logger = logging.getLogger("visdom_transport.client")


class Connection:
    """Requests to one server, in one thread."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._exchange = Exchange(address)
        self._stock: StockVisdom | None = None
        self._said_stock = False
        self._sent = ("", 0)
        """The last publisher, and the highest number of it that was ever sent."""

    def publish(self, request: Request) -> dict[str, Any]:
        """Send the messages of a request, and return the server's reply.

        Raises:
            Away: it is not known which of the messages arrived.
            TooLarge: none of them did, because of their size.
        """
        with self._anew_when_away():
            reply = self._publish(request) if self._stock is None else None
            if reply is not None:
                return reply
            stock = self._stock = self._stock or StockVisdom(self._exchange)
            reply = stock.publish(request)
            if not stock.is_certain:
                self._stock = None
            return reply

    def expect_any(self, publisher_id: str) -> None:
        """Another process has sent messages of this publisher, nobody knows how many."""
        self._sent = (publisher_id, sys.maxsize)

    def exists(self, window: Window, within_s: float = QUESTION_TIMEOUT_S) -> bool:
        """Ask whether a window is there.

        Raises:
            Away: there is no answer.
        """
        with self._anew_when_away():
            answer = self._ask("/win_exists", _json({"eid": window[0], "win": window[1]}), within_s)
            exists = existence(answer)
            if exists is None:
                raise stranger(answer)
            return exists

    def make_environment(self, eid: str) -> None:
        """Make an environment if there is none of this name. One that the server does not take is only logged.

        Raises:
            Away: it may not be there.
        """
        with self._anew_when_away():
            answer = self._ask(f"/env/{eid}", _json({"eid": eid}), REPLY_TIMEOUT_S)
            error = own_error(answer)
            if error is not None:
                logger.warning("the Visdom server at %s makes no environment %r: %s", self.address.shown, eid, error["message"])
            # A server of ours signs its silence. Any other has to show that it has the environment now.
            elif not is_made(answer) or (answer.server is None and not self._has_environment(eid)):
                raise stranger(answer)

    def save(self, eids: list[str], within_s: float) -> str:
        """Have environments written to their files. Returns what the server answers.

        Raises:
            Away: they may not be.
        """
        with self._anew_when_away():
            body = json.dumps({"data": eids})
            answer = self._ask("/save", body.encode(), within_s)
            if asks_for_login(answer) or not is_visdoms(answer, "/save", body):
                raise stranger(answer)
            return answer.text if answer.status < 400 else ""

    def close(self) -> None:
        """End the connection; the next request makes another one."""
        self._exchange.close()

    def forget(self) -> None:
        """Leave the connection to the process this one was forked from."""
        self._exchange.forget()

    # --- inside ---

    @contextmanager
    def _anew_when_away(self) -> Iterator[None]:
        """What comes back may be another server, at the address where it was first: begin with nothing."""
        try:
            yield
        except Away:
            self._stock = None
            self.close()
            raise

    def _ask(self, path: str, body: bytes, within_s: float) -> Answer:
        return self._exchange.ask(path, body, within_s=within_s)

    def _post(self, request: Request) -> Answer:
        return self._exchange.ask("/transport/publish", request.encoded(), within_s=REPLY_TIMEOUT_S, keep=True)

    def _publish(self, request: Request) -> dict[str, Any] | None:
        """Send to a server with this package. None: it has none."""
        publisher_id, highest = self._sent
        last = request.first + len(request.items) - 1
        self._sent = (request.publisher_id, max(last, highest) if publisher_id == request.publisher_id else last)
        answer = self._post(request)
        if answer.status == 413 and request.items:
            self._check_size_counts(Request(request.publisher_id, request.first, []))
            raise TooLarge
        reply = publish_reply(answer)
        # What was never sent cannot have been applied.
        if reply is not None and (reply["applied"] or 0) <= self._sent[1]:
            return reply
        if not comes_from_stock(answer, self._exchange):
            raise stranger(answer)
        if not self._said_stock:
            self._said_stock = True
            logger.warning(
                "the Visdom server at %s has no visdom-transport: calls are sent one by one, as Visdom's own client does, "
                "and one whose answer is lost may be applied twice.",
                self.address.shown,
            )
        return None

    def _check_size_counts(self, nothing: Request) -> None:
        """Raise `Away` unless a request without messages gets through: what refuses everything has no limit."""
        answer = self._post(nothing)
        if publish_reply(answer) is None:
            raise stranger(answer)

    def _has_environment(self, eid: str) -> bool:
        answer = self._ask("/env_state", b"{}", QUESTION_TIMEOUT_S)
        return bool({eid, window_of(eid, None)[0]}.intersection(environments(answer) or ()))


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()
