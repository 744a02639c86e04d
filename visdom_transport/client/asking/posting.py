"""What `visdom.Visdom` posts and waits for: bounded in time, and answered by a Visdom or not at all.

These take the places of `Visdom._handle_post` and `Visdom.session`. A proxy's error page, a login page or silence raise what a
server raises that cannot be reached; Visdom's methods make of that what they always do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import weakref
from typing import Any, Final

import requests

from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away, LoginRefused
from visdom_transport.client.asking.exchange import MAX_TOLD, Exchange
from visdom_transport.client.asking.proof import asks_for_login, is_visdoms, own_error, stranger

logger = logging.getLogger("visdom_transport.client")

ANSWER_WITHIN_S: Final = 25.0
"""How long an answer may be silent. A server that swaps, or is stopped, is as good as none."""

_exchanges: weakref.WeakKeyDictionary[Any, tuple[Exchange, int]] = weakref.WeakKeyDictionary()
"""Of each client, with the process it is for."""
_told: set[tuple[str, ...]] = set()
"""The refusals that the log has."""


def exchange_of(vis: Any) -> Exchange:
    """How a `visdom.Visdom` asks its server. Its session may be another one for each request."""
    exchange, process = _exchanges.get(vis, (None, 0))
    if exchange is None or process != os.getpid() or exchange.address != Address.of(vis):
        if process not in (0, os.getpid()):
            vis._session = None  # the connections are those of the process this one was forked from
        exchange = Exchange(Address.of(vis))
        _exchanges[vis] = exchange, os.getpid()
    return exchange


def _session(vis: Any) -> requests.Session:
    """The session of a `visdom.Visdom`, logged in.

    Raises:
        requests.ConnectionError: there is no server to log in to.
        RuntimeError: it does not accept the user name and password.
    """
    # 0.3.0 has a lock, because its thread closes an idle session.
    with getattr(vis, "_session_lock", contextlib.nullcontext()):
        exchange = exchange_of(vis)
        if vis._session is None:
            exchange.session = None
            try:
                vis._session = exchange.open()
            except LoginRefused as refused:
                raise RuntimeError(f"Authentication failed: {refused}") from refused
            except Away as away:
                raise _unreachable(away) from away
        session: requests.Session = vis._session
        return session


session = property(_session)


def handle_post(vis: Any, url: str, data: Any = None, within_s: float | None = None) -> str:
    """Post to the server of a `visdom.Visdom`, and return what it says.

    Raises:
        requests.RequestException: nobody answers within the time, or it is no Visdom that does.
        RuntimeError: the server does not accept the user name and password.
    """
    vis._last_post_time = time.time()  # for 0.3.0, which closes idle connections
    had_session = vis._session is not None
    sent = data if isinstance(data, str) else ""
    path = url.removeprefix(Address.of(vis).url)
    within_s = ANSWER_WITHIN_S if within_s is None else within_s
    try:
        try:
            answer = _ask(vis, path, sent, within_s)
        except Away as away:
            if not (had_session and _is_cut(away) and hasattr(vis, "_session_lock")):
                raise
            # As 0.3.0 does: the connection may have been idle for so long that somebody has closed it.
            answer = _ask(vis, path, sent, within_s)
        if not is_visdoms(answer, path, sent):
            raise stranger(answer)
    except Away as away:
        raise _unreachable(away) from away
    # Whoever posts an embedding reads the error.
    return answer.text if answer.status < 400 or path == "/embedding" else _refused(vis, path, answer)


def _refused(vis: Any, path: str, answer: Answer) -> str:
    """What a program gets for a refusal: nothing that it could take for what it asked for, such as the id of a window."""
    error = own_error(answer)
    cause = (path, str(error["code"]), str(error["field"])) if error is not None else ("",)
    if error is not None and cause not in _told and len(_told) < MAX_TOLD:
        _told.add(cause)
        field = f"{error['field']}: " if error["field"] else ""
        logger.warning(
            "the Visdom server at %s refused a call to %s: %s%s (%s). Others refused for the same cause are not logged.",
            Address.of(vis).shown,
            path,
            field,
            error["message"],
            error["code"],
        )
    if path != "/env_state" or not answer.content:
        return ""
    # Visdom 0.3.0's client reads this one, and finds an error in it.
    said = answer.json()
    return json.dumps(said if isinstance(said, dict) and "error" in said else {"error": answer.text})


def _ask(vis: Any, path: str, sent: str, within_s: float) -> Answer:
    exchange = exchange_of(vis)
    exchange.session = vis.session
    answer = exchange.ask(path, sent.encode(), within_s=within_s)
    if asks_for_login(answer) and vis.username:
        # A server that was restarted may have forgotten who is logged in. Nothing was done yet.
        exchange.log_in(vis.session)
        answer = exchange.ask(path, sent.encode(), within_s=within_s)
    return answer


def _is_cut(away: Away) -> bool:
    cause = away.__cause__
    return isinstance(cause, requests.ConnectionError) and not isinstance(cause, requests.Timeout | requests.exceptions.SSLError)


def _unreachable(away: Away) -> requests.RequestException:
    """In the form in which Visdom's client knows it."""
    cause = away.__cause__
    return cause if isinstance(cause, requests.RequestException) else requests.ConnectionError(str(away))
