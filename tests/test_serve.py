"""`python -m visdom_transport serve`, where no hook is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import VisdomServer
from visdom_transport import hook

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**inherited, **environ}, capture_output=True, text=True, timeout=60)


def without_hook(folder: Path) -> str:
    """Code that runs the command as where no .pth file is read."""
    return (
        "import sys; sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ != 'PostImportFinder']; "
        f"sys.path.insert(0, {str(folder)!r}); from visdom_transport.__main__ import main; sys.exit(main())"
    )


def test_the_server_has_the_transport_and_takes_visdoms_options(tmp_path: Path) -> None:
    with VisdomServer(tmp_path, base_url="/vis", readonly=True, program=("-c", without_hook(ROOT), "serve")) as server:
        assert server.status()["version"]
        assert server.get("/").status_code == 200
        assert "WebSocket or polling" in server.log_path.read_text()


def test_help_and_wrong_options_are_visdoms() -> None:
    shown = run("-m", "visdom_transport", "serve", "-h")
    assert shown.returncode == 0
    assert "-env_path" in shown.stdout
    wrong = run("-m", "visdom_transport", "serve", "-no_such_option")
    assert wrong.returncode == 2
    assert "no_such_option" in wrong.stderr


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"VISDOM_TRANSPORT": "0"}, f"{hook.SWITCH} in the environment switches the transport off"),
        ({"VISDOM_TRANSPORT_GRACE_S": "x"}, "VISDOM_TRANSPORT_GRACE_S must be a number"),
    ],
)
def test_it_never_runs_plain_visdom(environ: dict[str, str], said: str) -> None:
    result = run("-m", "visdom_transport", "serve", **environ)
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_visdom_that_is_not_known_is_not_run(tmp_path: Path) -> None:
    code = (
        "import visdom.server.build as build; del build.download_scripts; "
        "from visdom_transport import serve; import sys; sys.exit(serve.main([]))"
    )
    result = run("-c", code, VISDOM_TRANSPORT="1")
    assert result.returncode == 1
    assert "the transport cannot be added to this Visdom" in result.stderr
