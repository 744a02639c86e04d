"""Compresses what links are about to send: what is large in a thread, and what several of them send once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from visdom_transport.core.packing import Fragment, Message, Outgoing, Packed

AT_ONCE_BYTES: Final = 32_768
"""So much is compressed without a thread, in less than a millisecond."""

_thread = ThreadPoolExecutor(1, "visdom-transport-packer")
"""One for all servers of this process: what it does for one reader, the next one waits for."""


class Packer:
    """For the links of one event loop."""

    def __init__(self) -> None:
        self.compressed_bytes = 0
        """What has come out, in all."""
        self._under_way: dict[Fragment, asyncio.Future[list[Packed]]] = {}

    def prepare(self, message: Outgoing) -> asyncio.Future[Any] | None:
        """Have ``message`` compressed, if it is to be. Returns what to wait for before it is sent; None when it can go."""
        if not isinstance(message, Message):
            return None
        missing = [fragment for fragment in message.fragments if fragment.packed is None]
        fresh = [fragment for fragment in missing if fragment not in self._under_way]
        waits_for = {self._under_way[fragment] for fragment in missing if fragment in self._under_way}
        if sum(map(len, fresh)) <= AT_ONCE_BYTES:
            self._keep(fresh, _pack(fresh))
        elif (job := self._begin(fresh)) is not None:
            waits_for.add(job)
        return asyncio.gather(*waits_for, return_exceptions=True) if waits_for else None

    def _begin(self, fragments: Sequence[Fragment]) -> asyncio.Future[list[Packed]] | None:
        try:
            job = asyncio.get_running_loop().run_in_executor(_thread, _pack, fragments)
        except RuntimeError:  # the process is ending, and has no threads any more
            return None

        def done(job: asyncio.Future[list[Packed]]) -> None:
            for fragment in fragments:
                self._under_way.pop(fragment, None)
            if not job.cancelled() and job.exception() is None:
                self._keep(fragments, job.result())

        self._under_way.update(dict.fromkeys(fragments, job))
        job.add_done_callback(done)
        return job

    def _keep(self, fragments: Sequence[Fragment], packed: Sequence[Packed]) -> None:
        for fragment, each in zip(fragments, packed, strict=True):
            self.compressed_bytes += len(each.data)
            fragment.keep(each)


def _pack(fragments: Sequence[Fragment]) -> list[Packed]:
    return [fragment.pack() for fragment in fragments]
