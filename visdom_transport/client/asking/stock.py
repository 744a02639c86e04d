"""Publishing to a Visdom without this package: as Visdom's own client does it, one by one."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away, TooLarge
from visdom_transport.client.asking.exchange import QUESTION_TIMEOUT_S, REPLY_TIMEOUT_S, Exchange
from visdom_transport.client.asking.proof import (
    TEXT,
    WINDOW_REFUSALS,
    asks_for_login,
    environments,
    existence,
    is_error_page,
    is_made,
    refuses_politely,
    stranger,
    windows,
)
from visdom_transport.client.messages.calls import Message, Window
from visdom_transport.client.messages.request import Request

_MAY_BE_STOCK: Final = frozenset({404, 405, 500})
"""How a Visdom without this package answers what it does not know. So does much else."""


def comes_from_stock(answer: Answer, exchange: Exchange) -> bool:
    """Whether it was a Visdom without this package that gave this answer to a request of ours.

    Raises:
        Away: nobody answers any more, or a login is asked for.
    """
    return answer.server is None and answer.status in _MAY_BE_STOCK and is_stock(exchange)


def is_stock(exchange: Exchange) -> bool:
    """Whether a Visdom without this package answers. One odd answer says nothing: it has to know three things.

    Raises:
        Away: nobody answers, or a login is asked for.
    """
    nobody = uuid.uuid4().hex
    exists = _ask(exchange, "win_exists", {"eid": nobody, "win": nobody}, QUESTION_TIMEOUT_S)
    if asks_for_login(exists):
        raise stranger(exists)
    if exists.server is not None or existence(exists) is not False:
        return False
    names = environments(_ask(exchange, "env_state", {}, QUESTION_TIMEOUT_S))
    if names is None:
        return False
    eid = "main" if "main" in names or not names else names[0]
    # Servers with this package say the same, but have never called it HTML.
    update = _ask(exchange, "update", {"eid": eid, "win": nobody, "data": [], "opts": {}}, QUESTION_TIMEOUT_S)
    said = (update.status, update.media_type, update.text)
    return update.server is None and said == (200, "text/html", WINDOW_REFUSALS[0])


class StockVisdom:
    """A server that was shown to be a Visdom without this package. A message whose answer is lost may be applied twice."""

    def __init__(self, exchange: Exchange) -> None:
        self.is_certain = True
        """False as soon as it may be another server by now."""
        self._exchange = exchange

    def publish(self, request: Request) -> dict[str, Any]:
        """Send the messages one by one, as far as they are answered. The reply is in the form of docs/protocol.md, section 9.

        Raises:
            Away: it is not known whether the first one arrived.
            TooLarge: the first one did not, because of its size.
        """
        refused = []
        applied = request.first - 1
        for item in request.items:
            try:
                message = self._in_one_form(item.message)
                refusal = self._refusal(message) if message is not None else None
            except (Away, TooLarge):
                if applied < request.first:
                    raise
                self.is_certain = False
                break
            applied += 1
            if refusal is not None:
                refused.append({"number": applied, "error": refusal})
        return {"server": "stock", "applied": applied, "durable": None, "refused": refused}

    def _in_one_form(self, message: Message) -> Message | None:
        """The message as Visdom's own client sends it, which asks whether the window exists. None if there is nothing to say."""
        return message.one_form(self._exists(message.window)) if message.has_other_form else message

    def _refusal(self, message: Message) -> dict[str, Any] | None:
        """Send one message. Returns the error, if the server does not take it."""
        answer = self._post(message)
        if answer.server is not None:
            self.is_certain = False
        if answer.status == 200:
            if message.endpoint == "close":
                self._check_closed(message, answer)
                return None
            return self._window_refusal(message, answer)
        is_refusal = is_error_page(answer) or refuses_politely(answer)
        if answer.status != 413 and not is_refusal:
            raise stranger(answer)
        if not is_stock(self._exchange):
            raise stranger(answer)
        if answer.status == 413:
            raise TooLarge
        return _error(str(answer.status), answer.title or answer.text or "no reason given")

    def _window_refusal(self, message: Message, answer: Answer) -> dict[str, Any] | None:
        text = answer.text
        if answer.media_type in TEXT and text != "":
            if text == message.window[1]:
                return None
            if text.startswith(WINDOW_REFUSALS):
                return _error("unknown_window" if text == WINDOW_REFUSALS[0] else "wrong_window", text)
            if self._goes_by(message.window, text):
                return None
        raise stranger(answer)

    def _goes_by(self, window: Window, name: str) -> bool:
        """Whether the window calls itself so: one that was set through ``/win_data`` may have another id than its own."""
        answer = _ask(self._exchange, "win_data", {"eid": window[0], "win": window[1]}, QUESTION_TIMEOUT_S)
        return (windows(answer) or {}).get("id") == name

    def _check_closed(self, message: Message, answer: Answer) -> None:
        """A close is answered with nothing, as by whoever has nothing to say: the window has to be gone."""
        for _ in range(2):
            if not is_made(answer):
                raise stranger(answer)
            if self._is_closed(message.window):
                return
            answer = self._post(message)

    def _is_closed(self, window: Window) -> bool:
        eid, win = window
        if win is not None:
            return not self._exists(window)
        answer = _ask(self._exchange, "win_data", {"eid": eid, "win": None}, REPLY_TIMEOUT_S)
        held = windows(answer)
        if held is None:
            raise stranger(answer)
        return not held

    def _exists(self, window: Window) -> bool:
        answer = _ask(self._exchange, "win_exists", {"eid": window[0], "win": window[1]}, QUESTION_TIMEOUT_S)
        exists = existence(answer)
        if exists is None:
            raise stranger(answer)
        return exists

    def _post(self, message: Message) -> Answer:
        answer = self._exchange.ask(f"/{message.endpoint}", message.body(), within_s=REPLY_TIMEOUT_S)
        if asks_for_login(answer):
            raise stranger(answer)
        return answer


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message[:200], "field": None}


def _ask(exchange: Exchange, endpoint: str, body: dict[str, Any], within_s: float) -> Answer:
    return exchange.ask(f"/{endpoint}", json.dumps(body).encode(), within_s=within_s)
