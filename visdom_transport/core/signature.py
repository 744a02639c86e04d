"""How a reply says which server gives it (docs/protocol.md, section 10)."""

from __future__ import annotations

from typing import Final

SERVER_HEADER: Final = "Visdom-Transport-Server"
"""The header of every reply that has the id of the server process as its value."""

REFUSAL_HEADER: Final = "Visdom-Transport-Refusal"
"""The header that says why, in a refusal that Visdom's client gets without a text."""
