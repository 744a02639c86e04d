"""Which answers are a Visdom server's, and not those of a proxy, a login page or a network that has something to say.

An answer that is none of these decides about nothing: it is an outage.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from visdom_transport.client.asking.answers import Answer
from visdom_transport.client.asking.errors import Away
from visdom_transport.client.messages.calls import window_of

JSON: Final = "application/json"
TEXT: Final = frozenset({"text/html", "text/plain", ""})
"""Visdom calls all it says HTML, also what is none; this package calls it plain text. Some proxies drop what it is called."""

NOT_NOW: Final = frozenset({408, 425, 429, 502, 503, 504})
"""What says, whoever says it, that the server does not serve at this moment."""
WINDOW_REFUSALS: Final = ("win does not exist", "win is not ")
"""How Visdom says, with status 200, that it does not change a window."""
NOT_FOUND: Final = ("no window ", "no environment ")
"""How servers of this package begin their 404."""
_WINDOW_MEMBERS: Final = frozenset({"command", "content", "type"})
_ERROR_PAGE: Final = "Visdom - Error"
"""Title of the page that Visdom 0.3.0 shows for an error. Visdom 0.2.4 says nothing at all."""


# --- of servers with this package ---


def publish_reply(answer: Answer) -> dict[str, Any] | None:
    """The reply to a publisher (docs/protocol.md, section 9), if that is what this is."""
    if answer.status != 200 or answer.media_type not in (JSON, ""):
        return None
    reply = answer.json()
    if not isinstance(reply, dict) or not _is_publish_reply(reply):
        return None
    return reply if answer.server in (None, reply["server"]) else None


def _is_publish_reply(reply: dict[str, Any]) -> bool:
    return (
        isinstance(reply.get("server"), str)
        and reply["server"] != ""
        and all(name in reply and (reply[name] is None or _is_number(reply[name])) for name in ("applied", "durable"))
        and isinstance(reply.get("refused"), list)
        and all(
            isinstance(refusal, dict) and _is_number(refusal.get("number")) and isinstance(refusal.get("error"), dict)
            for refusal in reply["refused"]
        )
    )


def own_error(answer: Answer) -> dict[str, Any] | None:
    """The error that a server of this package refuses a request with, if this is one."""
    body = answer.json() if answer.status >= 400 and answer.media_type in (JSON, "") else None
    error = body.get("error") if isinstance(body, dict) and len(body) == 1 else None
    if not isinstance(error, dict) or error.keys() != {"code", "message", "field"}:
        return None
    texts = isinstance(error["code"], str) and isinstance(error["message"], str)
    return error if texts and (error["field"] is None or isinstance(error["field"], str)) else None


# --- of any Visdom ---


def asks_for_login(answer: Answer) -> bool:
    """Whether this is how a Visdom says that nobody is logged in: 0.2.4 with 400, 0.3.0 with 401, and without a word."""
    return answer.status in (400, 401) and not answer.content and "www-authenticate" not in answer.headers


def is_logged_in(answer: Answer) -> bool:
    """Whether this is how a Visdom takes a user name and password."""
    return answer.status == 200 and not answer.content and "set-cookie" in answer.headers


def login_refusal(answer: Answer) -> str | None:
    """Why a Visdom lets nobody in by this user name and password, if this is how one says it."""
    if answer.status == 400 and not answer.content:
        return "it does not accept the user name and password"
    error = own_error(answer)
    if error is not None:
        return str(error["message"])
    return "it has no login" if is_error_page(answer) else None


def is_error_page(answer: Answer) -> bool:
    """Whether this is what Visdom itself shows for what it cannot do."""
    if answer.status < 400 or answer.media_type != "text/html":
        return False
    if not answer.content:
        return answer.status == 500
    return answer.title.startswith(_ERROR_PAGE)


def is_foreign_page(text: str) -> bool:
    """Whether a text is a page, and none that a Visdom shows for an error."""
    answer = Answer(500, {"content-type": "text/html"}, text.encode(errors="replace"))
    return _is_page(answer) and not is_error_page(answer)


def existence(answer: Answer) -> bool | None:
    """What a server says to ``/win_exists``; None if this is no such answer."""
    if answer.status == 200 and answer.media_type in TEXT and answer.content in (b"true", b"false"):
        return answer.content == b"true"
    return None


def environments(answer: Answer) -> list[str] | None:
    """What a server says to ``/env_state``; None if this is no such answer."""
    names = answer.json() if answer.status == 200 else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def windows(answer: Answer) -> dict[str, Any] | None:
    """What a server says to ``/win_data``: a window, or the windows of an environment by id; None if this is no such answer."""
    data = _lenient_json(answer) if answer.status == 200 else None
    if not isinstance(data, dict):
        return None
    is_window = not _WINDOW_MEMBERS.isdisjoint(data)
    return data if is_window or all(isinstance(window, dict) for window in data.values()) else None


def is_made(answer: Answer) -> bool:
    """Whether this may be how a Visdom says that something is done of which there is nothing to say."""
    return answer.status == 200 and not answer.content and answer.media_type in TEXT


def stranger(answer: Answer) -> Away:
    """Why an answer decides about nothing."""
    error = own_error(answer)
    if error is not None:
        return Away(f"it answers {answer.status}: {error['message'][:200]}", "silent", answer.retry_after_s)
    if asks_for_login(answer):
        return Away("it asks for a login", "login")
    if answer.server is not None or answer.status in NOT_NOW:
        return Away(f"it answers {answer.describe()}", "silent", answer.retry_after_s)
    return Away(f"something else answers in its place: {answer.describe()}", "stranger", answer.retry_after_s)


def is_visdoms(answer: Answer, path: str, sent: str) -> bool:
    """Whether a Visdom, with this package or without, would give this answer to what was sent to ``path``."""
    if answer.server is not None or own_error(answer) is not None:
        return True
    if answer.status != 200:
        not_found = answer.status == 404 and answer.media_type == "text/plain" and answer.text.startswith(NOT_FOUND)
        return not_found or is_error_page(answer) or asks_for_login(answer) or refuses_politely(answer)
    endpoint = path.strip("/").partition("/")[0]
    fits = _ANSWERS.get(endpoint)
    return fits(answer, sent) if fits is not None else not _is_page(answer)


def refuses_politely(answer: Answer) -> bool:
    """Of 0.3.0: JSON that says so, or a sentence about the window."""
    body = answer.json()
    if isinstance(body, dict):
        return body.get("success") is False or (body.keys() == {"error"} and str(body["error"]).startswith("env "))
    return answer.status == 400 and answer.text.startswith(WINDOW_REFUSALS)


def _echoes(answer: Answer, sent: str) -> bool:
    """Whether it says the id of the window that was sent, or why that was not changed."""
    text = answer.text
    if answer.media_type not in TEXT or not text:
        return False
    is_sent = json.dumps(text) in sent or f'"win": {text}' in sent  # some number their windows
    return is_sent or text.startswith(WINDOW_REFUSALS)


def _is_page(answer: Answer) -> bool:
    return answer.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _is_object(answer: Answer, _: str) -> bool:
    return isinstance(answer.json(), dict)


def _is_state(answer: Answer, _: str) -> bool:
    return environments(answer) is not None or windows(answer) is not None


def _is_data(answer: Answer, sent: str) -> bool:
    if is_made(answer):
        return '"data": ' in sent
    return windows(answer) is not None


def _is_forked(answer: Answer, sent: str) -> bool:
    try:
        eid = window_of(json.loads(sent)["eid"], None)[0]
    except (ValueError, TypeError, KeyError):
        return False
    return answer.media_type in TEXT and answer.text == eid


_ANSWERS: Final[dict[str, Callable[[Answer, str], bool]]] = {
    "close": lambda answer, _: is_made(answer),
    "delete_env": lambda answer, _: is_made(answer),
    "embedding": _echoes,
    "env": lambda answer, _: is_made(answer),
    "env_state": _is_state,
    "events": _echoes,
    "experiments": _is_object,
    "fork_env": _is_forked,
    "save": lambda answer, _: environments(answer) is not None,
    "update": _echoes,
    "vis_socket_wrap": _is_object,
    "win_data": _is_data,
    "win_exists": lambda answer, _: existence(answer) is not None,
    "win_hash": lambda answer, _: answer.media_type in TEXT and answer.text.isalnum(),
}
"""What a Visdom says to each request that it carries out."""


def _lenient_json(answer: Answer) -> Any:
    """As Visdom 0.2.4 writes it, with NaN."""
    try:
        return json.loads(answer.text)
    except (ValueError, RecursionError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
