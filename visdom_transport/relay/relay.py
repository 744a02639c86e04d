"""Puts one relay together: the hub whose feeds follow the origin's, its viewers, and what is passed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visdom_transport import __version__
from visdom_transport.core.causes import Causes
from visdom_transport.core.entries import Values
from visdom_transport.core.errors import MessageError
from visdom_transport.core.hub import Hub
from visdom_transport.links.flusher import Flusher, clock
from visdom_transport.links.longpoll import Answer, Client, LongPollLinks
from visdom_transport.links.packer import Packer
from visdom_transport.operators.draining import drain
from visdom_transport.operators.loop_turns import watched
from visdom_transport.operators.measures import NOTHING, Measures
from visdom_transport.relay.origin import Origin
from visdom_transport.relay.passing import Passing
from visdom_transport.relay.siblings import Siblings
from visdom_transport.relay.upstream import Upstream
from visdom_transport.relay.viewers import Admitted, ViewerConversation, Viewers
from visdom_transport.settings import Settings

REST_FACTOR = 1.0
"""There are no publishers to leave turns to."""


class Relay:
    """One relay, on the running event loop. What has to survive it is at the origin."""

    def __init__(self, origin: Origin, settings: Settings, siblings: Siblings | None = None) -> None:
        self.origin = origin
        self.siblings = siblings or Siblings()
        self.settings = settings
        self.compresses = settings.compression == "on"
        self.packer = Packer()
        self.passing = Passing(origin)
        self.upstream = Upstream(origin, settings, lambda: self.hub, lambda server: self.viewers.end_those_of_others(server))
        self.measures = Measures() if settings.metrics == "on" else None
        self.hub = Hub(
            settings,
            _no_values,
            wake=lambda: self.flusher.schedule(),
            causes=Causes(),
            follow=self.upstream.follow,
            on_forget=self.upstream.forget,
            on_wait=lambda when: self.flusher.answer_at(when),
            on_end=lambda session: self.viewers.forget(session),
            clock=clock,
            counts=self.measures.counts if self.measures is not None else None,
        )
        hooks = self.measures or NOTHING
        self.flusher = Flusher(self.hub, settings.flush_interval_ms / 1000, REST_FACTOR, hooks.flushed)
        self.viewers = Viewers(origin, self.hub, hooks.forwarded)
        origin.on_change = self.viewers.tell_of_source
        self.long_polls = LongPollLinks(self.hub, self._converse_by_polls)
        self.health, self._loop_watch = watched({"origin": self.upstream.verdict}, hooks.turned)

    def start(self) -> None:
        self._loop_watch.start()
        self.flusher.start()
        self.upstream.start()

    def _converse_by_polls(self, client: Client) -> ViewerConversation:
        assert isinstance(client, Admitted)
        conversation = self.viewers.converse("poll", client)
        conversation.let_in(client.delegate)
        conversation.link.id = self.siblings.mark(conversation.link.id)
        return conversation

    async def begin_polls(self, request: dict[str, Any], headers: Mapping[str, str], client: Client) -> Answer:
        """The answer to the first poll of a viewer. Raises `LinkClosed` when the origin does not let it in."""
        delegate = await self.viewers.let_in(request["messages"][0], headers)
        takes_deflate = self.compresses and client.takes_deflate
        try:
            return await self.long_polls.poll(request, Admitted(client.address, client.login, takes_deflate, delegate=delegate))
        finally:
            self.viewers.drop_unused(delegate)

    def status(self) -> dict[str, Any]:
        """What ``/transport/status`` of a relay shows."""
        return {**self.hub.status(clock()), "version": __version__, "origin": self.origin.status()}

    async def stop(self) -> None:
        """Tell the viewers, and leave the origin. Whoever asks for its health is told first."""
        self.health.stop()
        await drain(self.hub, self.settings.drain_s)
        self.viewers.stop()
        if self.measures is not None:
            await self.measures.close()
        self.upstream.stop()


def _no_values(name: str) -> Values:
    raise MessageError("unknown_feed", f"no feed {name[:100]!r}", "feed")
