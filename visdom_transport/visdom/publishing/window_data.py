"""``POST /win_data`` and ``/env_state``: what windows hold, given and taken as Visdom does, large values while others have their
turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from tornado.iostream import StreamClosedError
from visdom.utils import shared_utils

from visdom_transport.visdom.durability.sizes import estimated_bytes
from visdom_transport.visdom.durability.steps import Form, encoding
from visdom_transport.visdom.durability.stepwise import decode_stepwise
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.publishing.endpoints import NOT_FOUND, environment_id
from visdom_transport.visdom.publishing.stock_requests import in_turns, require_environment, require_text, window_or_none
from visdom_transport.visdom.state.environments import escape_eid
from visdom_transport.visdom.updates.errors import refuse

if TYPE_CHECKING:
    from visdom_transport.visdom.transport import Transport

LARGE_BYTES: Final = 1_000_000
"""What is smaller is parsed or encoded at once: that takes some ten milliseconds."""

WRITTEN_BYTES: Final = 250_000
"""So much of an answer is handed to the connection at a time."""

_ENCODER: Final = getattr(shared_utils, "NanSafeEncoder", None)
"""0.3.0 writes null for what is no number."""


def _encode(value: Any) -> bytes:
    if _ENCODER is not None:
        # It looks at each number with Python, which is seldom needed.
        with contextlib.suppress(ValueError):
            return json.dumps(value, allow_nan=False).encode()
    return json.dumps(value, cls=_ENCODER).encode()


VISDOM_FORM: Final = Form(_encode, comma=b", ", colon=b": ")
"""As Visdom writes JSON."""


def exchanging(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap DataHandler.post."""

    async def exchange(handler: Any, transport: Transport, args: dict[str, Any]) -> None:
        eid, win = environment_id(args), window_or_none(args)
        if "data" in args:
            _set(transport, eid, win, await _parsed(require_text(args, "data")))
            return
        windows = require_environment(transport, eid)["jsons"]
        if win is not None and win not in windows:
            refuse("win", f"no window {win[:100]!r} in environment {eid[:100]!r}", NOT_FOUND)
        if estimated_bytes(windows if win is None else windows[win]) <= LARGE_BYTES:
            post(handler)
        else:
            await _answer(handler, await _windows(transport, eid) if win is None else await _window(transport, eid, win))

    return in_turns(post, exchange)


def telling_state(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap EnvStateHandler.post. Visdoms either take no notice of what is asked for, or take everything for a name."""

    async def tell(handler: Any, transport: Transport, args: dict[str, Any]) -> None:
        environment = None
        if transport.storage.makes_environments and args.get("eid") is not None:
            environment = transport.environments.get(escape_eid(str(args["eid"])))
        if environment is None or estimated_bytes(environment["jsons"]) <= LARGE_BYTES:
            post(handler)
        else:
            await _answer(handler, await _windows(transport, escape_eid(str(args["eid"]))))

    return in_turns(post, tell)


async def _parsed(text: str) -> Any:
    try:
        if len(text) <= LARGE_BYTES:
            return json.loads(text)
        return await in_thread(lambda: decode_stepwise(text.encode(errors="surrogatepass")))
    except (ValueError, RecursionError) as error:
        refuse("data", f"not JSON: {error}")


def _set(transport: Transport, eid: str, win: str | None, data: Any) -> None:
    if win is None and not isinstance(data, dict):
        refuse("data", "must be an object of windows")
    environment = transport.environments.begin(eid)
    if win is None:
        environment["jsons"] = data
    else:
        environment["jsons"][win] = data


async def _windows(transport: Transport, eid: str) -> list[bytes]:
    """The JSON of all windows of an environment, each as it is at one moment."""
    windows = transport.app.state[eid]["jsons"]
    pieces, mark = [], b"{"
    for win in list(windows):
        window = await _window(transport, eid, win)
        if window:
            pieces += [mark + VISDOM_FORM.encode(win) + VISDOM_FORM.colon, *window]
            mark = VISDOM_FORM.comma
    return [*pieces, b"}" if pieces else b"{}"]


async def _window(transport: Transport, eid: str, win: str) -> list[bytes]:
    """The JSON of a window; nothing if it is gone."""
    windows = transport.app.state[eid]["jsons"] if eid in transport.app.state else {}
    if win not in windows:
        return []
    pieces: list[bytes] = await transport.journal.saves.steadily(
        eid, win, lambda: encoding(windows.get(win), VISDOM_FORM), lambda: [VISDOM_FORM.encode(windows.get(win))]
    )
    return pieces


async def _answer(handler: Any, pieces: list[bytes]) -> None:
    """Write what is encoded as the connection takes it: to put it together first would be another step that is too long."""
    handler.set_header("Content-Length", str(sum(map(len, pieces))))
    waiting: list[bytes] = []
    try:
        for piece in pieces:
            waiting.append(piece)
            if sum(map(len, waiting)) > WRITTEN_BYTES:
                handler.write(b"".join(waiting))
                waiting.clear()
                await handler.flush()
                await asyncio.sleep(0)  # a connection that takes everything makes nobody wait
        handler.write(b"".join(waiting))
        await handler.flush()
    except StreamClosedError:
        pass  # who asked has gone
