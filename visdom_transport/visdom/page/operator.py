"""The operator's page: its frame. What it shows comes through a feed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tornado import template

from visdom_transport.visdom.page import runtime

MODULE = "operator/main.js"


def operator_page(base_url: str) -> bytes:
    """The page, for a server below this path."""
    return _template().generate(script=f"{base_url}/static/{runtime.current().address(MODULE)}")


@cache
def _template() -> template.Template:
    return template.Loader(str(Path(__file__).parent), autoescape="xhtml_escape").load("operator.html")
