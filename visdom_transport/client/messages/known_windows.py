"""What a publisher knows about the windows it feeds."""

from __future__ import annotations

from collections import OrderedDict

from visdom_transport.client.messages.calls import Message, Window, capture
from visdom_transport.core.encoding import decode

MAX_WINDOWS = 10_000
MAX_CREATION_BYTES = 64_000
MAX_CREATIONS_BYTES = 16_000_000

_KEPT_ITEMS = 16
"""Longer lists in a trace of a creation are points, which are no use for making the window again."""


class Windows:
    """Which windows exist, as far as this publisher's own calls tell, and the calls that make them again.

    Bounded: the windows not fed for longest are forgotten first, and are asked for when they are fed again.
    """

    def __init__(self) -> None:
        self._exists: OrderedDict[Window, bool] = OrderedDict()
        self._sure: set[Window] = set()
        self._emptied: set[str] = set()
        self._creations: OrderedDict[Window, Message] = OrderedDict()
        self._creation_bytes = 0

    # --- whether they exist ---

    def exists(self, window: Window) -> bool | None:
        """Whether the window exists once all that was published has arrived, or None if only the server can tell."""
        known = self._exists.get(window)
        return False if known is None and window[0] in self._emptied else known

    def is_sure(self, window: Window) -> bool:
        """Whether the window exists for sure: not only because of a call that may be refused."""
        return window in self._sure

    def published(self, message: Message) -> None:
        """Note what a message does when it arrives."""
        if message.endpoint != "close":
            if message.creates:
                self._note(message.window, True)
            if message.makes:
                self._sure.add(message.window)
        elif message.window[1] is None:
            self._forget_all(message.window[0])
            self._emptied.add(message.window[0])
        else:
            self.learned(message.window, False)

    def learned(self, window: Window, exists: bool) -> None:
        """Note what the server knows."""
        self._note(window, exists)
        if exists:
            self._sure.add(window)
        else:
            self._sure.discard(window)

    def _note(self, window: Window, exists: bool) -> None:
        self._exists[window] = exists
        self._exists.move_to_end(window)
        if len(self._exists) > MAX_WINDOWS:
            self._sure.discard(self._exists.popitem(last=False)[0])

    def forget(self, window: Window) -> None:
        """Ask when the window is fed again; without an id, this is for all windows of the environment."""
        if window[1] is None:
            self._forget_all(window[0])
            self._emptied.discard(window[0])
            self._forget_creations(window[0])
        else:
            self._exists.pop(window, None)
            self._sure.discard(window)

    # --- how to make them again ---

    def confirmed(self, message: Message, creation: Message | None) -> None:
        """Note a message that is not kept any more, and what `creation_of` makes of it."""
        if message.endpoint == "close":
            if message.window[1] is None:
                self._forget_creations(message.window[0])
            else:
                self._drop(message.window)
        elif message.endpoint == "events" and message.window[1] is not None:
            self._drop(message.window)
            if creation is not None:
                self._creations[message.window] = creation
                self._creation_bytes += creation.size_bytes
                while self._creation_bytes > MAX_CREATIONS_BYTES or len(self._creations) > MAX_WINDOWS:
                    self._drop(next(iter(self._creations)))

    def creations(self) -> list[Message]:
        """The calls that make the windows again, in the order they were made."""
        return list(self._creations.values())

    def _drop(self, window: Window) -> None:
        creation = self._creations.pop(window, None)
        if creation is not None:
            self._creation_bytes -= creation.size_bytes

    def _forget_creations(self, eid: str) -> None:
        for window in [each for each in self._creations if each[0] == eid]:
            self._drop(window)

    def _forget_all(self, eid: str) -> None:
        for window in [each for each in self._exists if each[0] == eid]:
            self.forget(window)


def creation_of(message: Message) -> Message | None:
    """The call that makes a window again, without its points if they are many. None if there is none, or it is too large."""
    if message.endpoint != "events" or message.window[1] is None:
        return None
    if message.size_bytes <= MAX_CREATION_BYTES:
        return message
    body = decode(message.body())
    for item in body["data"] if isinstance(body.get("data"), list) else ():
        if not isinstance(item, dict):
            return None
        for key, value in item.items():
            if isinstance(value, list) and len(value) > _KEPT_ITEMS:
                item[key] = []
        if item.get("type") == "text":
            item["content"] = ""
    small = capture("events", body)
    return small if small.size_bytes <= MAX_CREATION_BYTES else None
