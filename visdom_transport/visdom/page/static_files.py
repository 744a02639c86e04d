"""Static files from three places: Visdom's own, the browser files beside it, and our browser runtime."""

from __future__ import annotations

import functools
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from tornado.web import StaticFileHandler

from visdom_transport.links.codings import may_be_coded
from visdom_transport.visdom.flavour import recognise
from visdom_transport.visdom.page import browser_files, runtime
from visdom_transport.visdom.page.compressed import Compressed, CompressedFiles, digest

YEAR_S = 31_536_000


def visdom() -> str:
    """The known Visdom this process serves."""
    return recognise()


def find(root: str | os.PathLike[str], path: str) -> Path:
    """The file for a path below `static`; it need not exist. `root` is Visdom's own static folder."""
    ours = runtime.find(path.replace(os.sep, "/"))
    if ours is not None:
        return ours
    own = Path(root, path)
    fetched = browser_files.static_dir(visdom()) / path
    return fetched if not own.is_file() and fetched.is_file() else own


_compressed_files = CompressedFiles()
"""Of all applications of this process."""


class StaticFiles(StaticFileHandler):
    """Tornado's static files with several roots, and URLs that may lead out of `static` (the user's style sheet).

    A browser that takes gzip gets what is worth it compressed: another representation, with an ETag and ranges of its own.
    """

    _found: Compressed | None = None
    """The file, compressed, if it is worth it."""
    _data: bytes | None = None
    """What is sent in the place of the file."""

    async def get(self, path: str, include_body: bool = True) -> None:
        self.path = self.parse_url_path(path)
        absolute_path = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
        if absolute_path is None:
            return
        self._found = await _compressed_files.get(absolute_path)
        if self._found is not None and may_be_coded(self.request.headers, "gzip"):
            self._data = self._found.data
        await super().get(path, include_body)
        if self.get_status() == 416:
            self.clear_header("Content-Encoding")

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        # As text: links are looked at later, by validate_absolute_path.
        return os.path.abspath(find(root, path))

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        for folder in (root, browser_files.static_dir(visdom()), runtime.directory()):
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
        if runtime.is_version_of(path):  # its address says so already
            return None
        return _version(cls.get_absolute_path(settings["static_path"], path))

    def compute_etag(self) -> str | None:
        if self._data is not None and self._found is not None:
            return f'"{self._found.version}-gzip"'
        version = _version(self.absolute_path) if self.absolute_path else None
        return f'"{version}"' if version else None

    def set_headers(self) -> None:
        super().set_headers()
        condition = self.request.headers.get("If-Range")
        if condition is not None and condition != self._headers.get("Etag"):
            # It has a part of another representation, to which a part of this one must not be added.
            self.request.headers.pop("Range", None)

    def get_cache_time(self, path: str, modified: Any, mime_type: str) -> int:
        # A page from before an update asks for the version that it knows, and gets what there is now.
        if runtime.is_version_of(path):
            return YEAR_S
        version = _version(self.absolute_path) if self.absolute_path else None
        return YEAR_S if version is not None and self.get_query_argument("v", None) == version else 0

    def set_extra_headers(self, path: str) -> None:
        if "Expires" in self._headers:
            self.set_header("Cache-Control", f"max-age={YEAR_S}, immutable")
        else:
            # Fonts are named without a version; a browser must not mix old files with new.
            self.set_header("Cache-Control", "no-cache")
        if self._found is not None:
            self.set_header("Vary", "Accept-Encoding")
        if self._data is not None:
            self.set_header("Content-Encoding", "gzip")

    def get_content_size(self) -> int:
        return super().get_content_size() if self._data is None else len(self._data)

    def get_content(  # type: ignore[override]  # it depends on the request
        self, abspath: str, start: int | None = None, end: int | None = None
    ) -> Generator[bytes, None, None] | bytes:
        return super().get_content(abspath, start, end) if self._data is None else self._data[start:end]

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
    return digest(Path(path).read_bytes())
