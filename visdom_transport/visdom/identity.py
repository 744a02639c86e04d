"""The identity of this server process."""

from __future__ import annotations

import secrets
from typing import Final

SERVER_ID: Final = secrets.token_hex(8)
"""Changes with every server process."""
