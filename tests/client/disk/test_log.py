"""Logs are written in files that follow each other, and are read as far as they are intact."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.client.disk.logs import batch, numbers, put, write
from visdom_transport.client.disk.batches import Batch
from visdom_transport.client.disk.log import Log
from visdom_transport.client.disk.reader import Reader, log_files, survey

PAGE = 64
"""What a disk writes at once, much smaller than it is so that batches have many of them."""


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    write(tmp_path, *(batch(first, 3) for first in range(1, 31, 3)), segment_bytes=500)
    assert len(log_files(tmp_path)) > 3
    assert numbers(tmp_path) == [*range(1, 31)]


def test_a_reader_goes_on_when_there_is_more(tmp_path: Path) -> None:
    log, reader = Log(tmp_path, 300), Reader(tmp_path)
    assert reader.next() is None
    for first in range(1, 20):
        log.append(batch(first))
        following = reader.next()
        assert following is not None
        assert following.first == first
        assert reader.next() is None
    reader.rewind()
    assert [each.first for each in iter(reader.next, None)] == [*range(1, 20)]


def test_files_are_removed_when_the_server_has_what_is_in_them(tmp_path: Path) -> None:
    log = Log(tmp_path, 300)
    for first in range(1, 20):
        log.append(batch(first))
    count = len(log_files(tmp_path))
    log.forget(10)
    assert len(log_files(tmp_path)) < count
    assert numbers(tmp_path)[-9:] == [*range(11, 20)]
    log.forget(19)
    assert len(log_files(tmp_path)) <= 1  # the one that is being written
    log.settle(18)
    log.settle(19)
    assert (log_files(tmp_path), log.size_bytes) == ([], 0)
    log.append(batch(20))
    assert numbers(tmp_path) == [20]


def test_the_oldest_file_makes_room_but_not_the_one_that_is_written(tmp_path: Path) -> None:
    log = Log(tmp_path, 300)
    for first in range(1, 17, 2):
        log.append(batch(first, 2))
    dropped = 0
    while (segment := log.drop_oldest()) is not None:
        dropped += segment.calls
    assert 0 < dropped < 16
    assert numbers(tmp_path) == [*range(dropped + 1, 17)]


def of_sizes(counts: list[int]) -> list[Batch]:
    """Batches that follow each other."""
    return [batch(1 + sum(counts[:place]), count, size=20) for place, count in enumerate(counts)]


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_a_log_that_is_cut_at_any_byte_is_read_to_a_prefix(counts: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, ends = put(Path(name), *of_sizes(counts))
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(path, cut)
        whole = sum(1 for end in ends if 0 < end <= cut)
        assert numbers(Path(name)) == [*range(1, 1 + sum(counts[:whole]))]


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.data())
def test_pages_that_reached_the_disk_in_any_order_are_read_to_a_prefix(counts: list[int], data: st.DataObject) -> None:
    """Each batch is synced before the next one is written: of the last one any pages may be there, and the others zeros."""
    with tempfile.TemporaryDirectory() as name:
        path, ends = put(Path(name), *of_sizes(counts))
        synced, end = ends[-2], ends[-1]
        content = bytearray(path.read_bytes())
        for page in data.draw(st.sets(st.integers(synced // PAGE, (end - 1) // PAGE), min_size=1)):
            at, to = max(synced, page * PAGE), min(end, (page + 1) * PAGE)
            content[at:to] = bytes(to - at)
        path.write_bytes(content)
        assert numbers(Path(name)) == [*range(1, 1 + sum(counts[:-1]))]


@settings(deadline=None)
@given(st.integers(2, 8), st.data())
def test_nothing_intact_is_lost_of_a_log_that_is_damaged(count: int, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, ends = put(Path(name), *of_sizes([1] * count))
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        broken = next(number for number in range(1, count + 1) if at < ends[number])
        assert numbers(Path(name)) == [number for number in range(1, count + 1) if number != broken]
        assert survey(Path(name)).damaged == ({path} if broken < count else set())


def test_a_batch_that_could_not_be_written_leaves_the_others_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    log.append(batch(1))
    real = os.write

    def full(file: int, content: bytes) -> int:
        if len(content) > 40:
            return real(file, content[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            log.append(batch(2))
    assert numbers(tmp_path) == [1]
    log.append(batch(2))
    assert numbers(tmp_path) == [1, 2]
    assert survey(tmp_path).damaged == set()


def test_a_disk_that_stays_full_is_not_filled_with_empty_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(tmp_path, 100)
    log.append(batch(1, size=100))

    def full(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                log.append(batch(2))
    assert len(log_files(tmp_path)) == 1
    log.append(batch(2))
    assert numbers(tmp_path) == [1, 2]
    assert log.drop_oldest() is not None
    assert log.drop_oldest() is None


def test_a_file_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, *(batch(first, size=100) for first in range(1, 5)), segment_bytes=100)
    log_files(tmp_path)[1].unlink()
    assert numbers(tmp_path) == [1, 3, 4]


def test_a_survey_says_what_is_left(tmp_path: Path) -> None:
    write(tmp_path, batch(5, 2), batch(7, 3, confirmed=5))
    found = survey(tmp_path)
    assert (found.first, found.last, found.confirmed, found.messages) == (5, 9, 5, 4)
