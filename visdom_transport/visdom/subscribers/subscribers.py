"""Sessions in the shape in which Visdom's handlers know subscribers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from visdom_transport.core.hub import Hub
from visdom_transport.core.session import Session
from visdom_transport.visdom.subscribers.stock_pages import StockPages


class Subscriber:
    """One session."""

    def __init__(self, session: Session, pages: StockPages) -> None:
        self.session = session
        self.pages = pages


class Subscribers(Mapping[str, Subscriber]):
    """``app.subs`` and ``app.sources``: a view of the hub's sessions of one role."""

    def __init__(self, hub: Hub, role: str, pages: StockPages) -> None:
        self._hub = hub
        self._pages = pages
        self._role = role

    def __getitem__(self, sid: str) -> Subscriber:
        session = self._hub.sessions[sid]
        if session.role != self._role:
            raise KeyError(sid)
        return Subscriber(session, self._pages)

    def __iter__(self) -> Iterator[str]:
        return (session.id for session in self._hub.sessions.values() if session.role == self._role)

    def __len__(self) -> int:
        return sum(1 for _ in self)
