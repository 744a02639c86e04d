"""A real source tree of Visdom, patched, built and run with nothing of ours at work but the patch.

    VISDOM_SOURCE_TREE=<folder> pytest tests/source_tree/test_real_tree.py

The folder is only read. `node_modules` in it, if there, are used for the build; otherwise npm installs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from visdom_transport.__main__ import main
from visdom_transport.source_tree import Tree

ROOT = Path(__file__).resolve().parent.parent.parent
VARIABLE = "VISDOM_SOURCE_TREE"

pytestmark = [
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} does not name a source tree of Visdom"),
    pytest.mark.source_tree,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    source = Path(os.environ[VARIABLE]).resolve()
    copy = tmp_path_factory.mktemp("source") / "visdom"
    shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))
    if (source / "node_modules").is_dir():
        (copy / "node_modules").symlink_to(source / "node_modules")
    yield copy
    shutil.rmtree(copy)


def snapshot(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and "node_modules" not in path.relative_to(tree).parts
    }


def test_patch_revert_and_patch_again_are_byte_identical(tree: Path) -> None:
    original = snapshot(tree)
    assert main(["patch", str(tree)]) == 0
    patched = snapshot(tree)
    assert main(["patch", str(tree), "--revert"]) == 0
    assert snapshot(tree) == original
    assert main(["patch", str(tree)]) == 0
    assert snapshot(tree) == patched != original


def test_the_patched_tree_passes_the_reconnect_tests(tree: Path) -> None:
    assert main(["patch", str(tree)]) == 0
    if not (tree / "node_modules").exists():
        installing = "ci" if (tree / "package-lock.json").exists() else "install"
        run(tree, "npm", installing, "--no-audit", "--no-fund", "--ignore-scripts")
    run(tree, "npm", "run", "build")
    assert Tree(tree).is_built()
    # In a run of their own: the servers of those tests are started once for a whole run.
    tests = ("tests/browser/test_reconnect.py", "tests/browser/test_links.py")
    run(ROOT, sys.executable, "-m", "pytest", "-q", "-m", "not slow and not long", f"--source-tree={tree}", *tests)


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
