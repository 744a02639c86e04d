"""Subclasses of publishers, and publishers of subclasses: what they add is kept, and what they override is called."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import visdom

from tests.client.publishers import TIMEOUT_S
from tests.support.local import LocalServer
from tests.support.records import Records
from visdom_transport.client import Publisher

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

Visdom: Any = visdom.Visdom


class Sends(Publisher):
    """Counts what it sends."""

    def __init__(self, run: str, **arguments: Any) -> None:
        self.run = run
        super().__init__(**arguments)
        self.sent: list[str] = []

    def _send(self, msg: dict[str, Any], endpoint: str = "events", *args: Any, **more: Any) -> Any:
        vars(self).setdefault("sent", []).append(endpoint)
        return super()._send(msg, endpoint, *args, **more)


class Posts(Publisher):
    """Sees every request."""

    posted: tuple[str, ...] = ()

    def _handle_post(self, url: str, data: Any = None) -> str:
        self.posted += (url.rpartition("/")[2],)
        return super()._handle_post(url, data)


class OldSends(Visdom):  # type: ignore[misc]
    """Visdom's client with a method of somebody's, made before there was a publisher."""

    def __init__(self, *args: Any, run: str = "", **arguments: Any) -> None:
        self.run = run
        self.sent: list[str] = []
        super().__init__(*args, **arguments)

    def _send(self, msg: dict[str, Any], endpoint: str = "events", *args: Any, **more: Any) -> Any:
        self.sent.append(endpoint)
        return super()._send(msg, endpoint, *args, **more)


class OldPosts(Visdom):  # type: ignore[misc]
    posted: tuple[str, ...] = ()

    def _handle_post(self, url: str, data: Any = None) -> str:
        self.posted += (url.rpartition("/")[2],)
        return str(super()._handle_post(url, data))


class SendsBehind(Publisher, OldSends):
    pass


class PostsBehind(Publisher, OldPosts):
    pass


class Slotted(Publisher):
    __slots__ = ("inner",)


class OwnState(Publisher):
    """Leaves out what cannot be pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.lock = "new"


Make = Callable[..., Any]
Copied = Callable[[Any], Any]


@pytest.fixture
def make(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(logging.getLogger("visdom"), "disabled", True)
    made: list[Any] = []

    def make(kind: Any, **arguments: Any) -> Any:
        made.append(kind(server="http://127.0.0.1", port=server.port, use_incoming_socket=False, env="e", **arguments))
        return made[-1]

    yield make
    for each in made:
        each.finish(TIMEOUT_S)


@pytest.fixture
def copied(make: Make) -> Iterator[Callable[[Any], Any]]:
    """Makes copies through a pickle."""
    made: list[Any] = []

    def copied(vis: Any) -> Any:
        vis.finish(TIMEOUT_S)
        made.append(pickle.loads(pickle.dumps(vis)))
        return made[-1]

    yield copied
    for each in made:
        each.finish(TIMEOUT_S)


def test_a_send_of_a_subclass_is_called_and_publishes_in_the_background(server: LocalServer, make: Make) -> None:
    vis = make(Sends, run="a")
    assert vis.text("x", win="w") == "w"
    assert vis.flush(TIMEOUT_S)
    assert (vis.sent, vis.counters.calls, list(server.windows("e"))) == (["events"], 1, ["w"])


@pytest.mark.parametrize("kind", [Posts, PostsBehind, SendsBehind])
def test_other_overrides_are_called_for_each_request(server: LocalServer, make: Make, records: Records, kind: Any) -> None:
    records.ignore("is called for each request")
    vis = make(kind)
    assert vis.text("x", win="w") == "w"
    assert vis.line(X=[1], Y=[1], win="l", update="append") == "l"
    # It did not wait for anybody.
    assert sorted(server.windows("e")) == ["l", "w"]
    seen = vis.sent if kind is SendsBehind else vis.posted
    assert {"events", "win_exists"} <= set(seen)
    assert vis.win_exists("w")
    assert (vis.counters.calls, vis.flush(TIMEOUT_S)) == (0, True)
    vis.session.close()


def test_a_copy_has_what_was_added_and_changed(server: LocalServer, make: Make, copied: Copied) -> None:
    vis = make(Sends, run="a")
    vis.notes = {"epoch": 3}
    vis.env, vis.raise_exceptions = "other", True
    copy = copied(vis)
    assert type(copy) is Sends
    assert (copy.run, copy.sent, copy.notes, copy.env, copy.raise_exceptions) == ("a", [], {"epoch": 3}, "other", True)
    copy.text("x", win="w")
    assert copy.finish(TIMEOUT_S)
    assert list(server.windows("other")) == ["w"]


def test_a_copy_of_a_publisher_before_a_subclass_has_its_arguments(make: Make, copied: Copied, records: Records) -> None:
    records.ignore("is called for each request")
    vis = make(SendsBehind, run="b")
    copy = copied(vis)
    assert (type(copy), copy.run, copy.env) == (SendsBehind, "b", "e")
    for each in (vis, copy):
        each.session.close()


def test_a_copy_has_slots_and_a_state_of_its_own(make: Make, copied: Copied) -> None:
    slotted = make(Slotted)
    slotted.inner, slotted.outer = 1, 2
    copy = copied(slotted)
    assert (copy.inner, copy.outer) == (1, 2)
    own = make(OwnState)
    own.lock, own.note = json.dumps, "n"
    copy = copied(own)
    assert (copy.lock, copy.note) == ("new", "n")
