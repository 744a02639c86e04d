"""The libraries Visdom's pages load but its package does not contain: which ones, where they are, how they get there.

They come from npm packages pinned by version and by digest, are kept in the user's cache directory under one folder per
Visdom, and are served from there (see `static_files`). Visdom's own installation is only read.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import platformdirs

from visdom_transport.settings import Settings, SettingsError
from visdom_transport.visdom.page.browser_files import downloader, npm
from visdom_transport.visdom.page.browser_files.packages import FOLDERS, PACKAGES, Package
from visdom_transport.visdom.page.browser_files.store import FetchError

logger = logging.getLogger(__name__)


def directory(settings: Settings | None = None) -> Path:
    """Where the browser files of all Visdoms are kept. It need not exist."""
    configured = (settings or Settings.from_env()).browser_files_dir
    return configured or _cache() / "browser-files"


def _cache() -> Path:
    try:
        path = platformdirs.user_cache_path("visdom-transport", appauthor=False)
    except RuntimeError:
        return _homeless_cache()
    # Older ones return a path that begins with ~, which would be a folder of that name.
    return path if path.is_absolute() else _homeless_cache()


@functools.cache
def _homeless_cache() -> Path:
    """Where a user without a home directory (containers) keeps what can be fetched again. Nobody else may put files there."""
    folder = Path(tempfile.gettempdir()) / f"visdom-transport-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="visdom-transport-"))
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return folder if is_ours else Path(tempfile.mkdtemp(prefix="visdom-transport-"))


def static_dir(visdom: str, settings: Settings | None = None) -> Path:
    """The folder that completes the `static` folder of this Visdom."""
    return directory(settings) / FOLDERS.get(visdom, visdom) / "static"


def installed_static_dir() -> Path | None:
    """The `static` folder of the installed Visdom, if there is one. Imports nothing."""
    spec = importlib.util.find_spec("visdom")
    return Path(spec.origin).parent / "static" if spec and spec.origin else None


def missing(visdom: str, folders: Iterable[Path | None]) -> dict[str, Package]:
    """The required files that none of the `static` folders has, with the package each comes from."""
    present = [folder for folder in folders if folder is not None]
    return {
        path: package
        for package in PACKAGES[visdom]
        for path in package.required
        if not any((folder / path).is_file() for folder in present)
    }


def instead_of_download_scripts(original: Callable[..., None]) -> Callable[..., None]:
    """Visdom's `download_scripts`, the first step of its command. It never writes into the installation.

    Ends the process when there is a setting that cannot be used: it would not serve as its user believes.
    """

    @functools.wraps(original)
    def download_scripts(proxies: Mapping[str, str] | None = None, install_dir: str | None = None) -> None:
        from visdom_transport.visdom.flavour import recognise

        if install_dir is not None:  # somebody builds a directory of their own
            original(proxies=proxies, install_dir=install_dir)
            return
        try:
            Settings.of_server()
        except SettingsError as error:
            sys.exit(f"visdom-transport: {error}")
        try:
            visdom = recognise()
            ensure(visdom, static_dir(visdom), [installed_static_dir()], proxies)
        except Exception as error:
            logger.warning("the browser files could not be fetched (%s: %s)", type(error).__name__, error)

    return download_scripts


def ensure(
    visdom: str,
    into: Path,
    also: Iterable[Path | None] = (),
    proxies: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Fetch the required files that neither `into` nor one of the other folders has.

    Tries npm, then Visdom's own downloader. Several processes may do this at once.

    Returns:
        the files that are still missing.
    """
    folders = [into, *also]
    wanted = missing(visdom, folders)
    for way in (npm.fetch, downloader.fetch):
        if not wanted:
            break
        try:
            into.mkdir(parents=True, exist_ok=True)
            way(wanted, into, proxies, say)
        except (FetchError, OSError) as error:
            say(f"visdom-transport: {error}")
        wanted = missing(visdom, folders)
    if wanted:
        say(f"visdom-transport: {len(wanted)} browser files are missing; `python -m visdom_transport` lists them")
    return list(wanted)
