"""Files that are written as a whole or not at all, also on file systems that do less than a local disk.

New content is written beside its place, synced, and renamed into it. Where a step is not possible, the next best is done, and a
warning says once for each folder what is weaker for that. The last resort is to rewrite a file in its place; until that is done
the new content stays beside it, and `take_up` finishes what a process that was killed has left.
"""

from .in_place import has_unfinished, remove_abandoned, take_up
from .replacement import Replacement, write_atomically
from .syncing import sync_file, sync_folder

__all__ = ["Replacement", "has_unfinished", "remove_abandoned", "sync_file", "sync_folder", "take_up", "write_atomically"]
