"""For Python programs that publish to a Visdom server which has this package. Importing it imports nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedding import EmbeddingRefused, EmbeddingStream

__all__ = ["EmbeddingRefused", "EmbeddingStream"]

_MODULES = {"EmbeddingRefused": "embedding", "EmbeddingStream": "embedding"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
