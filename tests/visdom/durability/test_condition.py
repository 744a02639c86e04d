"""Whether a journal can be written: by what it knows, and by trying its directory."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from visdom_transport.visdom.durability import condition
from visdom_transport.visdom.durability.condition import LOOK_EVERY_S, STUCK_S, Condition, Facts, try_folder

WELL = Facts("all", on=True, error=None, never_could=False)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(condition, "clock", clock)
    return clock


@pytest.mark.parametrize(
    ("facts", "passes", "text"),
    [
        (WELL, True, ""),
        (replace(WELL, mode="off", on=False), True, "off"),
        (replace(WELL, error="No space left on device"), False, "No space left on device"),
        (replace(WELL, on=False), False, "another server uses the directory, so nothing is kept"),
        (replace(WELL, on=False, error="Permission denied"), False, "Permission denied"),
        (
            replace(WELL, error="Read-only file system", never_could=True),
            True,
            "the directory cannot be written since the start (Read-only file system), so nothing is kept",
        ),
    ],
)
def test_what_the_journal_knows(facts: Facts, passes: bool, text: str) -> None:
    verdict = Condition(lambda: facts, lambda: None).verdict(0.0)
    assert (verdict.passes, verdict.text) == (passes, text)


def trying(results: list[OSError | None]) -> tuple[Condition, Callable[[], int]]:
    """What gets these results in turn, and how many were asked for."""
    left = list(results)
    return Condition(lambda: WELL, lambda: left.pop(0)), lambda: len(results) - len(left)


def test_a_directory_is_tried_once_in_a_while(clock: Clock) -> None:
    found, count = trying([OSError(errno.ENOSPC, "No space left on device"), None])

    async def ask() -> list[bool]:
        passed = []
        for _ in range(6):
            await found.look()
            passed.append(found.verdict(clock.now).passes)
            clock.now += LOOK_EVERY_S / 4
        return passed

    assert asyncio.run(ask()) == [False] * 4 + [True] * 2
    assert count() == 2


def test_a_directory_that_does_not_answer(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition, "PATIENCE_S", 0.01)
    answered = threading.Event()
    found = Condition(lambda: WELL, lambda: answered.wait() and None)

    async def ask() -> None:
        await found.look()
        assert found.verdict(clock.now).passes, "for a moment a disk may be busy"
        clock.now += STUCK_S
        await found.look()
        assert found.verdict(clock.now).text == "the directory has not answered for 3 s"
        answered.set()
        monkeypatch.setattr(condition, "PATIENCE_S", 30.0)
        await found.look()
        assert found.verdict(clock.now).passes

    try:
        asyncio.run(ask())
    finally:
        answered.set()


@pytest.mark.parametrize(
    "facts", [replace(WELL, mode="off"), replace(WELL, on=False), replace(WELL, error="Read-only file system", never_could=True)]
)
def test_where_nothing_is_kept_nothing_is_tried(facts: Facts) -> None:
    attempt = mock.Mock()
    asyncio.run(Condition(lambda: facts, attempt).look())
    attempt.assert_not_called()


def test_nothing_is_left_of_an_attempt(tmp_path: Path) -> None:
    assert try_folder(tmp_path)() is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("x")
    assert isinstance(try_folder(tmp_path / "file")(), OSError)
