"""`python -m visdom_transport check URL`: whether a server or a relay serves viewers, and what it is connected with."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from visdom_transport.core.errors import LinkClosed
from visdom_transport.relay.command import url as an_url
from visdom_transport.relay.link import CONNECT_S, Away, Message, OriginLink
from visdom_transport.relay.origin import Origin

_DESCRIPTION = """\
Ask a server, or a relay of one, for its state, and open a page's link there. Says whether a relay reaches the server that it
follows, and which relays follow a server. Where it asks for a login, VISDOM_USERNAME and VISDOM_PASSWORD are used.
The exit status is 1 if there is a problem."""

ALLOWED: Final = 200
REFUSED: Final = (400, 401, 403)
AWAY: Final = 502
"""A relay without its origin, where it does not know who asks."""

_HELLO: Final[Message] = {"type": "hello", "role": "browser", "session": None, "secret": None, "window": 1, "feeds": {}}


class Problem(Exception):
    """What is wrong, in words."""


def main(arguments: Sequence[str]) -> int:
    """Print what is found, then the problem if there is one. Returns 1 if there is."""
    parser = argparse.ArgumentParser("python -m visdom_transport check", description=_DESCRIPTION)
    parser.add_argument("url", type=an_url, metavar="URL", help="of the server or relay, with its base URL")
    options = parser.parse_args(arguments)
    username, password = (os.environ.get(f"VISDOM_{name}", "") for name in ("USERNAME", "PASSWORD"))
    try:
        asyncio.run(_check(Origin(options.url, username, password)))
    except Problem as problem:
        print(f"problem: {problem}")
        return 1
    return 0


async def _check(server: Origin) -> None:
    try:
        headers = await server.own_headers()
        status = await _status(server, headers)
        for line in _lines(server.url, status):
            print(line)
        _judge(status)
        (await OriginLink.open(server.socket_url("/socket"), headers, _HELLO)).close()
    except Away as away:
        raise Problem(f"{server.url} does not serve viewers: {away}") from None
    except LinkClosed as closed:
        raise Problem(f"{server.url} lets no viewer in: {closed}") from None
    print("a viewer is let in")


async def _status(server: Origin, headers: Mapping[str, str]) -> dict[str, Any]:
    request = HTTPRequest(
        f"{server.url}/transport/status", headers=dict(headers), request_timeout=CONNECT_S, follow_redirects=False
    )
    try:
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
    except (OSError, HTTPClientError) as error:
        raise Problem(f"{server.url} does not answer: {error}") from None
    try:
        status = json.loads(answer.body)
    except ValueError:
        status = None
    if answer.code != ALLOWED or not isinstance(status, dict) or "totals" not in status:
        raise Problem(f"{server.url} answers {answer.code}: {_why(answer.code, status)}")
    return status


def _why(code: int, said: Any) -> str:
    if code == AWAY and isinstance(said, dict) and "error" in said:
        return str(said["error"]["message"])
    if code in REFUSED:
        return "it wants a login (VISDOM_USERNAME and VISDOM_PASSWORD), or is without this package"
    return "it is without this package"


def _lines(url: str, status: Mapping[str, Any]) -> Iterator[str]:
    sessions = status["sessions"]
    kind = f"a relay of {status['origin']['url']}" if "origin" in status else "a server"
    # Those of relays have a session here as well.
    viewers = sum(each["role"] == "browser" and each["link"] is not None and each.get("relay") is None for each in sessions)
    yield f"{url}: {kind}, version {status['version']}, with {viewers} viewers"
    for relay in [*status.get("relays", []), *status.get("origin", {}).get("relays", [])]:
        state = "is there" if relay["state"] == "here" else f"has been away for {relay['seen_s_ago']:.0f} s"
        yield f"relay {relay['name']} at {relay['address']} {state}, with {relay['viewers']} viewers"
    if "origin" in status and status["origin"]["state"] == "here":
        yield f"it has reached its origin for {status['origin']['for_s']:.0f} s"


def _judge(status: Mapping[str, Any]) -> None:
    origin = status.get("origin")
    if origin is not None and origin["state"] != "here":
        raise Problem(f"it has not reached its origin {origin['url']} for {origin['for_s']:.0f} s: {origin['why']}")
