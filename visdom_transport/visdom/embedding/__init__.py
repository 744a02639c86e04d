"""Streaming embeddings: points arrive one by one or in batches and are shown as a scatter plot coloured by cluster."""

from .events import Batch, Point, parse
from .window import EmbeddingWindow, is_embedding

__all__ = ["Batch", "EmbeddingWindow", "Point", "is_embedding", "parse"]
