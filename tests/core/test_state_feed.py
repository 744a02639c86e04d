"""State feeds, rule by rule (docs/protocol.md, sections 3 and 4)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.world import DictSource
from visdom_transport.core.catch_up import StateBatch, StateCursor
from visdom_transport.core.changes import Changes
from visdom_transport.core.encoding import decode, encode
from visdom_transport.core.entries import Entries
from visdom_transport.core.feed import NOTHING, Allowance
from visdom_transport.core.replica import StateReplica
from visdom_transport.core.state_feed import StateFeed

BUDGET = 100_000


class Board:
    """A feed over windows, and readers of it."""

    def __init__(self, max_tombstones: int = 10, **windows: int) -> None:
        self.windows: dict[str, Any] = {}
        self.source = DictSource("env/main", self.windows)
        self.feed = StateFeed("env/main", self.source, max_tombstones=max_tombstones)
        self.version = 0
        for key, padding in windows.items():
            self.windows[key] = self.window(padding)

    def window(self, padding: int = 0) -> dict[str, Any]:
        self.version += 1
        return {"contentID": f"c{self.version}", "x": [], "padding": "p" * padding}

    def set(self, key: str, padding: int = 0) -> None:
        self.windows[key] = self.window(padding)
        self.feed.set(key)

    def append(self, key: str, *items: int) -> None:
        self.version += 1
        self.windows[key]["contentID"] = f"c{self.version}"
        self.windows[key]["x"].extend(items)
        self.feed.update(key, [["set", ["contentID"], f"c{self.version}"], ["extend", ["x"], list(items)]])

    def delete(self, key: str) -> None:
        del self.windows[key]
        self.feed.delete(key)

    def reader(self) -> Reader:
        return Reader(self)


class Reader:
    """A replica, and the server's cursor for it."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.replica = StateReplica()
        self.cursor = StateCursor(NOTHING)
        self.subscribe()

    def subscribe(self) -> str:
        self.cursor, verdict = self.board.feed.begin(self.replica.position())
        self.replica.subscribed(
            {"epoch": verdict.epoch, "offset": verdict.offset, "recovered": verdict.recovered, "header": verdict.header}
        )
        return verdict.reason

    def collect(self, budget_bytes: int = BUDGET, lost: bool = False) -> dict[str, Any]:
        """The next batch, which the replica applies unless it is lost."""
        batch = self.board.feed.collect(self.cursor, Allowance(budget_bytes))
        assert batch is not None
        message: dict[str, Any] = decode(batch.data)
        if not lost:
            self.replica.apply(decode(batch.data))
        return message

    @property
    def current(self) -> bool:
        return not self.board.feed.has_news(self.cursor) and self.replica.values == self.board.windows


def kinds(batch: dict[str, Any]) -> dict[str, str]:
    """What a batch carries of each key."""
    return {entry["key"]: next(k for k in ("value", "delta", "deleted") if k in entry) for entry in batch["entries"]}


# --- verdicts ---


def test_a_new_reader_gets_everything_in_creation_order_and_the_list_of_keys() -> None:
    board = Board(b=0, a=0)
    board.set("c")
    reader = board.reader()
    batch = reader.collect()
    assert (batch["from"], batch["to"], batch["complete"]) == (NOTHING, 1, True)
    assert kinds(batch) == {"b": "value", "a": "value", "c": "value"}
    assert batch["keys"] == ["b", "a", "c"]
    assert reader.current


def test_an_empty_feed_is_a_complete_snapshot_of_nothing() -> None:
    batch = Board().reader().collect()
    assert (batch["entries"], batch["keys"], batch["complete"]) == ([], [], True)


def test_the_verdict_tells_whether_and_why_a_gap_is_not_filled() -> None:
    board = Board(max_tombstones=1, a=0, b=0, c=0)
    feed = board.feed
    assert verdict(board, None) == (False, "new")
    assert verdict(board, {"epoch": feed.epoch, "offset": 0}) == (True, "resumed")
    assert verdict(board, {"epoch": "other", "offset": 0}) == (False, "epoch")
    assert verdict(board, {"epoch": feed.epoch, "offset": 1}) == (False, "epoch"), "an offset the feed has not reached"
    board.delete("a")
    board.delete("b")
    assert verdict(board, {"epoch": feed.epoch, "offset": 1}) == (True, "resumed"), "the trimmed tombstone was seen"
    assert verdict(board, {"epoch": feed.epoch, "offset": 0}) == (False, "trimmed")


def verdict(board: Board, position: dict[str, Any] | None) -> tuple[bool, str]:
    _, found = board.feed.begin(position)
    assert (found.epoch, found.offset) == (board.feed.epoch, board.feed.offset)
    return found.recovered, found.reason


def test_the_header_comes_with_every_snapshot_and_only_then() -> None:
    board = Board(max_tombstones=0, a=0, b=0)
    epoch = board.feed.epoch
    header: dict[str, Any] = {"reload": {}}
    assert board.feed.begin(None)[1].header == header
    assert board.feed.begin({"epoch": "other", "offset": 3})[1].header == header
    assert board.feed.begin({"epoch": epoch, "offset": 0})[1].header is None
    board.delete("a")
    assert board.feed.begin({"epoch": epoch, "offset": 0})[1].header == header, "trimmed"


def test_a_live_only_reader_begins_at_the_head() -> None:
    board = Board(a=0)
    cursor, found = board.feed.begin(None, live_only=True)
    assert found.recovered
    assert board.feed.collect(cursor, Allowance(BUDGET)) is None
    board.append("a", 1)
    batch = board.feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    assert kinds(decode(batch.data)) == {"a": "delta"}


# --- what a reader that was away receives ---


def test_a_resumed_reader_gets_the_appends_it_missed_folded_into_one_delta() -> None:
    board = Board(a=1_000, b=1_000)
    reader = board.reader()
    reader.collect()
    for number in range(20):
        board.append("a", number)
    assert reader.subscribe() == "resumed"
    batch = reader.collect()
    (entry,) = batch["entries"]
    assert (entry["key"], entry["base"], entry["offset"]) == ("a", 0, 20)
    assert sorted(entry["delta"]) == [["extend", ["x"], list(range(20))], ["set", ["contentID"], "c22"]]
    assert "keys" not in batch
    assert reader.current


def test_a_set_outdates_the_deltas_before_it() -> None:
    board = Board(a=0)
    reader = board.reader()
    reader.collect()
    board.append("a", 1)
    board.set("a")
    board.append("a", 2)
    assert kinds(reader.collect()) == {"a": "value"}
    board.append("a", 3)
    assert kinds(reader.collect()) == {"a": "delta"}
    assert reader.current


def test_a_tombstone_travels_until_it_is_trimmed_and_then_the_list_of_keys_does() -> None:
    board = Board(max_tombstones=2, a=0, b=0, c=0, d=0)
    near, far = board.reader(), board.reader()
    near.collect(), far.collect()
    board.delete("a")
    assert kinds(near.collect()) == {"a": "deleted"}
    board.delete("b")
    board.delete("c")
    batch = near.collect()
    assert kinds(batch) == {"b": "deleted", "c": "deleted"}
    assert "keys" not in batch
    batch = far.collect()
    assert batch["keys"] == ["d"]
    assert near.current
    assert far.current
    assert far.subscribe() == "resumed"


def test_a_key_that_is_made_again_has_no_tombstone() -> None:
    board = Board(max_tombstones=1, a=0, b=0)
    reader = board.reader()
    reader.collect()
    board.delete("a")
    board.set("a")
    board.delete("b")
    batch = reader.collect()
    assert kinds(batch) == {"a": "value", "b": "deleted"}
    assert "keys" not in batch
    assert reader.current


def test_after_a_restart_only_windows_that_differ_are_sent() -> None:
    board = Board(a=0, b=0, gone=0)
    reader = board.reader()
    reader.collect()
    board.windows["b"] = board.window()
    del board.windows["gone"]
    board.feed = StateFeed("env/main", board.source)
    assert reader.subscribe() == "epoch"
    board.append("a", 1)
    batch = reader.collect()
    assert kinds(batch) == {"a": "delta", "b": "value"}
    assert batch["keys"] == ["a", "b"]
    assert reader.current


def test_without_a_content_id_a_window_is_sent_again() -> None:
    board = Board(a=0, b=0)
    board.windows["a"]["contentID"] = None
    position = {"epoch": "other", "offset": 4, "have": {"a": "c1", "b": "c2", "unknown": "c3"}}
    cursor, _ = board.feed.begin(position)
    batch = board.feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    assert kinds(decode(batch.data)) == {"a": "value"}


# --- catch-ups in parts ---


def test_a_large_catch_up_goes_in_parts_small_before_large() -> None:
    board = Board(a=0, b=0, c=0)
    reader = board.reader()
    reader.collect()
    for key, padding in (("a", 900), ("b", 500), ("c", 100)):
        board.set(key, padding)
    board.reader().collect()  # now the sizes are known
    batches = [reader.collect(900) for _ in range(2)]
    assert [list(kinds(batch)) for batch in batches] == [["c", "b"], ["a"]]
    assert [(batch["from"], batch["to"], batch["complete"]) for batch in batches] == [(0, 3, False), (0, 3, True)]
    assert reader.current


def test_a_snapshot_goes_in_parts_in_creation_order_and_ends_with_the_keys() -> None:
    board = Board(a=500, b=10, c=500, d=10)
    reader = board.reader()
    parts = [reader.collect(750), reader.collect(750)]
    assert [list(kinds(part)) for part in parts] == [["a", "b"], ["c", "d"]]
    assert ["keys" in part for part in parts] == [False, True]
    assert reader.current


def test_what_changes_during_a_catch_up_comes_after_it_by_delta() -> None:
    board = Board(a=500, b=500)
    reader = board.reader()
    reader.collect(600)
    board.append("a", 1)
    board.append("b", 2)
    assert kinds(reader.collect(600)) == {"b": "value"}
    assert reader.replica.position() == {
        "epoch": board.feed.epoch,
        "offset": 0,
        "ahead": {"b": 2},
        "have": {"a": "c1", "b": "c4"},
    }
    batch = reader.collect()
    assert kinds(batch) == {"a": "delta"}, "b was brought ahead already"
    assert reader.current


def test_a_cut_catch_up_goes_on_from_the_exact_offset_of_each_key() -> None:
    board = Board(a=300, b=300, c=300)
    reader = board.reader()
    reader.collect()
    for key in "abc":
        board.append(key, 1)
        board.append(key, 2)
    reader.collect(100)
    board.append("a", 3)
    position = reader.replica.position()
    assert position is not None
    assert (position["offset"], position["ahead"]) == (0, {"a": 2})
    assert reader.subscribe() == "resumed"
    entries = {entry["key"]: entry for entry in reader.collect()["entries"]}
    assert entries["a"]["base"] == 2
    assert entries["a"]["delta"][-1] == ["extend", ["x"], [3]]
    assert entries["b"]["base"] == 0
    assert reader.current


def test_a_cut_snapshot_goes_on_where_it_was_cut() -> None:
    """It once began again at every cut; a poll, which begins anew each time, never reached the end."""
    board = Board(**{f"w{number}": 500 for number in range(6)})
    for window in board.windows.values():
        del window["contentID"]
    reader = board.reader()
    sent: list[str] = []
    while not reader.current:
        sent += kinds(reader.collect(600))
        reader.subscribe()
    assert sent == list(board.windows)


def test_keys_that_change_all_the_time_do_not_keep_the_others_from_a_reader_that_begins_anew() -> None:
    board = Board(busy=400, other=600, lively=400)
    reader = board.reader()
    reader.collect()
    for key in ("busy", "lively", "other"):
        board.set(key, 400 if key != "other" else 600)
    board.reader().collect()  # now the sizes are known
    seen: set[str] = set()
    for _ in range(3):
        reader.subscribe()
        seen |= set(kinds(reader.collect(450)))
        board.set("busy", 400)
        board.set("lively", 400)
    assert seen == set(board.windows)


def test_keys_that_a_reader_makes_up_are_not_kept_for_it() -> None:
    board = Board(a=0, b=0)
    reader = board.reader()
    reader.collect(1)
    position = reader.replica.position()
    board.set("a")
    cursor, verdict = board.feed.begin(position | {"ahead": position["ahead"] | {f"made-up-{n}": 1 for n in range(1_000)}})
    assert verdict.recovered
    assert not [key for key in cursor.ahead if key.startswith("made-up")]


def test_the_keys_ahead_of_another_life_mean_nothing() -> None:
    board = Board(a=0)
    board.append("a", 1)
    cursor, found = board.feed.begin({"epoch": "other", "offset": 0, "ahead": {"a": 1}})
    assert found.reason == "epoch"
    batch = board.feed.collect(cursor, Allowance(BUDGET))
    assert batch is not None
    assert kinds(decode(batch.data)) == {"a": "value"}


def test_a_lost_part_is_sent_again() -> None:
    board = Board(a=300, b=300)
    reader = board.reader()
    reader.collect()
    board.append("a", 1)
    board.append("b", 2)
    reader.collect(50)
    reader.collect(50, lost=True)
    reader.subscribe()
    assert kinds(reader.collect()) == {"b": "delta"}
    assert reader.current


def test_tombstones_trimmed_during_a_catch_up_end_it_with_the_keys() -> None:
    board = Board(max_tombstones=1, a=300, b=300, c=0, d=0)
    reader = board.reader()
    reader.collect()
    board.set("a", 300)
    board.set("b", 300)
    reader.collect(350)
    board.delete("c")
    board.delete("d")
    batch = reader.collect()
    assert batch["keys"] == ["a", "b"]
    assert reader.replica.values == board.windows
    assert reader.current


# --- encoded once, shared by all ---


def test_readers_at_one_offset_share_the_very_same_bytes() -> None:
    board = Board(a=1_000, b=1_000)
    first, second = board.reader(), board.reader()
    batches = [collect(board, reader) for reader in (first, second)]
    assert batches[0].data is batches[1].data
    assert sorted(board.source.reads) == ["a", "b"], "each version is read once"
    board.append("a", 1)
    batches = [collect(board, reader) for reader in (first, second)]
    assert batches[0].data is batches[1].data
    board.set("a")
    third = board.reader()
    for reader in (first, second, third):
        collect(board, reader)
    assert sorted(board.source.reads) == ["a", "a", "b"], "at another offset, too, a version is read once"


def test_a_batch_with_something_beyond_its_end_is_for_one_reader() -> None:
    """Who was sent it as another's was moved to its end alone, and sent what it had once more."""
    board = Board(a=1_500, b=0)
    board.feed = StateFeed("env/main", board.source, large_bytes=1_000)
    first, second = board.reader(), board.reader()
    for reader in (first, second):
        while not reader.current:
            reader.collect()
    board.set("a", 1_500)
    assert board.feed.collect(first.cursor, Allowance(BUDGET, pieces=False)) is None
    board.set("a", 10)
    board.append("b", 1)
    assert [reader.collect()["to"] for reader in (first, second)] == [1, 3]
    board.append("b", 2)
    for reader in (first, second):
        while not reader.current:
            reader.collect()


def test_what_was_deleted_since_the_end_of_a_snapshot_is_told_with_its_offset() -> None:
    board = Board(a=500, b=500)
    reader = board.reader()
    reader.collect(600)
    board.append("b", 1)
    board.delete("a")
    batch = reader.collect(800)
    assert (batch["to"], batch["keys"], kinds(batch)) == (0, ["b"], {"b": "value", "a": "deleted"})
    position = reader.replica.position()
    assert position is not None
    assert position["ahead"] == {"a": 2, "b": 1}


def test_what_has_lost_its_tombstone_is_not_gone_before_it_is() -> None:
    """The keys that end a snapshot are those of now, so its end is not before what was deleted and cannot be told any more."""
    board = Board(max_tombstones=1, a=500, b=500, c=500)
    reader = board.reader()
    reader.collect(600)
    board.delete("b")
    board.delete("c")
    batch = reader.collect(600)
    assert (batch["to"], batch["complete"], batch["keys"]) == (2, True, ["a"])


def collect(board: Board, reader: Reader) -> StateBatch:
    batch = board.feed.collect(reader.cursor, Allowance(BUDGET))
    assert batch is not None
    return batch


def test_readers_at_different_offsets_share_the_folded_delta_of_one_base() -> None:
    board = Board(a=2_000, b=0)
    first, second = board.reader(), board.reader()
    first.collect(), second.collect()
    board.set("b")
    first.collect()
    board.append("a", 1)
    board.append("a", 2)
    one = {entry.key: entry.fragment.content for entry in collect(board, first).entries}
    two = {entry.key: entry.fragment.content for entry in collect(board, second).entries}
    assert decode(one["a"])["base"] == 1
    assert decode(two["a"])["base"] == 0
    assert decode(one["a"])["delta"] == decode(two["a"])["delta"]


def test_more_offsets_than_batches_are_kept_for() -> None:
    board = Board(a=100)
    readers = []
    for number in range(12):
        reader = board.reader()
        reader.collect()
        readers.append(reader)
        board.append("a", number)
    for reader in readers:
        reader.collect()
        assert reader.current


def test_a_reader_of_values_gets_values() -> None:
    board = Board(a=1_000)
    cursor, _ = board.feed.begin(None)
    board.feed.collect(cursor, Allowance(BUDGET, values_only=True))
    board.append("a", 1)
    batch = board.feed.collect(cursor, Allowance(BUDGET, values_only=True))
    assert batch is not None
    (entry,) = batch.entries
    assert entry.value == encode(board.windows["a"])
    assert kinds(decode(batch.data)) == {"a": "value"}


# --- bounds ---


def test_deltas_that_cost_more_than_the_value_are_given_up() -> None:
    board = Board(a=50)
    reader = board.reader()
    reader.collect()
    for number in range(50):
        board.windows["a"]["title"] = f"title {number}"
        board.feed.update("a", [["set", ["title"], f"title {number}"]])
    assert board.feed.retained_bytes <= 2 * len(encode(board.windows["a"]))
    assert kinds(reader.collect()) == {"a": "value"}
    assert reader.current


def test_a_delta_is_not_larger_than_a_value_that_nobody_has_read_yet() -> None:
    """A short sliding window: 64 kB of deltas were once sent instead of 100 bytes."""
    board = Board(a=0)
    reader = board.reader()
    reader.replica.values = {"a": decode(encode(board.windows["a"]))}
    reader.subscribe()
    assert kinds(reader.collect()) == {}, "the content id agrees"
    for number in range(1_000):
        board.windows["a"]["x"] = [number]
        drop = ["drop", ["x"], 1 if number else 0]
        board.feed.update("a", [["extend", ["x"], [number]], drop])
    batch = reader.collect()
    assert kinds(batch) == {"a": "value"}
    assert reader.current


def test_a_deletion_may_make_the_value_any_smaller() -> None:
    board = Board(a=0)
    reader = board.reader()
    reader.collect()
    board.append("a", *range(1_000))
    board.windows["a"]["x"].insert(0, -1)
    board.feed.update("a", [["insert", ["x", 0], -1]])
    assert kinds(reader.collect()) == {"a": "delta"}
    board.append("a", *range(1_000))
    del board.windows["a"]["x"]
    board.feed.update("a", [["delete", ["x"]]])
    assert kinds(reader.collect()) == {"a": "value"}
    assert reader.current


def test_a_value_that_shrank_is_cheaper_than_the_deltas_before() -> None:
    board = Board(a=0)
    board.windows["a"]["x"] = list(range(5_000))
    reader = board.reader()
    reader.collect()
    board.append("a", *range(2_000))
    board.windows["a"]["x"] = [1]
    board.feed.update("a", [["extend", ["x"], [1]], ["drop", ["x"], 7_000]])
    assert kinds(reader.collect()) == {"a": "value"}
    assert reader.current


def test_shedding_frees_the_longest_unchanged_first_and_ends_at_nothing() -> None:
    board = Board(a=500, b=500)
    reader = board.reader()
    reader.collect()
    board.append("a", 1)
    board.append("b", 2)
    reader.collect()
    freed = []
    while board.feed.retained_bytes:
        before = board.feed.retained_bytes
        freed.append(board.feed.shed())
        assert freed[-1] == before - board.feed.retained_bytes
    assert len(freed) == 3
    assert board.feed.shed() == 0
    board.append("b", 3)
    assert kinds(reader.collect()) == {"b": "delta"}, "a reader at the head still gets deltas"
    late = board.reader()
    late.collect()
    assert late.current


def test_a_value_without_room_waits_and_is_not_encoded_for_every_version() -> None:
    board = Board(a=1_000)
    reader = board.reader()
    reader.collect()
    board.source.reads.clear()
    for _ in range(5):
        board.set("a", 1_000)
        assert board.feed.collect(reader.cursor, Allowance(500, room_bytes=500)) is None
    assert len(board.source.reads) <= 5
    board.source.reads.clear()
    board.windows["a"]["x"] = list(range(200))
    for number in range(5):
        board.windows["a"]["x"][0] = number
        board.feed.update("a", [["set", ["x", 0], number]])
        assert board.feed.collect(reader.cursor, Allowance(500, room_bytes=500)) is None
    assert not board.source.reads
    assert reader.replica.offset == 0
    reader.collect()
    assert reader.current


def test_a_shared_batch_without_room_waits() -> None:
    board = Board(a=1_000)
    first, second = board.reader(), board.reader()
    first.collect()
    assert board.feed.collect(second.cursor, Allowance(BUDGET, room_bytes=500)) is None
    second.collect()
    assert second.current


def test_what_is_nested_too_deeply_to_be_written_keeps_nothing_else_from_anybody() -> None:
    board = Board(a=0, b=0)
    reader = board.reader()
    reader.collect()
    nested: Any = []
    for _ in range(5_000):
        nested = [nested]
    board.windows["a"]["x"] = nested
    board.feed.update("a", [["set", ["x"], nested]])
    board.append("b", 1)
    assert kinds(reader.collect()) == {"a": "value", "b": "delta"}
    assert reader.replica.values["a"] is None
    assert reader.replica.values["b"] == board.windows["b"]


# --- what status shows ---


def test_behind_and_conflated_count_changes() -> None:
    board = Board(a=0, b=0)
    reader = board.reader()
    assert collect(board, reader).conflated == 0
    for number in range(4):
        board.append("a", number)
    board.set("b")
    assert board.feed.behind(reader.cursor) == 5
    assert collect(board, reader).conflated == 3
    assert board.feed.behind(reader.cursor) == 0
    assert board.feed.collect(reader.cursor, Allowance(BUDGET)) is None


def test_conflated_counts_a_catch_up_in_parts_once() -> None:
    board = Board(a=300, b=300)
    reader = board.reader()
    reader.collect()
    for number in range(5):
        board.append("a", number)
        board.append("b", number)
    parts = []
    while (part := board.feed.collect(reader.cursor, Allowance(50))) is not None:
        parts.append(part)
    assert len(parts) == 2
    assert sum(part.conflated for part in parts) == 8


@pytest.mark.parametrize("position", [{"epoch": "e", "offset": -1}, {"epoch": "", "offset": 7, "have": {}}])
def test_a_position_of_another_life_begins_at_nothing(position: dict[str, Any]) -> None:
    board = Board(a=0)
    cursor, found = board.feed.begin(position)
    assert (found.recovered, found.reason) == (False, "epoch")
    assert cursor.offset == NOTHING


# --- what is near ---


def keys_sent(reader: Reader, budget_bytes: int) -> list[str]:
    """The keys of all entries, in the order of their arrival, until the reader is current."""
    sent: list[str] = []
    while not reader.current:
        sent += [entry["key"] for entry in reader.collect(budget_bytes)["entries"]]
    return sent


def look(reader: Reader, *near: str) -> None:
    """Subscribe again, with what is near."""
    reader.cursor, verdict = reader.board.feed.begin({**reader.replica.position(), "near": list(near)})
    reader.replica.subscribed(
        {"epoch": verdict.epoch, "offset": verdict.offset, "recovered": verdict.recovered, "header": verdict.header}
    )


@given(
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=12),
    changed=st.sets(st.integers(0, 11)),
    near=st.sets(st.integers(0, 11)),
    has_restarted=st.booleans(),
    budget=st.sampled_from([500, 2_000, 20_000]),
)
def test_what_is_near_comes_first_and_nothing_is_left_out(
    sizes: list[int], changed: set[int], near: set[int], has_restarted: bool, budget: int
) -> None:
    board = Board(**{f"w{number}": size for number, size in enumerate(sizes)})
    one, other = board.reader(), board.reader()
    for reader in (one, other):
        keys_sent(reader, 50_000)
    if has_restarted:
        board.feed = StateFeed("env/main", board.source)
    changed = {number for number in changed if number < len(sizes)}
    for number in changed:
        board.set(f"w{number}", sizes[number])
    look(one, *(f"w{number}" for number in near))
    look(other)
    first, plain = keys_sent(one, budget), keys_sent(other, budget)
    assert sorted(first) == sorted(plain) == sorted(f"w{number}" for number in changed)
    nearness = [int(key[1:]) in near for key in first]
    assert nearness == sorted(nearness, reverse=True)


def test_a_first_load_follows_creation_whatever_is_near() -> None:
    board = Board(a=500, b=500, c=500)
    reader = board.reader()
    reader.cursor, _ = board.feed.begin(None)
    reader.cursor.near = frozenset("c")
    assert keys_sent(reader, 600) == ["a", "b", "c"]
    # A position of this epoch without an offset goes on with a snapshot that was cut.
    again = board.reader()
    again.collect(600)
    look(again, "c")
    assert keys_sent(again, 600) == ["b", "c"]


# --- from where deltas serve ---


def test_a_reader_is_served_by_deltas_from_a_boundary_only() -> None:
    """One delta that stands for several changes of the feed: who has a part of it must not get it again."""
    changes = Changes(max_tombstones=10)
    windows = {"a": {"x": [1, 2, 3], "padding": "p" * 200}}
    entries = Entries(changes, DictSource("env/main", windows), 1_000, Counter())
    changes.set("a", 3)
    changes.update("a", 10, 5, [["extend", ["x"], [1, 2]]])
    changes.update("a", 18, 12, [["extend", ["x"], [3]]])
    served = {at: kinds({"entries": [decode(entries.entry("a", at, False).fragment.content)]})["a"] for at in range(18)}
    boundaries = {3, 4, 5, 10, 11, 12}
    assert served == {at: "delta" if at in boundaries else "value" for at in range(18)}
    assert entries.estimate("a", 12) < entries.estimate("a", 13), "the value's size is what counts inside of a delta"


def test_changes_that_come_out_of_order_are_found_in_order() -> None:
    changes = Changes(max_tombstones=10)
    for key, offset in {"a": 4, "b": 9, "c": 7, "d": 12, "e": 5}.items():
        changes.set(key, offset)
    assert changes.since(4) == ["e", "c", "b", "d"]
    changes.set("e", 13)
    assert changes.since(9) == ["d", "e"]
