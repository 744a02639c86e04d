"""The pages Visdom serves: our runtime goes in front of its bundle, or a page of ours says which files are missing."""

from __future__ import annotations

import functools
import logging
import re
from pathlib import Path

from tornado import template

from visdom_transport.source_tree.description import PROVIDER_MARK
from visdom_transport.visdom.page import browser_files, runtime, static_files

logger = logging.getLogger(__name__)


STAND_INS = "stand-ins.js"
"""Runs before all scripts of the page."""
RUNTIME = "main.js"
"""A module, which runs after the document is parsed and before the bundle connects."""

_PAGES = ("index.html", "login.html")
_BUNDLE_PAGE = "index.html"
_BUNDLE = "js/main.js"
_BUNDLE_TAG = re.compile(r"""<script\b[^>]*\bstatic_url\(\s*(["'])js/main\.js\1\s*\)[^>]*>""")
_NAME_IN_SCRIPT = re.compile(r"""'\{\{\s*escape\((\w+)\)\s*\}\}'""")
_STATIC_URL = re.compile(r"""\bstatic_url\(\s*(["'])([^"']+)\1\s*\)""")


def loader(original: template.BaseLoader | None) -> template.BaseLoader:
    """The template loader of every application. Visdom has none of its own; if somebody has set one, it stays."""
    from visdom.server.app import tornado_settings

    return original or Loader(tornado_settings["template_path"], autoescape=tornado_settings["autoescape"])


class Loader(template.Loader):
    """Loads Visdom's templates, changed on the way. Keeps nothing: files may come or change while the server runs."""

    def load(self, name: str, parent_path: str | None = None) -> template.Template:
        if name not in _PAGES:
            self.reset()
            return super().load(name, parent_path)
        source = with_quoted_names(Path(self.root, name).read_text(encoding="utf-8"))
        missing = missing_files(self.root, source)
        if missing:
            return _missing_page(missing)
        if name == _BUNDLE_PAGE:
            source = with_scripts(source, has_provider=self._has_provider())
        return template.Template(source, name=name, loader=self)

    def _has_provider(self) -> bool:
        """Whether the bundle was built with our provider, which brings the runtime along."""
        return PROVIDER_MARK in static_files.find(self.root, _BUNDLE).read_bytes()


def with_quoted_names(source: str) -> str:
    """The page's source with the names of environments as strings of its script.

    Visdom escapes them as for HTML (0.2.4): a name with a quote or an ampersand is then another one, and a backslash or a line
    break ended the script, and with it the page.
    """
    return _NAME_IN_SCRIPT.sub(r"""{{json_encode(\1).replace("<", "\\\\u003c")}}""", source)


def with_scripts(source: str, *, has_provider: bool = False) -> str:
    """The page's source with our scripts in it; without a bundle as it was, with one warning.

    A bundle with our provider brings the runtime along.
    """
    bundle = _BUNDLE_TAG.search(source)
    if bundle is None:
        _warn_no_bundle()
        return source
    modules = runtime.current()

    def url(path: str) -> str:
        return f"""{{{{ static_url('{modules.address(path)}') }}}}"""

    early, late = [f'<script src="{url(STAND_INS)}"></script>'], []
    if not has_provider:
        # The browser would ask for each module when it has read the one that imports it. The page's own scripts go before.
        late = [f'<link rel="modulepreload" href="{url(path)}">' for path in modules.imported_by(RUNTIME)]
        late += [f'<script type="module" src="{url(RUNTIME)}"></script>']
    # Visdom ships no favicon.png; its link is a request that fails for each page, with a traceback in 0.3.0's log.
    head = source[: bundle.start()].replace('href="favicon.png"', 'href="data:,"')
    first = head.find("<script") if "<script" in head else len(head)
    ours = ("".join(f"{tag}\n    " for tag in tags) for tags in (early, late))
    return head[:first] + next(ours) + head[first:] + next(ours) + source[bundle.start() :]


def missing_files(root: str, source: str) -> list[str]:
    """Paths below `static` that the source names and nobody has."""
    names = (match[2] for match in _STATIC_URL.finditer(source))
    return [name for name in names if not name.startswith("../") and not static_files.find(root, name).is_file()]


def _missing_page(missing: list[str]) -> template.Template:
    visdom = static_files.visdom()
    packages = browser_files.missing(visdom, [])
    namespace = {"missing": {name: packages.get(name) for name in missing}, "visdom": visdom}
    folder = template.Loader(str(Path(__file__).parent), autoescape="xhtml_escape", namespace=namespace)
    return folder.load("missing.html")


@functools.cache
def _warn_no_bundle() -> None:
    logger.warning("Visdom's page does not load js/main.js as expected: it is served without the transport's scripts")
