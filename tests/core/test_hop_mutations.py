"""The random histories of readers that hop bite: each of these mistakes, planted in the core, must be found by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.core.hops import Hops
from tests.core.test_mutations import SEARCH, Planter
from visdom_transport.core.catch_up import CatchUp
from visdom_transport.core.changes import Change, Changes
from visdom_transport.core.event_feed import EventFeed
from visdom_transport.core.followed_events import FollowedEvents
from visdom_transport.core.followed_feed import FollowedFeed
from visdom_transport.core.subscriptions import Subscriptions

pytestmark = pytest.mark.timeout(600)


def a_delta_is_kept_without_its_base(plant: Planter) -> None:
    def update(original: Any, changes: Any, key: str, offset: int, base: int, delta: Any) -> None:
        original(changes, key, offset, offset - 1, delta)

    plant.wrap(Changes, "update", update)


def a_reader_is_served_from_inside_a_delta(plant: Planter) -> None:
    plant.omit(Change, "_is_boundary", True)


def nobody_waits_for_the_head(plant: Planter) -> None:
    plant.omit(FollowedFeed, "awaits", False)


def whoever_waits_is_forgotten(plant: Planter) -> None:
    plant.omit(Subscriptions, "answer_waiting")
    plant.omit(Subscriptions, "answer_late")


def verdicts_are_given_before_there_is_a_snapshot(plant: Planter) -> None:
    plant.patch.setattr(FollowedFeed, "is_ready", True)
    plant.wrap(FollowedFeed, "__setattr__", lambda put, feed, name, it: put(feed, name, it) if name != "is_ready" else None)


def readers_of_the_life_before_are_not_told(plant: Planter) -> None:
    plant.omit(Subscriptions, "set_aside")


def a_relay_does_not_know_what_it_has_not_seen_deleted(plant: Planter) -> None:
    def keep_only(original: Any, changes: Any, keys: Any, offset: int) -> None:
        floor = changes.tombstone_floor
        original(changes, keys, offset)
        changes.tombstone_floor = floor

    plant.wrap(Changes, "keep_only", keep_only)


def a_snapshot_does_not_tell_what_was_deleted_meanwhile(plant: Planter) -> None:
    plant.patch.setattr(CatchUp, "_deleted_meanwhile", lambda *arguments: [])


def what_is_ahead_of_the_head_is_taken_for_the_head(plant: Planter) -> None:
    def note(original: Any, feed: Any, entry: Any) -> None:
        original(feed, entry)
        feed._changes.offset = max(feed._changes.offset, entry["offset"])

    plant.wrap(FollowedFeed, "_note", note)


def changes_are_taken_to_be_in_order(plant: Planter) -> None:
    def since(original: Any, changes: Any, offset: int) -> Any:
        changes._is_in_order = True
        return original(changes, offset)

    plant.wrap(Changes, "since", since)


def events_above_the_head_come_again(plant: Planter) -> None:
    plant.patch.setattr(FollowedEvents, "begin", EventFeed.begin)


def a_relay_keeps_events_from_before_a_hole(plant: Planter) -> None:
    plant.omit(FollowedEvents, "forget")


def a_snapshot_ends_before_what_has_lost_its_tombstone(plant: Planter) -> None:
    def collect(original: Any, catch_up: Any, cursor: Any, allowance: Any) -> Any:
        boundary, changes = cursor.boundary, catch_up._changes
        floor = changes.tombstone_floor
        if boundary is None or boundary >= floor:
            return original(catch_up, cursor, allowance)
        cursor.whole |= cursor.offset < min(floor, changes.offset)
        changes.tombstone_floor = boundary
        try:
            return original(catch_up, cursor, allowance)
        finally:
            changes.tombstone_floor = floor

    plant.wrap(CatchUp, "collect", collect)


IN_HOPS = [
    a_delta_is_kept_without_its_base,
    a_reader_is_served_from_inside_a_delta,
    nobody_waits_for_the_head,
    whoever_waits_is_forgotten,
    verdicts_are_given_before_there_is_a_snapshot,
    readers_of_the_life_before_are_not_told,
    a_relay_does_not_know_what_it_has_not_seen_deleted,
    what_is_ahead_of_the_head_is_taken_for_the_head,
    a_relay_keeps_events_from_before_a_hole,
]

RARE = [
    a_snapshot_does_not_tell_what_was_deleted_meanwhile,
    a_snapshot_ends_before_what_has_lost_its_tombstone,
    changes_are_taken_to_be_in_order,
    events_above_the_head_come_again,
]
"""Found by some hundreds of histories."""


PLANTS = [*IN_HOPS, *(pytest.param(each, marks=pytest.mark.long) for each in RARE)]


@pytest.mark.parametrize("mutation", PLANTS, ids=lambda mutation: mutation.__name__)
def test_found_by_the_histories_of_hops(mutation: Callable[[Planter], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(Planter(monkeypatch))
    with pytest.raises((AssertionError, KeyError), match=r"\w+"):
        run_state_machine_as_test(Hops, settings=SEARCH)
