"""The command line, as its users call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import visdom_transport
from visdom_transport.visdom import flavour, seams
from visdom_transport.visdom.page.browser_files.packages import PACKAGES

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def visdom() -> str:
    return flavour.recognise()


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    code = "import sys; from visdom_transport import hook; hook.install(); from visdom_transport.__main__ import main; "
    return subprocess.run(
        [sys.executable, "-c", code + "sys.exit(main())", *arguments],
        env={**inherited, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def complete(directory: Path, visdom: str) -> Path:
    for package in PACKAGES[visdom]:
        for path in package.required:
            file = directory / visdom / "static" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return directory


def test_everything_in_order(tmp_path: Path, visdom: str) -> None:
    where = str(complete(tmp_path, visdom))
    short = run(VISDOM_TRANSPORT_BROWSER_FILES_DIR=where)
    assert (short.returncode, short.stderr) == (0, "")
    first, second = short.stdout.splitlines()
    assert first.startswith(f"visdom-transport {visdom_transport.__version__}: all is well, servers and clients of Visdom ")
    assert "--verbose" in second
    assert run("status", "--verbose", VISDOM_TRANSPORT_BROWSER_FILES_DIR=where).stdout.splitlines()[0] == first
    result = run("--verbose", VISDOM_TRANSPORT_BROWSER_FILES_DIR=where)
    assert result.stdout.splitlines()[0] == first
    assert f"recognised the server of Visdom {visdom}; replaced in its processes:\n" in result.stdout
    for seam in seams.TABLE:
        assert (f"  {seam}: {seam.why}\n" in result.stdout) == seam.belongs_to(visdom)
    assert f"{tmp_path / visdom / 'static'} (complete)" in result.stdout
    assert "problem" not in result.stdout


def test_missing_browser_files_are_a_problem(tmp_path: Path, visdom: str) -> None:
    (complete(tmp_path, visdom) / visdom / "static" / "js" / "d3.v3.min.js").unlink()
    result = run(VISDOM_TRANSPORT_BROWSER_FILES_DIR=str(tmp_path))
    assert result.returncode == 1
    assert "problem: missing: js/d3.v3.min.js" in result.stdout
    assert result.stdout.count("missing:") == 1


def test_settings_that_cannot_be_used_or_do_not_exist_are_problems(tmp_path: Path) -> None:
    result = run(VISDOM_TRANSPORT_GRACE_S="long", VISDOM_TRANSPORT_GRACE="1")
    assert result.returncode == 1
    assert result.stdout.splitlines()[0].endswith(": 2 problems")
    assert "problem: VISDOM_TRANSPORT_GRACE_S must be a number" in result.stdout
    assert "problem: VISDOM_TRANSPORT_GRACE is not a setting" in result.stdout


def test_off_is_said_and_is_no_problem(tmp_path: Path) -> None:
    result = run(VISDOM_TRANSPORT="0", VISDOM_TRANSPORT_BROWSER_FILES_DIR=str(tmp_path))
    assert result.returncode == 0, result.stdout
    assert "nothing is replaced" in result.stdout


def test_help_names_the_commands() -> None:
    result = run("--help")
    assert result.returncode == 0
    for word in ("fetch", "demo", "status", "VISDOM_TRANSPORT=0"):
        assert word in result.stdout


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["fetch", "--no-such-option"], ["no-such-command"]])
def test_what_is_not_understood_is_refused(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "no-such" in result.stderr


def test_fetching_into_a_complete_directory_fetches_nothing(tmp_path: Path, visdom: str) -> None:
    result = run("fetch", "--visdom", visdom, "--dir", str(complete(tmp_path, visdom)), PATH="/nonexistent")
    assert result.returncode == 0, result.stdout
    assert "are complete in" in result.stdout


def test_fetching_for_a_visdom_nobody_knows_is_refused(tmp_path: Path) -> None:
    result = run("fetch", "--visdom", "9.9", "--dir", str(tmp_path))
    assert result.returncode == 1
    assert "9.9" in result.stderr
    assert "0.2.4, 0.3.0" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=str)
@pytest.mark.parametrize("flags", [[], ["-u"]], ids=["buffered", "unbuffered"])
def test_it_ends_quietly_when_nobody_reads_on(arguments: list[str], flags: list[str]) -> None:
    """As in `python -m visdom_transport | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = subprocess.run(
            [sys.executable, *flags, "-m", "visdom_transport", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert result.stderr == ""
    assert result.returncode in (0, 1)
