"""Fixtures: servers in a thread of this process."""

from links.local import records, serve, server

__all__ = ["records", "serve", "server"]
