"""The command `patch`: says what it finds, does and leaves to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from visdom_transport.source_tree.files import Changes, PatchError
from visdom_transport.source_tree.tree import Tree

_DESCRIPTION = """\
Let the server of a Visdom source tree use visdom-transport directly, and its bundle be built with our provider.
Safe to repeat. A tree that is not recognised is left alone. See docs/source-trees.md."""


def main(arguments: Sequence[str]) -> int:
    """Run the command. Returns 1 if the tree was refused, or `--check` finds the patch incomplete."""
    parser = argparse.ArgumentParser("python -m visdom_transport patch", description=_DESCRIPTION)
    parser.add_argument("tree", type=Path, metavar="TREE", help="the folder with js/ and py/")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--revert", action="store_true", help="take everything back")
    how.add_argument("--check", action="store_true", help="only say what would be done")
    options = parser.parse_args(arguments)
    try:
        tree = Tree(options.tree.resolve())
        print(f"recognised: {tree.description.title}")
        changes = tree.revert() if options.revert else tree.patch()
        _say(changes, would=options.check)
        if options.check:
            if not changes.wanted:
                print("patched; " + _bundle(tree, patched=True, fresh=True))
            return 1 if changes.wanted else 0
        changes.make()
    except PatchError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    done = "reverted" if options.revert else "patched"
    said = done if changes.wanted else f"nothing to do, it is {done} already"
    # Reverting a tree that was not built since brings back the sources of its bundle.
    fresh = options.revert or not changes.wanted
    print(f"{said}; {_bundle(tree, patched=not options.revert, fresh=fresh)}")
    return 0


def _say(changes: Changes, *, would: bool) -> None:
    for path, content in changes.wanted.items():
        what = "remove" if content is None else "change" if (changes.root / path).exists() else "add"
        print(f"  {'would ' if would else ''}{what} {path}")


def _bundle(tree: Tree, *, patched: bool, fresh: bool) -> str:
    if fresh and tree.is_built() == patched:
        return f"{tree.description.bundle} fits"
    return f"now build {tree.description.bundle}: npm install && npm run build"
