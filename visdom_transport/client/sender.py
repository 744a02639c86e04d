"""Background sender thread of a `Publisher`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from visdom_transport.client import processes
from visdom_transport.client.asking.address import Address
from visdom_transport.client.asking.connection import Connection
from visdom_transport.client.asking.errands import Errands
from visdom_transport.client.asking.errors import Away, TooLarge
from visdom_transport.client.asking.outage import Outage
from visdom_transport.client.asking.questions import Questions
from visdom_transport.client.asking.report import LOSES, WAITS, Report
from visdom_transport.client.holding import hold
from visdom_transport.client.messages.calls import Message, Window
from visdom_transport.client.messages.counters import Counters
from visdom_transport.client.messages.known_windows import Windows, creation_of
from visdom_transport.client.messages.request import Item
from visdom_transport.client.messages.request_size import RequestSize
from visdom_transport.client.options import Options
from visdom_transport.client.patience import Patience

INTERVAL_S = 0.1
"""Requests follow each other at this distance, so that a busy training loop makes few and full ones."""
QUESTION_INTERVAL_S = 0.5
"""How often a server is asked how much it keeps for good, when there is nothing to send."""
ANSWER_TIMEOUT_S = 10.0
"""How long a call that must know an answer waits for what was published before it."""
MOMENT_S = 1.0
"""A server that will be asked again sooner, after a first failure, is not away: most often only a connection is gone."""
WRITTEN_TIMEOUT_S = 5.0
"""How long the end of a process waits at least for its own disk."""
DURABLE_TIMEOUT_S = 40.0
"""How long a call waits for room while the server writes nothing of what it has applied: its disk may be full."""


class Sender:
    """Takes messages from any thread and sends them from one of its own, which begins with the first message.

    A process forked from this one begins with nothing to send, under a name of its own.
    """

    def __init__(self, address: Address, options: Options) -> None:
        self.address = address
        self.options = options
        self.windows = Windows()
        self._begin()
        processes.senders.add(self)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._connection = Connection(self.address)
        self._outbox, self._holding = hold(self.options, self._connection, self._changed)
        self._errands = Errands(self._connection, self._changed)
        self._questions = Questions(self.address)
        self._thread: threading.Thread | None = None
        self._idle = False
        self._ending = False
        self._hurry = 0
        self._outage = Outage()
        self._size = RequestSize(self._outbox)
        self._is_silent = False
        self._exchanges_begun = self._exchanges_done = self._exchanges_wanted = 0
        self._patience = Patience(time.monotonic())
        self._report = Report(self.address.shown, self.options.max_bytes, self.options.outbox_dir)

    # --- for callers ---

    @property
    def is_away(self) -> bool:
        """Whether the server cannot be asked: it did not answer twice, or has left a caller waiting since it last did."""
        return self._outage.failures > 1 or self._is_silent

    @property
    def mark(self) -> int:
        """Stands for everything put so far, for `learned`."""
        return self._outbox.mark

    @property
    def counters(self) -> Counters:
        """What became of the calls so far."""
        with self._changed:
            return self._outbox.snapshot()

    def put(self, message: Message) -> None:
        """Send a message, some time. Waits only if there is no room and nothing may be lost."""
        with self._changed:
            began = time.monotonic()
            while not self._offer(message):
                self._wait_for_room(began)
            self.windows.published(message)
            self._wake()

    def make_environment(self, eid: str) -> None:
        """Make an environment if there is none of this name, before anything that is sent later."""
        with self._changed:
            self._errands.make(eid)
            self._holding.note({eid: None}, {})
            self._wake()

    def save(self, eids: list[str]) -> str | None:
        """Have environments saved, and return what the server answers. None if it does not."""
        return None if self.is_away else self._questions.save(eids)

    def save_later(self, eids: Iterable[str]) -> None:
        """Save environments as soon as the server has everything put so far."""
        with self._changed:
            saves = dict.fromkeys(eids)
            self._errands.save(saves, self._outbox.mark)
            self._holding.note({}, saves)
            self._wake()

    def flush(self, timeout_s: float | None = None, *, durable: bool = False) -> bool:
        """Wait until the server has applied, or keeps for good, everything put so far. Returns whether it does."""
        with self._changed:
            mark = self._outbox.mark
            return self._wait_until(lambda: self._is_settled(mark, durable=durable), timeout_s)

    def catch_up(self, *, afresh: bool = False) -> bool:
        """As `flush`, for a call that must know an answer: not for long, nor for a server that is away.

        Args:
            afresh: first ask the server how far it is, in case that it has lost what it had applied.
        """
        with self._changed:
            mark = self._outbox.mark
            wanted = self._exchanges_begun + 1 if afresh else 0
            if afresh:
                self._exchanges_wanted = wanted
                self._wake()

            def is_settled() -> bool:
                return self._exchanges_done >= wanted and self._is_settled(mark)

            if not self._wait_until(lambda: self.is_away or is_settled(), ANSWER_TIMEOUT_S):
                self._is_silent = True
            return is_settled()

    def learned(self, window: Window, exists: bool, since: int) -> bool:
        """Note whether the server has a window. What was put after the `mark` was ``since`` knows better. Returns what holds."""
        with self._changed:
            known = self.windows.exists(window)
            if known is not None and self._outbox.mark != since:
                return known
            self.windows.learned(window, exists)
            return exists

    def forget(self, window: Window) -> None:
        """Note that it is not known any more whether the window is there; without an id, all of its environment."""
        with self._changed:
            self.windows.forget(window)

    def exists(self, window: Window) -> bool | None:
        """Ask the server whether a window is there. None if it does not answer."""
        return None if self.is_away else self._questions.exists(window)

    def finish(self, timeout_s: float | None = None) -> bool:
        """Flush, and end the thread. Returns whether the server has everything for good."""
        settled = self.flush(timeout_s, durable=True)
        with self._changed:
            thread = self._thread
            self._ending = True
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread() and settled:
            # It has nothing left to do but to clear up.
            thread.join(timeout_s if timeout_s is None else max(timeout_s, MOMENT_S))
        if settled:
            self._holding.finish()
        self._questions.close()
        return settled

    def finish_at_exit(self, began: float) -> None:
        """Flush as long as the options allow since ``began``, and say what is lost then."""
        until = began + self.options.exit_timeout_s
        with self._changed:
            is_kept = self._holding.wait_until_written(max(WRITTEN_TIMEOUT_S, until - time.monotonic()))
            if is_kept and self._holding.path is not None:
                # Nobody waits for a server that is away if nothing is lost.
                mark, left = self._outbox.mark, max(0.0, until - time.monotonic())
                self._wait_until(lambda: self.is_away or self._is_settled(mark, durable=True), left)
                until = 0.0
        if self.finish(max(0.0, until - time.monotonic())):
            return
        with self._changed:
            lost = self._outbox.unsent_calls
            self._outbox.counters.dropped += lost
        if lost:
            self._report.ended(lost, self.options.exit_timeout_s)
        elif self._holding.path is not None:
            self._report.left(self._holding.path.parent)

    def leave(self) -> None:
        """End the thread as soon as everything is sent; nobody is waiting for it."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def forked(self) -> None:
        """Start over in a forked process: the other one sends what it has, over its own connection."""
        self._connection.forget()
        self._questions.forget()
        self._outbox.close()
        self._holding.forked()
        self._begin()

    # --- under the lock ---

    def _wait_until(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait, with the thread in a hurry. Returns whether the condition holds."""
        self._hurry += 1
        try:
            self._changed.notify_all()
            return self._changed.wait_for(condition, timeout_s)
        finally:
            self._hurry -= 1

    def _is_settled(self, mark: int, *, durable: bool = False) -> bool:
        return not self._errands and not self._holding.is_behind and self._outbox.settled(mark, durable=durable)

    def _wait_for_room(self, began: float) -> None:
        """Wait for news. Note if there were none for so long that the program has to go on."""
        self._holding.look()
        if self.options.on_full != "drop_if_away":
            self._changed.wait(MOMENT_S)
            return
        wait_s = self._patience.wait_s(began, time.monotonic(), ANSWER_TIMEOUT_S, DURABLE_TIMEOUT_S)
        if wait_s is None:
            self._is_silent = True
            self._changed.wait(MOMENT_S)  # for the disk
        elif wait_s > 0:
            self._changed.wait(wait_s)

    def _offer(self, message: Message) -> bool:
        try:
            is_sure = self.windows.is_sure(message.window)
            taken = self._outbox.offer(message, window_exists=is_sure, is_away=self.is_away, keeps=self._patience.keeps)
            for item in self._outbox.released():
                self.windows.confirmed(item.message, creation_of(item.message))
        except OSError as error:
            taken = False
            self._report.full(f"and the file for the rest cannot be written ({error})")
        if not taken:
            if threading.current_thread() is self._thread:
                # A log handler that publishes: this thread cannot wait for itself.
                self._outbox.counters.dropped += message.calls
                return True
            self._report.full(WAITS)
            self._wake()
        elif self._outbox.lost:
            self._report.full(LOSES)
        return taken

    def _room_again(self) -> None:
        """Everything that was held is sent. Says how much was not held."""
        lost, self._outbox.lost = self._outbox.lost, 0
        self._report.room_again(lost)

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._ending = False
            # The process waits for what is left when it ends, but not for ever.
            self._thread = threading.Thread(target=self._run, name="visdom-publisher", daemon=True)
            self._thread.start()
            processes.hook_into_end()
        elif self._idle:
            self._changed.notify_all()
        self._holding.wake()

    def _wait(self, seconds: float | None, *, until_news: bool = False) -> None:
        self._idle = until_news
        self._changed.wait(seconds)
        self._idle = False

    @property
    def _has_work(self) -> bool:
        waits = bool(self._errands) or self._outbox.has_news or self._holding.is_due
        return waits or self._exchanges_wanted > self._exchanges_done

    # --- the thread ---

    def _run(self) -> None:
        last = -INTERVAL_S
        while True:
            with self._changed:
                if not self._has_work and not self._outbox.awaits_confirmation:
                    if self._ending and not self._outbox.is_held_back:
                        break
                    self._wait(None, until_news=True)
                    continue
                interval = INTERVAL_S if self._has_work else QUESTION_INTERVAL_S
                left = last + interval - time.monotonic()
                if left > 0 and not (self._has_work and (self._hurry or self._ending)):
                    self._wait(left, until_news=not self._has_work)
                    continue
            last = time.monotonic()
            try:
                wait_s = self._holding.earlier()
                if wait_s is None:
                    self._errands.make_environments()
                    self._exchange()
                    self._errands.save_what_arrived(self._outbox.settled)
            except Away as away:
                self._unreachable(away)
            except Exception:
                # Whatever it is, a thread that ended would lose everything that follows.
                self._report.failed()
                self._unreachable(Away("see the error before"))
            else:
                self._reachable()
                if wait_s:
                    with self._changed:
                        self._wait(wait_s)
        self._holding.finish()
        self._connection.close()

    def _exchange(self) -> None:
        self._holding.prepare()
        with self._changed:
            self._exchanges_begun += 1
            number = self._exchanges_begun
            request = self._outbox.request()
        try:
            reply = self._connection.publish(request)
        except TooLarge:
            self._make_smaller(request.items)
            return
        if not self._errands.has_saves:
            # Whoever waits for this reply finds the outage over.
            self._reachable()
        with self._changed:
            self._size.taken()
            receipt = self._outbox.receive(reply)
            self._changed.notify_all()
            self._patience.answered(time.monotonic(), confirmed=bool(receipt.confirmed))
            if not self._outbox.has_news:
                self._room_again()
        for item in receipt.confirmed:
            if item.message.endpoint in ("events", "close"):
                creation = creation_of(item.message)
                with self._changed:
                    self.windows.confirmed(item.message, creation)
        for item, error in receipt.refused:
            self._refused(item, error)
        if not receipt.known:
            self._make_again()
        self._holding.settle()
        with self._changed:
            self._exchanges_done = number
            self._changed.notify_all()

    def _make_smaller(self, items: list[Item]) -> None:
        with self._changed:
            given_up = self._size.refused(items)
            if given_up is not None:
                item, size = given_up
                message = f"the server, or a proxy before it, takes no message of {size} bytes"
                self._refused(item, {"code": "too_large", "message": message, "field": None})
                self._outbox.give_up(item)

    def _make_again(self) -> None:
        """The server does not know this publisher: it was restarted, and what it had may be gone."""
        with self._changed:
            creations = self.windows.creations()
        missing = [each for each in creations if not self._connection.exists(each.window)]
        with self._changed:
            count = self._outbox.begin_again([each.if_missing() for each in missing])
            self._errands.make_again()
        if count:
            self._report.restarted(count)

    def _refused(self, item: Item, error: dict[str, Any]) -> None:
        if item.message.window[1] is not None:
            with self._changed:
                self.windows.forget(item.message.window)
        self._report.refused(item, error)

    def _unreachable(self, away: Away) -> None:
        is_told = self._outage.failed(away, time.monotonic())
        wait_s = self._outage.wait_s
        with self._changed:
            # It may have said itself when to come back.
            self._is_silent |= wait_s > MOMENT_S
            self._changed.notify_all()
        if is_told:
            self._report.away(away)
        until = time.monotonic() + wait_s
        with self._changed:
            while (left := until - time.monotonic()) > 0:
                self._wait(left)

    def _reachable(self) -> None:
        lasted = self._outage.over(time.monotonic())
        if lasted is not None:
            self._report.back(lasted)
        self._is_silent = False
