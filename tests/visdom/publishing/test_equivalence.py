"""Whatever Visdom's client says to a stock server, it may say to ours: the same replies, the same state afterwards.

Every scenario is performed by the client of the installed Visdom against a stock server of that Visdom, and what it said is said
again to ours. Content ids aside, replies and state must be the same. `EXCEPTIONS` lists where they are not meant to be.
"""

from __future__ import annotations

import json
import uuid
import warnings
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.server import VisdomServer
from tests.visdom.publishing.recorder import Exchange, Recorder, same_state, without_content_ids
from tests.visdom.publishing.scenarios import SCENARIOS

FAILED, REFUSED, NOT_FOUND = 500, 400, 404


@dataclass(frozen=True)
class Otherwise:
    """Where ours answers otherwise. `state` says that the windows differ, too."""

    path: str
    stock: int
    ours: int
    why: str
    state: bool = False


#: By scenario. docs/equivalence.md has the same for people.
EXCEPTIONS: dict[str, list[Otherwise]] = {
    "requests_to_nobody": [Otherwise("/close", FAILED, 200, "closing what is not there is no error, whatever is not there")],
    "window_set_without_index": [
        Otherwise("/events", FAILED, 200, "a window that was set without an index can be replaced", state=True)
    ],
}
EXCEPTIONS["missing_environments"] = EXCEPTIONS["requests_to_nobody"]
EXCEPTIONS["malformed_requests"] = [Otherwise("/env/x", 200, REFUSED, "what is no object is refused everywhere")]
if not NEW_VISDOM:
    EXCEPTIONS["malformed_requests"].append(Otherwise("/env_state", 200, REFUSED, "likewise"))
    EXCEPTIONS["deleting"] = [
        Otherwise("/delete_env", FAILED, 200, "nothing is left to fail when an environment was never saved, or is not there")
    ]
    EXCEPTIONS["missing_environments"] = [
        *EXCEPTIONS["missing_environments"],
        *EXCEPTIONS["deleting"],
    ]


def differs(expected: Exchange, status: int, reply: str) -> str | None:
    """How an answer differs from the stock server's. The text of an error page does not matter, and where it fails on what it
    is given, a refusal that says what is wrong is as good."""
    if (expected.status, status) == (FAILED, REFUSED):
        error = json.loads(reply)["error"]
        return None if {"code", "message", "field"} <= error.keys() else f"{expected.path}: no error in {reply}"
    if (expected.status, status) == (FAILED, NOT_FOUND):
        return None if "no window" in reply or "no environment" in reply else f"{expected.path}: no reason in {reply}"
    if status != expected.status:
        return f"{expected.path} {expected.body[:200]}: stock {expected.status}, ours {status} {reply[:200]}"
    if status < 400 and without_content_ids(parsed(reply)) != without_content_ids(parsed(expected.reply)):
        return f"{expected.path} {expected.body[:200]}: stock {expected.reply[:300]!r}, ours {reply[:300]!r}"
    return None


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_replies_and_the_same_state(stock: VisdomServer, ours: VisdomServer, name: str) -> None:
    env = f"{name}_{uuid.uuid4().hex[:6]}"
    recorder = Recorder(stock, env)
    with warnings.catch_warnings(action="ignore"):
        SCENARIOS[name](recorder)
    recorder.session.close()
    assert len(recorder.exchanges) > 1 or (name.endswith("030") and not NEW_VISDOM), "the client said nothing"
    expected = {each.path: each for each in EXCEPTIONS.get(name, [])}
    met = set()
    for exchange in recorder.exchanges:
        answer = ours.http.post(ours.url(exchange.path), data=exchange.body.encode(), timeout=20)
        exception = expected.get(exchange.path)
        if exception and (exchange.status, answer.status_code) == (exception.stock, exception.ours):
            met.add(exchange.path)
            continue
        difference = differs(exchange, answer.status_code, answer.text)
        assert difference is None, difference
    assert met == set(expected), "an exception that does not happen any more"
    if not any(each.state for each in expected.values()):
        same_state(ours, stock, env)


def test_saved_environments_are_the_same_on_disk(stock: VisdomServer, ours: VisdomServer) -> None:
    env = f"disk_{uuid.uuid4().hex[:6]}"
    recorder = Recorder(stock, env)
    recorder.text("one", win="a")
    recorder.line(Y=[1, 2], win="l")
    recorder.save([env])
    recorder.session.close()
    for exchange in recorder.exchanges:
        ours.http.post(ours.url(exchange.path), data=exchange.body, timeout=20).raise_for_status()
    files = [json.loads((server.directory / "envs" / f"{env}.json").read_text()) for server in (stock, ours)]
    del files[1]["transport"]
    assert without_content_ids(files[0]) == without_content_ids(files[1])
