"""Visdom's own downloader, kept on a leash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from visdom_transport.visdom.page.browser_files.kinds import is_what_it_is_called
from visdom_transport.visdom.page.browser_files.packages import Package
from visdom_transport.visdom.page.browser_files.store import install_file

#: The downloader has no time limit of its own; it is stopped when no new file has appeared for this long.
STALLED_AFTER_S = 30.0

_CODE = """
import json, sys
from visdom.server.build import download_scripts
download_scripts(**json.loads(sys.argv[1]))
"""


def fetch(wanted: Mapping[str, Package], into: Path, proxies: Mapping[str, str] | None, say: Callable[[str], None]) -> None:
    """Take what the downloader gets hold of. It changes urllib for everybody, so it runs in a process of its own."""
    say("visdom-transport: trying Visdom's own downloader")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=into) as temporary:
        arguments: dict[str, Any] = {"install_dir": temporary, "proxies": dict(proxies) if proxies else None}
        environ = {**os.environ, "VISDOM_TRANSPORT": "0", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (Path(temporary) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE, json.dumps(arguments)],
                cwd=temporary,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            _wait_while_busy(process, Path(temporary))
        finally:
            process.kill()
            process.wait()
        for path in wanted:
            source = Path(temporary) / "static" / path
            # The downloader stores whatever is answered.
            content = source.read_bytes() if source.is_file() else b""
            if is_what_it_is_called(path, content):
                install_file(content, into / path)
            elif content:
                say(f"visdom-transport: {path} is not what it should be; does this network ask for a login?")


def _wait_while_busy(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for the process as long as files keep appearing in the folder."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < STALLED_AFTER_S:
        try:
            process.wait(timeout=0.5)
            return
        except subprocess.TimeoutExpired:
            count = sum(1 for _ in folder.rglob("*"))
            if count != seen:
                seen, since = count, time.monotonic()
