"""Mistakes that the suite must find, each planted in the running server, or in clients as far as the mistake is a client's.

A plant of the server changes one function before the server starts. Its name says what is wrong then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Plant = Callable[[], None]


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """`wrapper` gets the original as its first argument."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **named: wrapper(original, *args, **named))


def skip_an_offset() -> None:
    """A reader that resumes is taken to have one change more than it has."""
    from visdom_transport.core.state_feed import StateFeed

    def begin(original: Any, feed: Any, position: Any, **named: Any) -> Any:
        cursor, verdict = original(feed, position, **named)
        if verdict.recovered and 0 <= cursor.offset < feed.offset:
            cursor.offset += 1
        return cursor, verdict

    wrap(StateFeed, "begin", begin)


def skip_an_event() -> None:
    """The last event of a batch is left out, and the batch says it is there."""
    from visdom_transport.core.event_feed import EventFeed

    def collect(original: Any, *args: Any, **named: Any) -> Any:
        batch = original(*args, **named)
        if batch is not None and len(batch.events) > 2:
            batch.events.pop()
        return batch

    wrap(EventFeed, "collect", collect)


def apply_twice() -> None:
    """A command that is sent again is carried out again."""
    from visdom_transport.core.conversation import Conversation

    def command(original: Any, conversation: Any, message: Any, now: float) -> None:
        session = conversation.session
        session.last_command = min(session.last_command, message["id"] - 1)
        original(conversation, message, now)

    wrap(Conversation, "_command", command)


def publish_twice() -> None:
    """What a publisher sends again is applied again."""
    from visdom_transport.visdom.publishing import exactly_once as publish_endpoint

    def publish(original: Any, transport: Any, request: Any) -> Any:
        publisher = transport.publishers.find(request["producer"], request["first"])
        if publisher is not None and request["messages"]:
            publisher.applied = min(publisher.applied, request["first"] - 1)
        return original(transport, request)

    wrapped = publish_endpoint.publish
    publish_endpoint.PublishHandler.post = publish_endpoint.posted(lambda *args: publish(wrapped, *args))  # type: ignore[method-assign]


def forget_a_tombstone() -> None:
    """A window that is closed is not remembered as closed."""
    from visdom_transport.core.changes import Changes

    def delete(original: Any, changes: Any, key: str) -> int:
        trimmed: int = original(changes, key)
        changes._tombstones.pop(key, None)
        changes._by_key.pop(key, None)
        return trimmed

    wrap(Changes, "delete", delete)


def ack_before_apply() -> None:
    """A batch counts as applied when it is sent."""
    from visdom_transport.core.link import Link

    def take(original: Any, link: Any) -> Any:
        messages: list[bytes] = []
        while sent := original(link):
            messages += sent
            link.acknowledge_all()
        return messages

    wrap(Link, "take_messages", take)


def durable_before_disk() -> None:
    """A publisher is told that everything it sent is on disk."""
    from visdom_transport.visdom.durability.publishers import Publishers

    def find(original: Any, *args: Any) -> Any:
        publisher = original(*args)
        if publisher is not None:
            type(publisher).durable = property(lambda self: self.applied, lambda self, value: None)
        return publisher

    wrap(Publishers, "find", find)


def lose_a_position_on_a_link_switch() -> None:
    """A reader of events that comes back over another kind of link begins at the head."""
    from visdom_transport.core.conversation import Conversation

    def hello(original: Any, conversation: Any, message: Any, now: float) -> None:
        before = kinds.get(message.get("session"))
        if before is not None and before != conversation.link.kind:
            message = {**message, "feeds": dict.fromkeys(message["feeds"])}
        original(conversation, message, now)
        kinds[conversation.session.id] = conversation.link.kind

    kinds: dict[str, str] = {}
    wrap(Conversation, "_hello", hello)


def unbounded_buffer() -> None:
    """A client that does not acknowledge is sent everything all the same."""
    from visdom_transport.core.link import Link

    Link.has_credit = property(lambda link: True)  # type: ignore[method-assign, assignment]


def stale_secret_accepted() -> None:
    """Any secret opens a session."""
    from visdom_transport.core.session import Session

    Session.knows_secret = lambda session, secret: True  # type: ignore[method-assign]


def echo_close() -> None:
    """The close with which a page answers a close is carried out."""
    from visdom_transport.links.stock import StockBrowser

    StockBrowser.is_echo = lambda dialect, command: False  # type: ignore[method-assign]


def dead_links_stay() -> None:
    """Nobody looks for links that are silent."""
    from visdom_transport.core.hub import Hub

    Hub.tick = lambda hub, now: None  # type: ignore[method-assign]


def trim_without_a_word() -> None:
    """A source that has missed events is not told."""
    from visdom_transport.core.event_feed import EventFeed

    def collect(original: Any, *args: Any, **named: Any) -> Any:
        batch = original(*args, **named)
        if batch is not None and batch.missed:
            batch.start += batch.missed
            batch.missed = 0
        return batch

    wrap(EventFeed, "collect", collect)


def believe_everybody(publisher: Any) -> None:
    """Whatever answers has applied everything, and keeps it for good."""
    from visdom_transport.client.asking.errors import Away

    def publish(original: Any, request: Any) -> Any:
        try:
            reply = original(request)
        except Away as away:
            if away.kind != "stranger":
                raise
            number = request.first + len(request.items) - 1
            return {"server": "somebody", "applied": number, "durable": number, "refused": []}
        return reply

    wrap(publisher._sender._connection, "publish", publish)


SERVER_PLANTS: dict[str, Plant] = {
    plant.__name__.replace("_", "-"): plant
    for plant in (
        skip_an_offset,
        skip_an_event,
        apply_twice,
        publish_twice,
        forget_a_tombstone,
        ack_before_apply,
        durable_before_disk,
        lose_a_position_on_a_link_switch,
        unbounded_buffer,
        stale_secret_accepted,
        echo_close,
        dead_links_stay,
        trim_without_a_word,
    )
}

CLIENT_PLANTS: dict[str, str] = {
    "client-acks-before-it-applies": "A client counts a batch as applied when it arrives, and applies it later.",
    "a-fronts-page-counts-as-an-answer": "A publisher takes the page of a front for the server's answer.",
}
PLANTS = (*SERVER_PLANTS, *CLIENT_PLANTS)
