"""Tests that are the same whichever Visdom there is: a run of all environments shares them out, so that each runs once."""

from __future__ import annotations

import os
from pathlib import Path
from zlib import crc32

TESTS = Path(__file__).parents[1]

ENVIRONMENTS = ("visdom024", "visdom030")
"""Those of tox.ini that share them. Another one runs none of them."""

SAME_EVERYWHERE = (
    # They know no Visdom: docs/architecture.md.
    "core",
    "links",
    "patching",
    "relay",
    "writing",
    # Tables of many cases, of which each function has some with either Visdom.
    "browser/test_bounds.py",
    "browser/test_damaged_file.py",
    "browser/test_embedding.py",
    "browser/test_fronts.py",
    "browser/test_links.py",
    "browser/test_nginx.py",
    "browser/test_sampling.py",
    "browser/test_security.py",
    "browser/test_storage.py",
    "browser/test_tabs.py",
    "browser/test_viewing.py",
    "browser/test_viewing_links.py",
    "client/test_at_once.py",
    "client/messages/test_coalescing.py",
    "client/asking/test_front.py",
    "client/test_pools.py",
    "client/source/test_source_front.py",
    "leaks",
    "test_demo.py",
    "visdom/page/test_browser_files.py",
)


def is_elsewhere(file: Path, name: str) -> bool:
    """Whether a test is another environment's.

    Args:
        name: which test of the file it is. As many begin alike in each environment as in any other.
    """
    if not any((TESTS / each) in (file, *file.parents) for each in SAME_EVERYWHERE):
        return False
    environment = os.environ.get("TOX_ENV_NAME")
    return ENVIRONMENTS[crc32(name.encode()) % len(ENVIRONMENTS)] != environment
