"""Static files from three places: Visdom's own, the browser files beside it, and our browser runtime."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tornado.web import StaticFileHandler

import visdom_transport
from visdom_transport.visdom.flavour import recognise
from visdom_transport.visdom.page import browser_files

#: Where our runtime appears below Visdom's `static`.
RUNTIME_PREFIX = "transport"

_PACKAGE = Path(visdom_transport.__file__).resolve().parent


def runtime_dir() -> Path:
    """The browser runtime: part of the installed package, or `js/src` of a source tree."""
    installed = _PACKAGE / "static"
    return installed if installed.is_dir() else _PACKAGE.parent / "js" / "src"


def visdom() -> str:
    """The known Visdom this process serves."""
    return recognise()


def find(root: str | os.PathLike[str], path: str) -> Path:
    """The file for a path below `static`; it need not exist. `root` is Visdom's own static folder."""
    first, _, rest = path.replace(os.sep, "/").partition("/")
    if first == RUNTIME_PREFIX:
        return runtime_dir() / rest
    own = Path(root, path)
    fetched = browser_files.static_dir(visdom()) / path
    return fetched if not own.is_file() and fetched.is_file() else own


class StaticFiles(StaticFileHandler):
    """Tornado's static files with several roots, and URLs that may lead out of `static` (the user's style sheet)."""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        # As text: links are looked at later, by validate_absolute_path.
        return os.path.abspath(find(root, path))

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        for folder in (root, browser_files.static_dir(visdom()), runtime_dir()):
            if Path(absolute_path).is_relative_to(os.path.abspath(folder)):
                return super().validate_absolute_path(str(folder), absolute_path)
        return super().validate_absolute_path(root, absolute_path)

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        prefix: str = settings.get("static_url_prefix", "/static/")
        url = urljoin(prefix, path)
        if not url.startswith(prefix):  # not a static file, but another route of the same application
            return url
        version = cls.get_version(settings, path) if include_version else None
        return f"{url}?v={version}" if version else url

    @classmethod
    def get_version(cls, settings: dict[str, Any], path: str) -> str | None:
        return _version(cls.get_absolute_path(settings["static_path"], path))

    def compute_etag(self) -> str | None:
        version = _version(self.absolute_path) if self.absolute_path else None
        return f'"{version}"' if version else None

    def set_extra_headers(self, path: str) -> None:
        if "v" not in self.request.arguments:
            # Modules and fonts are named without a version; a browser must not mix old ones with new.
            self.set_header("Cache-Control", "no-cache")

    def get_content_type(self) -> str:
        # Some systems map .js to text/plain, and then no browser runs a module.
        is_script = self.absolute_path is not None and self.absolute_path.endswith(".js")
        return "text/javascript" if is_script else str(super().get_content_type())


def _version(path: str) -> str | None:
    """A digest of the file's content, None if it cannot be read."""
    try:
        status = os.stat(path)
        return _digest(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return None


@functools.lru_cache(maxsize=1024)
def _digest(path: str, modified_ns: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
