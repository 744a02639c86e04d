"""What everybody who takes part has in common."""

from __future__ import annotations

import asyncio

from tests.faults.schedule import Member
from tests.faults.stage import Stage
from tests.faults.wire import end


class Participant:
    """A member of the schedule, on the stage."""

    def __init__(self, stage: Stage, member: Member) -> None:
        self.stage = stage
        self.id = member.id
        self.kind = member.kind
        self.network = member.network


class Actor(Participant):
    """One that is a task on the event loop: it does what `_run` says from when it is started until it is stopped."""

    def __init__(self, stage: Stage, member: Member) -> None:
        super().__init__(stage, member)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self.stage.watched(self._run(), f"{self.kind} {self.id}"))

    async def stop(self) -> None:
        """Vanish."""
        assert self._task is not None
        await end(self._task)

    async def _run(self) -> None:
        raise NotImplementedError
