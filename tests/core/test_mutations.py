"""The random histories bite: each of these mistakes, planted in the core or in a replica, must be found by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.machine import THOROUGH, Convergence, EventOrder
from tests.core.world import Client
from visdom_transport.core import entries
from visdom_transport.core.catch_up import CatchUp, StateBatch, StateCursor
from visdom_transport.core.causes import Causes
from visdom_transport.core.changes import Changes
from visdom_transport.core.conversation import Conversation
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.feed import NOTHING, Allowance
from visdom_transport.core.hub import Hub
from visdom_transport.core.link import Link
from visdom_transport.core.quota import SessionQuota
from visdom_transport.core.replica import EventReplica, StateReplica
from visdom_transport.core.session import Session, Subscription
from visdom_transport.core.state_feed import StateFeed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SEARCH = settings(THOROUGH, max_examples=10_000, phases=[Phase.generate])
"""The search ends with the first history that shows the mistake: for most the first few, for the rarest one of some hundreds.
Hypothesis draws constants from whatever modules there are, so each set of tests has histories of its own."""


class Planter:
    """Replaces functions for one test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        """``wrapper`` gets the original as its first argument."""
        original = getattr(owner, name)
        self.patch.setattr(owner, name, lambda *args, **named: wrapper(original, *args, **named))

    def omit(self, owner: Any, name: str, result: Any = None) -> None:
        self.patch.setattr(owner, name, lambda *args, **named: result)


# --- large values ---


def a_piece_is_left_out(plant: Planter) -> None:
    def take(original: Any, cursor: Any) -> Any:
        entry = original(cursor)
        if cursor.pieces is not None and cursor.pieces.sent == 2:
            cursor.pieces.sent += 1
        return entry

    plant.wrap(StateCursor, "take_piece", take)


def a_large_value_counts_as_sent_with_its_first_piece(plant: Planter) -> None:
    def take(original: Any, cursor: Any) -> Any:
        pieces = cursor.pieces
        entry = original(cursor)
        if cursor.pieces is not None and pieces is not None:
            cursor.ahead[pieces.key] = pieces.reached
            cursor.pieces = None
        return entry

    plant.wrap(StateCursor, "take_piece", take)


def a_catch_up_ends_while_pieces_are_under_way(plant: Planter) -> None:
    def collect(original: Any, feed: Any, cursor: Any, *args: Any) -> Any:
        batch = original(feed, cursor, *args)
        if batch is not None and cursor.pieces is not None:
            batch.complete = True
            cursor.move(batch.end)
        return batch

    plant.wrap(StateFeed, "collect", collect)


def pieces_outlive_a_change(plant: Planter) -> None:
    def advance(original: Any, changes: Any, key: str, offset: int) -> Any:
        change = changes.get(key)
        pieces = change.pieces if change is not None else None
        changed = original(changes, key, offset)
        if pieces is not None:
            changed.pieces = pieces
            changes.retained_bytes += sum(map(len, pieces))
        return changed

    plant.wrap(Changes, "_advance", advance)


# --- conflation ---


def the_last_delta_of_a_run_is_dropped(plant: Planter) -> None:
    plant.wrap(entries, "fold", lambda fold, deltas: fold(list(deltas)[:-1]))


def the_first_delta_of_a_run_is_dropped(plant: Planter) -> None:
    plant.wrap(entries, "fold", lambda fold, deltas: fold(list(deltas)[1:]))


def a_set_keeps_the_deltas_before_it(plant: Planter) -> None:
    plant.omit(Changes, "_forget_deltas")


def the_floor_is_one_too_low(plant: Planter) -> None:
    def drop(original: Any, changes: Any, change: Any) -> None:
        original(changes, change)
        change.floor -= 1

    plant.wrap(Changes, "_drop_oldest_delta", drop)


def a_cached_batch_outlives_a_change(plant: Planter) -> None:
    plant.omit(CatchUp, "forget_batches", 0)


def an_encoded_value_outlives_a_change(plant: Planter) -> None:
    def advance(original: Any, changes: Any, key: str, offset: int) -> Any:
        change = changes.get(key)
        value = change.value if change is not None else None
        changed = original(changes, key, offset)
        if value is not None:
            changed.value = value
            changes.retained_bytes += len(value)
        return changed

    plant.wrap(Changes, "_advance", advance)


def a_folded_delta_outlives_a_change(plant: Planter) -> None:
    def advance(original: Any, changes: Any, key: str, offset: int) -> Any:
        change = changes.get(key)
        folded = change.folded if change is not None else None
        changed = original(changes, key, offset)
        if folded is not None:
            changed.folded = folded
            changes.retained_bytes += len(folded[1])
        return changed

    plant.wrap(Changes, "_advance", advance)


# --- tombstones ---


def a_tombstone_is_forgotten(plant: Planter) -> None:
    def delete(original: Any, changes: Any, key: str, offset: int) -> Any:
        trimmed = original(changes, key, offset)
        changes._by_key.pop(key, None)
        changes._tombstones.pop(key, None)
        return trimmed

    plant.wrap(Changes, "delete", delete)


def a_trimmed_tombstone_is_not_remembered(plant: Planter) -> None:
    def delete(original: Any, changes: Any, key: str, offset: int) -> Any:
        trimmed = original(changes, key, offset)
        changes.tombstone_floor = 0
        return trimmed

    plant.wrap(Changes, "delete", delete)


def the_tombstone_floor_is_one_too_low(plant: Planter) -> None:
    def delete(original: Any, changes: Any, key: str, offset: int) -> Any:
        before = changes.tombstone_floor
        trimmed = original(changes, key, offset)
        changes.tombstone_floor -= changes.tombstone_floor != before
        return trimmed

    plant.wrap(Changes, "delete", delete)


def tombstones_are_never_trimmed(plant: Planter) -> None:
    plant.wrap(StateFeed, "__init__", lambda init, *args, max_tombstones, **named: init(*args, max_tombstones=99, **named))


def a_key_made_again_keeps_its_tombstone(plant: Planter) -> None:
    def set_key(original: Any, changes: Any, key: str, offset: int) -> None:
        tombstone = changes._tombstones.get(key)
        original(changes, key, offset)
        if tombstone is not None:
            changes._tombstones[key] = tombstone

    plant.wrap(Changes, "set", set_key)


# --- catching up ---


def the_keys_ahead_are_ignored_when_resuming(plant: Planter) -> None:
    plant.wrap(StateFeed, "_start_cursor", lambda start, feed, position: start(feed, position and position | {"ahead": {}}))


def the_keys_ahead_are_ignored_when_folding(plant: Planter) -> None:
    plant.patch.setattr(StateCursor, "at_least", lambda cursor, key: cursor.offset)


def the_boundary_is_one_too_far(plant: Planter) -> None:
    plant.wrap(StateCursor, "move", lambda move, cursor, end: move(cursor, end + (cursor.boundary is not None)))


def a_part_is_taken_for_the_whole(plant: Planter) -> None:
    def make(original: Any, *args: Any) -> Any:
        return original(*args[:5], True, *args[6:])

    plant.wrap(StateBatch, "__init__", make)


def the_position_moves_with_every_part(plant: Planter) -> None:
    def collect(original: Any, feed: Any, cursor: Any, *budget: Any) -> Any:
        batch = original(feed, cursor, *budget)
        if batch is not None and not batch.complete and cursor.offset != NOTHING:
            cursor.move(batch.end)
        return batch

    plant.wrap(StateFeed, "collect", collect)


def a_snapshot_does_not_list_its_keys(plant: Planter) -> None:
    plant.wrap(StateBatch, "__init__", lambda init, *args: init(*args[:7], None, *args[8:]))


def every_content_id_is_taken_for_the_newest(plant: Planter) -> None:
    plant.wrap(StateFeed, "_holds", lambda holds, feed, key, content_id: key in list(feed._values.keys()))


# --- polls, acknowledgements, bounds ---


def a_poll_is_believed_to_have_received_the_reply_before(plant: Planter) -> None:
    plant.patch.setattr(Subscription, "presents", lambda subscription, position: subscription.cursor is not None)


def a_poll_in_the_middle_of_a_catch_up_is_taken_for_current(plant: Planter) -> None:
    def presents(subscription: Any, position: Any) -> bool:
        cursor = subscription.cursor
        return position is not None and position["epoch"] == subscription.feed.epoch and position["offset"] == cursor.offset

    plant.patch.setattr(Subscription, "presents", presents)


def a_client_acknowledges_before_it_applies(plant: Planter) -> None:
    def lose(original: Any, client: Client, lost: bool = False, repeat_batches: bool = False) -> bool:
        polled: bool = original(client, lost, repeat_batches)
        for name, replica in client.feeds.items() if lost else ():
            feed = client.world.hub.feeds.get(name)
            if feed is not None and feed.epoch == replica.epoch:
                replica.offset = feed.offset
        return polled

    plant.wrap(Client, "poll", lose)


def an_acknowledgement_wakes_nobody(plant: Planter) -> None:
    plant.patch.setattr(Conversation, "_ack", lambda talk, message, now: talk.link.acknowledge(message["batches"]))


def credit_is_never_used_up(plant: Planter) -> None:
    plant.patch.setattr(Link, "has_credit", True)


def a_large_value_does_not_wait_for_room(plant: Planter) -> None:
    plant.patch.setattr(Allowance, "has_room", lambda allowance, size_bytes: True)


def the_history_is_never_trimmed(plant: Planter) -> None:
    plant.omit(Hub, "_trim")


def retained_bytes_are_miscounted(plant: Planter) -> None:
    def drop(original: Any, changes: Any, change: Any) -> None:
        original(changes, change)
        changes.retained_bytes += 1

    plant.wrap(Changes, "_drop_oldest_delta", drop)


# --- sessions ---


def a_command_that_comes_again_is_applied_again(plant: Planter) -> None:
    def act(original: Any, conversation: Any, message: Any, now: float) -> None:
        session = conversation.session
        if session is not None and message.get("type") == "command":
            session.last_command = 0
        original(conversation, message, now)

    plant.wrap(Conversation, "act", act)


def a_lost_session_is_not_forgotten(plant: Planter) -> None:
    def open_session(original: Any, hub: Any, role: str, now: float, **named: Any) -> Any:
        session = original(hub, role, now, **named)
        session.grace_s *= 10
        return session

    plant.wrap(Hub, "open_session", open_session)


def a_dead_link_is_never_found(plant: Planter) -> None:
    def tick(original: Any, hub: Any, now: float) -> None:
        hub.limits = dataclasses.replace(hub.limits, dead_after_s=10_000)
        original(hub, now)

    plant.wrap(Hub, "tick", tick)


def a_replaced_link_keeps_the_session(plant: Planter) -> None:
    def attach(original: Any, hub: Any, session: Session, link: Link, now: float) -> None:
        replaced = session.link
        original(hub, session, link, now)
        if replaced is not None:
            replaced.reader = session

    plant.wrap(Hub, "attach", attach)


def the_reader_is_forgotten_and_the_feed_is_not(plant: Planter) -> None:
    def unsubscribe(original: Any, hub: Any, session: Session, name: str) -> None:
        session.subscriptions.pop(name, None)

    plant.wrap(Hub, "unsubscribe", unsubscribe)


def a_place_is_not_given_back(plant: Planter) -> None:
    plant.omit(SessionQuota, "release")


def a_link_that_has_said_hello_is_waited_for(plant: Planter) -> None:
    plant.omit(Hub, "hello")


def what_a_session_suffers_is_not_counted_in_all(plant: Planter) -> None:
    plant.omit(Causes, "count")


# --- replicas ---


def a_replica_applies_what_it_has(plant: Planter) -> None:
    plant.patch.setattr(StateReplica, "own", lambda replica, key: NOTHING)


def a_replica_keeps_keys_that_are_gone(plant: Planter) -> None:
    def apply(original: Any, replica: Any, batch: Any) -> Any:
        return original(replica, {name: item for name, item in batch.items() if name != "keys"})

    plant.wrap(StateReplica, "apply", apply)


def a_replica_takes_a_part_for_the_whole(plant: Planter) -> None:
    plant.wrap(StateReplica, "apply", lambda apply, replica, batch: apply(replica, batch | {"complete": True}))


def a_replica_keeps_its_offsets_in_another_life(plant: Planter) -> None:
    plant.omit(StateReplica, "_forget_offsets")


# --- events ---


def a_lost_event_is_not_logged(plant: Planter) -> None:
    def collect(original: Any, feed: Any, cursor: Any, *budget: Any) -> Any:
        cursor.offset = max(cursor.offset, feed.offset - len(feed._ring))
        return original(feed, cursor, *budget)

    plant.wrap(EventFeed, "collect", collect)


def one_lost_event_too_few_is_logged(plant: Planter) -> None:
    def collect(original: Any, feed: Any, cursor: Any, *budget: Any) -> Any:
        batch = original(feed, cursor, *budget)
        if batch is not None and batch.missed > 1:
            batch.missed -= 1
        return batch

    plant.wrap(EventFeed, "collect", collect)


def a_reader_begins_one_event_too_late(plant: Planter) -> None:
    def begin(original: Any, feed: Any, position: Any, **named: Any) -> Any:
        cursor, verdict = original(feed, position, **named)
        if position is not None:
            cursor.offset = min(cursor.offset + 1, feed.offset)
        return cursor, verdict

    plant.wrap(EventFeed, "begin", begin)


def an_event_replica_takes_what_it_has(plant: Planter) -> None:
    def apply(original: Any, replica: Any, batch: Any) -> Any:
        replica.offset = min(replica.offset, batch["from"])
        return original(replica, batch)

    plant.wrap(EventReplica, "apply", apply)


def the_event_ring_drops_one_too_many(plant: Planter) -> None:
    def publish(original: Any, feed: Any, *event: Any) -> None:
        original(feed, *event)
        if len(feed._ring) > 5:
            feed._ring.popleft()

    plant.wrap(EventFeed, "publish", publish)


def what_events_share_counts_for_each(plant: Planter) -> None:
    def publish(original: Any, feed: Any, event: Any, shared: Any = None) -> None:
        feed.retained_bytes += len(shared.value) if shared in feed._carried else 0
        original(feed, event, shared)

    plant.wrap(EventFeed, "publish", publish)


def what_events_share_goes_with_the_first(plant: Planter) -> None:
    def drop(original: Any, feed: Any, event: Any) -> None:
        if event.shared is not None:
            feed._carried[event.shared] = 1
        original(feed, event)

    plant.wrap(EventFeed, "_drop", drop)


def what_is_gone_is_still_the_largest(plant: Planter) -> None:
    def drop(original: Any, feed: Any, event: Any) -> None:
        largest = feed._largest_bytes
        original(feed, event)
        feed._largest_bytes = largest

    plant.wrap(EventFeed, "_drop", drop)


IN_STATE = [
    a_piece_is_left_out,
    a_large_value_counts_as_sent_with_its_first_piece,
    a_catch_up_ends_while_pieces_are_under_way,
    pieces_outlive_a_change,
    the_last_delta_of_a_run_is_dropped,
    the_first_delta_of_a_run_is_dropped,
    a_set_keeps_the_deltas_before_it,
    the_floor_is_one_too_low,
    a_cached_batch_outlives_a_change,
    an_encoded_value_outlives_a_change,
    a_folded_delta_outlives_a_change,
    a_tombstone_is_forgotten,
    a_trimmed_tombstone_is_not_remembered,
    the_tombstone_floor_is_one_too_low,
    tombstones_are_never_trimmed,
    a_key_made_again_keeps_its_tombstone,
    the_keys_ahead_are_ignored_when_resuming,
    the_keys_ahead_are_ignored_when_folding,
    the_boundary_is_one_too_far,
    a_part_is_taken_for_the_whole,
    the_position_moves_with_every_part,
    a_snapshot_does_not_list_its_keys,
    every_content_id_is_taken_for_the_newest,
    a_poll_is_believed_to_have_received_the_reply_before,
    a_poll_in_the_middle_of_a_catch_up_is_taken_for_current,
    a_client_acknowledges_before_it_applies,
    an_acknowledgement_wakes_nobody,
    credit_is_never_used_up,
    a_large_value_does_not_wait_for_room,
    the_history_is_never_trimmed,
    retained_bytes_are_miscounted,
    a_command_that_comes_again_is_applied_again,
    a_lost_session_is_not_forgotten,
    a_dead_link_is_never_found,
    a_replaced_link_keeps_the_session,
    the_reader_is_forgotten_and_the_feed_is_not,
    a_place_is_not_given_back,
    a_link_that_has_said_hello_is_waited_for,
    what_a_session_suffers_is_not_counted_in_all,
    a_replica_applies_what_it_has,
    a_replica_keeps_keys_that_are_gone,
    a_replica_takes_a_part_for_the_whole,
    a_replica_keeps_its_offsets_in_another_life,
]
IN_EVENTS = [
    a_poll_is_believed_to_have_received_the_reply_before,
    a_lost_event_is_not_logged,
    one_lost_event_too_few_is_logged,
    a_reader_begins_one_event_too_late,
    an_event_replica_takes_what_it_has,
    the_event_ring_drops_one_too_many,
    what_events_share_counts_for_each,
    what_events_share_goes_with_the_first,
    what_is_gone_is_still_the_largest,
]


@pytest.mark.parametrize("mutation", IN_STATE, ids=lambda mutation: mutation.__name__)
def test_found_by_the_histories_of_state(mutation: Callable[[Planter], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(Planter(monkeypatch))
    with pytest.raises(AssertionError, match=r"\w+"):
        run_state_machine_as_test(Convergence, settings=SEARCH)


@pytest.mark.parametrize("mutation", IN_EVENTS, ids=lambda mutation: mutation.__name__)
def test_found_by_the_histories_of_events(mutation: Callable[[Planter], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(Planter(monkeypatch))
    with pytest.raises(AssertionError, match=r"\w+"):
        run_state_machine_as_test(EventOrder, settings=SEARCH)
