"""Fixtures: publishers."""

from tests.client.publishers import connect

__all__ = ["connect"]
