"""``POST /upload_env`` of 0.3.0: a file becomes an environment, read and written while others have their turn."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath
from typing import Any

from visdom_transport.visdom.durability.stepwise import decode_stepwise
from visdom_transport.visdom.durability.threads import in_thread
from visdom_transport.visdom.publishing.stock_requests import Answering, must_log_in
from visdom_transport.visdom.serving.broadcasts import transport_of
from visdom_transport.visdom.state.environments import escape_eid

MAX_BYTES = 100 * 1024 * 1024
"""A larger file is refused by Visdom."""

MEMBERS = ("jsons", "reload")
"""What every environment has, and what is taken of a file."""


class NotAnEnvironment(Exception):
    """What is uploaded cannot be one. The message says why."""


def uploading(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap UploadEnvHandler.post, which checks that there are windows, but not what they are, nor the file's name."""

    async def take(handler: Any) -> None:
        file = next(iter(handler.request.files.get("file", [])), None)
        if must_log_in(handler) or handler.readonly or file is None or len(file["body"]) > MAX_BYTES:
            post(handler)  # refuses it
            return
        try:
            with Answering(handler):
                await _upload(handler, file["filename"], file["body"])
        except NotAnEnvironment as error:
            handler.set_status(400)
            handler.write({"success": False, "error": str(error)})

    return take


async def _upload(handler: Any, name: str, body: bytes) -> None:
    transport = transport_of(handler)
    try:
        content = await in_thread(decode_stepwise, body)
    except ValueError as error:
        raise NotAnEnvironment("Invalid JSON file") from error
    if not isinstance(content, dict) or not all(isinstance(content.get(member), dict) for member in MEMBERS):
        raise NotAnEnvironment("This is not a valid Visdom JSON")
    eid = environment_name(name)
    if transport.journal.refusal(eid) is not None:
        raise NotAnEnvironment("The file's name cannot be that of an environment")
    state = transport.app.state

    def begin() -> None:
        state[eid] = {member: content[member] for member in MEMBERS}
        transport.storage.save(state, eid)

    await transport.journal.saves.after(begin)
    handler.write({"success": True, "eid": eid, "message": f"Dashboard loaded successfully as '{eid}'"})


def environment_name(file_name: str) -> str:
    """The environment that a file becomes: a new one, named after it."""
    stem = escape_eid(PurePosixPath(file_name).name.removesuffix(".json")) if file_name.endswith(".json") else ""
    parts = ["uploaded", stem if stem != "main" else "", uuid.uuid4().hex[:8]]
    return "_".join(part for part in parts if part)
