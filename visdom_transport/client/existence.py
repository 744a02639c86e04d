"""Whether a window exists: what the server says, and what the publisher knows while the server cannot be asked."""

from __future__ import annotations

from visdom_transport.client.messages.calls import Window
from visdom_transport.client.sender import Sender


def exists_for_append(sender: Sender, window: Window) -> bool | None:
    """For Visdom's methods, which ask before each append. What this publisher made or fed itself is not asked for.

    None if nobody knows: what is sent then says what it means in either case.
    """
    known = sender.windows.exists(window)
    if known is not None:
        return known
    since = sender.mark
    answer = sender.exists(window)
    return None if answer is None else sender.learned(window, answer, since)


def exists_for_caller(sender: Sender, window: Window) -> bool | None:
    """Whether the window exists once all that was published before has arrived. None if nobody knows."""
    since = sender.mark
    caught_up = sender.catch_up()
    known = sender.windows.exists(window)
    if known is not None and not caught_up:
        return known
    answer = sender.exists(window)
    if known and answer is False:
        # Either somebody has closed it, or the server was restarted without it and has to be told again.
        if not sender.catch_up(afresh=True):
            return known
        answer = sender.exists(window)
    return known if answer is None else sender.learned(window, answer, since)
