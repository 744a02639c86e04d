"""Fixtures: servers in a thread of this process, and publishers."""

from client.publishers import connect
from links.local import records, serve, server

__all__ = ["connect", "records", "serve", "server"]
