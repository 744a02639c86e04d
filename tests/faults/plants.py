"""Mistakes that the suite must find, planted in the running server or in the clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CLIENT_PLANTS: dict[str, str] = {}
SERVER_PLANTS: dict[str, Callable[[], None]] = {}
