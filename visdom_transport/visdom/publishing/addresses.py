"""Addresses of pages, as people and programs write them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from visdom_transport.visdom.publishing.stock_requests import finding
from visdom_transport.visdom.state.environments import escape_eid


def at_its_address(get: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap EnvHandler.get: a name that Visdom stores in another form leads to the page of that."""

    @wraps(get)
    def get_page(handler: Any, eid: str) -> Any:
        app, stored = handler.application, escape_eid(eid)
        if eid not in app.state and stored in app.state and (handler.current_user or not app.login_enabled):
            query = f"?{handler.request.query}" if handler.request.query else ""
            return handler.redirect(f"{app.base_url}/env/{quote(stored, safe='')}{query}")
        return get(handler, eid)

    return get_page


def found_at_its_address(get: Callable[..., Any]) -> Callable[..., Any]:
    """The same for 0.3.0, where one whose file has appeared since the start is looked for as well."""
    return at_its_address(finding(get))
