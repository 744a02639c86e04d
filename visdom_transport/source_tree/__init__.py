"""Joins a source tree of Visdom with this package: `python -m visdom_transport patch TREE`.

What is changed in which tree is described in `patches/`. Everything is planned before the first byte is written, and taken
back if writing fails, so a tree is patched as a whole or not at all.
"""

from __future__ import annotations

from visdom_transport.source_tree.command import main
from visdom_transport.source_tree.files import Changes, PatchError
from visdom_transport.source_tree.tree import Tree

__all__ = ["Changes", "PatchError", "Tree", "main"]
