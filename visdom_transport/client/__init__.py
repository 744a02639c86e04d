"""For Python programs that publish to a Visdom server which has this package. Importing it imports nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from visdom_transport.hook import background_wanted

if TYPE_CHECKING:
    from visdom_transport.client.embedding import EmbeddingRefused, EmbeddingStream
    from visdom_transport.client.publisher import Publisher, background

__all__ = ["EmbeddingRefused", "EmbeddingStream", "Publisher", "background"]

_MODULES = {
    "EmbeddingRefused": "embedding",
    "EmbeddingStream": "embedding",
    "Publisher": "publisher",
    "background": "publisher",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def visdom_imported() -> None:
    """Replace what is replaced in Visdom's client, and publish in the background if asked for. The import hook calls this."""
    try:
        import_module(".seams", __name__).PATCHES.apply()
    finally:
        if background_wanted():
            publisher = import_module(".publisher", __name__)
            # While our module imports Visdom itself it is not complete, and does this at its end.
            if hasattr(publisher, "background"):
                publisher.background()
