"""Streaming embeddings: points arrive one by one or in batches and are shown as a scatter plot coloured by cluster."""

from visdom_transport.visdom.embedding.events import Batch, Point, parse
from visdom_transport.visdom.embedding.window import EmbeddingWindow, is_embedding

__all__ = ["Batch", "EmbeddingWindow", "Point", "is_embedding", "parse"]
