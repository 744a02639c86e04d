"""The wheel: what is in it, that installing it is enough, and that uninstalling leaves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import visdom_transport

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_hook_the_runtime_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    runtime = {f"visdom_transport/static/{path.relative_to(ROOT / 'js/src')}" for path in (ROOT / "js/src").rglob("*.js")}
    assert len(runtime) > 5
    assert names >= {
        "visdom_transport.pth",
        "visdom_transport/py.typed",
        "visdom_transport/visdom/page/missing.html",
        "visdom_transport/patches/ApiProvider.js",
        *runtime,
        *(f"visdom_transport/patches/{path.name}" for path in (ROOT / "patches").iterdir()),
    }
    own = [name for name in names if "dist-info" not in name]
    assert all(name == "visdom_transport.pth" or name.startswith("visdom_transport/") for name in own)
    assert not [name for name in names if "node_modules" in name or "test" in Path(name).name or "__pycache__" in name]


def test_installing_is_enough_and_uninstalling_leaves_nothing(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VISDOM"))}

    def run(*arguments: str) -> str:
        done = subprocess.run([str(python), *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def files() -> set[Path]:
        return {path for path in (tmp_path / "venv").rglob("*") if "pip" not in path.parts and "pip" not in str(path.parent)}

    before = files()
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    hooked = "import sys; print([type(f).__name__ for f in sys.meta_path if type(f).__module__ == 'visdom_transport.hook'])"
    assert run("-c", hooked).strip() == "['PostImportFinder']"
    run("-m", "pip", "uninstall", "--quiet", "--yes", "visdom-transport")
    assert files() == before
    assert run("-c", hooked).strip() == "[]"


def test_the_changelog_begins_with_this_version() -> None:
    sections = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert sections[0].split()[1] == visdom_transport.__version__
