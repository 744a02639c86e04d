"""What is posted to Visdom's own handlers: checked before they see it, because they fail half-way through what is wrong.

A request that cannot be carried out is answered with 400 and JSON that names the field; one that asks for what is not there with
404 and a sentence, which no client takes for the window it asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visdom_transport.core.errors import MessageError
from visdom_transport.visdom.access.answers import answer_error
from visdom_transport.visdom.observed import is_unread
from visdom_transport.visdom.publishing.endpoints import (
    CONFLICT,
    NOT_FOUND,
    as_error,
    environment_id,
    parsed_body,
    refused,
    require_id,
)
from visdom_transport.visdom.serving.broadcasts import transport_of
from visdom_transport.visdom.state.environments import CannotShow, escape_eid
from visdom_transport.visdom.updates import UpdateRefused
from visdom_transport.visdom.updates.errors import refuse
from visdom_transport.writing import unwritable

if TYPE_CHECKING:
    from visdom_transport.visdom.transport import Transport

Check = Callable[["Transport", dict[str, Any]], None]


def checked(post: Callable[..., None]) -> Callable[..., None]:
    """Wrap the ``post`` of one of Visdom's handlers, whose name is in `CHECKS`."""

    def checked_post(handler: Any, *path: str) -> None:
        kind = type(handler).__name__
        if must_log_in(handler) and kind != "IndexHandler":
            post(handler, *path)
            return
        with Answering(handler):
            CHECKS[kind](transport_of(handler), parsed_body(handler))
            post(handler, *path)

    return checked_post


def saving(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap SaveHandler.post: environments are written while others have their turn."""

    async def save(handler: Any, transport: Transport, args: dict[str, Any]) -> None:
        _save(transport, args)
        await transport.journal.saves.before(map(escape_eid, args["data"]), lambda: post(handler))

    return in_turns(post, save)


def forking(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap ForkEnvHandler.post: the environment is copied and written while others have their turn."""

    async def fork(handler: Any, transport: Transport, args: dict[str, Any]) -> None:
        _fork_env(transport, args)
        previous, eid = escape_eid(args["prev_eid"]), escape_eid(args["eid"])
        with await transport.saving_ahead.save(previous, eid):
            transport.commands.fork(previous, eid)
        handler.write(eid)

    return in_turns(post, fork)


def logging_experiment(post: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Wrap ExperimentLogHandler.post of 0.3.0: the environment that it saves for each value is written once, while others have
    their turn."""

    async def log(handler: Any, transport: Transport, args: dict[str, Any]) -> None:
        transport.environments.get(environment_id(args))
        await transport.journal.saves.after(lambda: post(handler))

    return in_turns(post, log)


def in_turns(
    post: Callable[..., None], act: Callable[[Any, Transport, dict[str, Any]], Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """A ``post`` that acts while others have their turn, once it is known who asks."""

    async def checked_post(handler: Any) -> None:
        if must_log_in(handler):
            post(handler)
            return
        with Answering(handler):
            await act(handler, transport_of(handler), parsed_body(handler))

    return checked_post


def must_log_in(handler: Any) -> bool:
    """Whether Visdom answers that a login is needed."""
    return bool(handler.login_enabled and not handler.current_user)


class Answering:
    """Answers with what is wrong, if something is."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        handler = self._handler
        match error:
            case UpdateRefused(status=status) if status != NOT_FOUND:
                refused(handler, status, as_error(error))
            case UpdateRefused():
                _not_found(handler, error.message)
            case CannotShow():
                _not_found(handler, str(error))
            case MessageError():
                _say(handler, CONFLICT, error.message)
            case OSError():
                unwritable.log(error, "%s failed: %s", handler.request.path)
                message = f"could not be written: {unwritable.cause(error)}"
                handler.clear()  # Visdom may have answered what was to be written after it
                answer_error(handler, 500, MessageError("failed", message))
            case _:
                return False
        return True


def finding(get: Callable[..., None]) -> Callable[..., None]:
    """Wrap ``get`` of 0.3.0's EnvHandler and CompareHandler: an environment whose file has appeared since the start is found."""

    def find_and_get(handler: Any, eids: str) -> None:
        transport = transport_of(handler)
        if not handler.login_enabled or handler.current_user:
            for eid in eids.split("+") if "/compare/" in handler.request.path else [eids]:
                problem = transport.environments.problem(eid)
                if problem is not None and eid not in transport.app.state:
                    _not_found(handler, problem)
                    return
        get(handler, eids)

    return find_and_get


def _not_found(handler: Any, message: str) -> None:
    _say(handler, NOT_FOUND, message)


def _say(handler: Any, status: int, message: str) -> None:
    """Answer with a sentence, which is no JSON: no client takes it for the window it asked for."""
    handler.set_status(status)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.write(message.encode(errors="replace"))


# --- what requests name ---


def window_or_none(args: dict[str, Any]) -> str | None:
    if "win" not in args:
        refuse("win", "must be a window id, or null")
    return None if args["win"] is None else require_id("win", args["win"], "window id, or null")


def require_text(args: dict[str, Any], field: str) -> str:
    value = args.get(field)
    if not isinstance(value, str):
        refuse(field, "must be a string")
    return value


def _name(args: dict[str, Any], field: str) -> str:
    """An environment id, as it is stored."""
    return escape_eid(require_id(field, args.get(field), "environment name"))


def _page(args: dict[str, Any], *, required: bool) -> None:
    if not isinstance(args.get("sid"), str | None) or (required and "sid" not in args):
        refuse("sid", "must be the id of a page")


def require_environment(transport: Transport, eid: str) -> Any:
    environment = transport.environments.get(eid)
    if environment is None:
        refuse("eid", f"no environment {eid[:100]!r}", NOT_FOUND)
    return environment


def _savable(transport: Transport, eid: str, field: str) -> None:
    refusal = transport.journal.refusal(eid)
    if refusal is not None:
        refuse(field, f"environment {eid[:100]!r} cannot be saved: {refusal}")


# --- the requests ---


def _win_exists(transport: Transport, args: dict[str, Any]) -> None:
    window_or_none(args)
    transport.environments.get(environment_id(args))


def _win_hash(transport: Transport, args: dict[str, Any]) -> None:
    window_or_none(args)
    require_environment(transport, environment_id(args))


def _save(transport: Transport, args: dict[str, Any]) -> None:
    eids = args.get("data")
    if not isinstance(eids, list):
        refuse("data", "must be a list of environment names")
    for eid in eids:
        eid = escape_eid(require_id("data", eid, "list of environment names"))
        if eid in transport.app.state and not is_unread(transport.app.state[eid]):
            _savable(transport, eid, "data")


def _fork_env(transport: Transport, args: dict[str, Any]) -> None:
    eid = _name(args, "eid")
    require_environment(transport, _name(args, "prev_eid"))
    _savable(transport, eid, "eid")


def _delete_env(transport: Transport, args: dict[str, Any]) -> None:
    environment_id(args)


def _env(transport: Transport, args: dict[str, Any]) -> None:
    _page(args, required=False)
    if "eid" in args:
        transport.environments.readable(_name(args, "eid"))  # one whose file has appeared is there already


def _compare(transport: Transport, args: dict[str, Any]) -> None:
    _page(args, required=True)


def _login(transport: Transport, args: dict[str, Any]) -> None:
    if not transport.app.login_enabled:
        refuse("body", "nothing can be posted to this address, and this server has no login", NOT_FOUND)
    for field in ("username", "password"):
        require_text(args, field)


CHECKS: dict[str, Check] = {
    "CompareHandler": _compare,
    "DeleteEnvHandler": _delete_env,
    "EnvHandler": _env,
    "ExistsHandler": _win_exists,
    "HashHandler": _win_hash,
    "IndexHandler": _login,
}
