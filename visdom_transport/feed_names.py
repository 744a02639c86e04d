"""The names of feeds, and of the keys of the shared one (docs/protocol.md, section 3)."""

from __future__ import annotations

from typing import Final

SHARED: Final = "shared"
EVENTS: Final = "events"
NOTIFICATIONS: Final = "notifications"
OPERATOR: Final = "operator"

ENVIRONMENTS: Final = "envs"
LAYOUTS: Final = "layouts"

ALL: Final = "all:"
"""Marks a comparison that shows every window (0.3.0)."""


def environment(eid: str) -> str:
    """The feed of an environment's windows."""
    return f"env/{eid}"


def comparison(eids: list[str], *, show_all: bool = False) -> str:
    """The feed of a comparison of environments."""
    return f"compare/{ALL if show_all else ''}{'+'.join(eids)}"


def undo(eid: str) -> str:
    """The key, in the shared feed, of how many closed windows can be brought back."""
    return f"undo/{eid}"


def split(name: str) -> tuple[str, str]:
    """The kind of a feed or shared key, and what it is about: ``("env", "main")``, ``("shared", "")``."""
    kind, _, rest = name.partition("/")
    return kind, rest


def compared(members: str) -> tuple[list[str], bool]:
    """What a ``compare/`` feed is about: the environments, and whether every window is shown."""
    return members.removeprefix(ALL).split("+"), members.startswith(ALL)
