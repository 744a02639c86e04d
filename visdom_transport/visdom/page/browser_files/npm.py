"""Fetching the packages with npm, which brings its own registries, proxies and cache."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from visdom_transport.visdom.page.browser_files.packages import Package
from visdom_transport.visdom.page.browser_files.store import FetchError, install_file

#: The first package is asked for with little patience: it finds out whether there is a network at all.
FIRST_TIMEOUT_S = 15.0
TIMEOUT_S = 300.0


def fetch(wanted: Mapping[str, Package], into: Path, proxies: Mapping[str, str] | None, say: Callable[[str], None]) -> None:
    """Fetch what the wanted files need, each package as a whole, and stop at the first that cannot be had.

    Raises:
        FetchError: npm is not there, did not answer in time, or brought something else than the pinned package.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("npm is not installed; it would fetch Visdom's browser files")
    packages = list({str(package): package for package in wanted.values()}.values())
    say(f"visdom-transport: fetching Visdom's browser files, once, into {into}")
    fetched = 0

    def fetch_one(package: Package, timeout_s: float) -> None:
        nonlocal fetched
        _unpack(_pack(npm, package, Path(temporary), timeout_s, proxies), package, into)
        fetched += 1
        say(f"  {fetched} of {len(packages)}: {package}")

    # Beside the final place, so that a rename is all it takes to get there.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=into) as temporary, ThreadPoolExecutor(4) as pool:
        fetch_one(packages[0], FIRST_TIMEOUT_S)
        futures = [pool.submit(fetch_one, package, TIMEOUT_S) for package in packages[1:]]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()


def _pack(npm: str, package: Package, folder: Path, timeout_s: float, proxies: Mapping[str, str] | None) -> Path:
    """Fetch one tarball, which npm checks against its registry and we check against the pinned digest."""
    command = [
        *(npm, "pack", str(package), "--ignore-scripts", "--silent", "--prefer-offline", "--loglevel=error"),
        *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", f"--fetch-timeout={timeout_s * 1000:.0f}"),
    ]
    environ = {**os.environ, **{f"{scheme}_proxy": url for scheme, url in (proxies or {}).items()}}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"npm did not fetch {package} within {timeout_s:.0f} s") from None
    tarball = folder / f"{package.name}-{package.version}.tgz"
    if done.returncode or not tarball.is_file():
        reason = " ".join((done.stderr or done.stdout).split())[:300] or f"status {done.returncode}"
        raise FetchError(f"npm could not fetch {package}: {reason}")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != package.integrity:
        raise FetchError(f"{package} from npm is not the pinned one: {digest} instead of {package.integrity}")
    return tarball


def _unpack(tarball: Path, package: Package, into: Path) -> None:
    with tarfile.open(tarball) as archive:
        for member in archive:
            target = package.target(member.name) if member.isfile() else None
            content = archive.extractfile(member) if target else None
            if target and content:
                install_file(content.read(), into / target)
