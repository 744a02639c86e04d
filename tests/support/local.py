"""Visdom's application served by a thread of this process, as a notebook does it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import requests
import visdom.server.app
import visdom.utils.server_utils as server_utils
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.support.wait import until

T = TypeVar("T")

USER, PASSWORD = "ada", "s3cret"
PASSWORD_DIGEST = hashlib.sha256(PASSWORD.encode()).hexdigest()

START_TIMEOUT_S = 10.0


class LocalServer:
    """One application on a free port of 127.0.0.1, in an event loop and thread of its own.

    `options` are Application's arguments, `settings` become `VISDOM_TRANSPORT_<NAME>`. With `small_buffers` a client that
    does not read holds up the server soon: its kernel takes a few kilobytes per connection rather than megabytes.
    """

    def __init__(
        self,
        env_path: Path | None,
        *,
        login: bool = False,
        small_buffers: bool = False,
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> None:
        self.env_path = env_path
        self.login = login
        self.base_url: str = options.get("base_url", "")
        self.app: Any = None
        self.port = 0
        self.http = requests.Session()
        self.http.headers["Accept"] = "application/json"  # so that refusals say why in their text
        self._settings = {f"VISDOM_TRANSPORT_{name.upper()}": str(value) for name, value in (settings or {}).items()}
        self._options = options
        self._small_buffers = small_buffers
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="local-server")
        self._thread.start()
        assert self._ready.wait(START_TIMEOUT_S), "the server did not start"
        if self._failure is not None:
            raise self._failure
        if login:
            self.post("/", {"username": USER, "password": PASSWORD_DIGEST}).raise_for_status()

    # --- its life ---

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.app = self._application()
        assert hasattr(self.app, "transport"), "the import hook is not installed in this environment"
        server = HTTPServer(self.app, max_buffer_size=1024**3)
        sockets = bind_sockets(0, "127.0.0.1")
        if self._small_buffers:
            sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.port = sockets[0].getsockname()[1]
        server.add_sockets(sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()
        self.app.transport.journal._files.release()  # as the end of its process would

    def _application(self) -> Any:
        env_path = None if self.env_path is None else f"{self.env_path}/"
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self._settings))
            if self.login:
                assert self.env_path is not None
                secrets = self.env_path.parent / "secrets"
                secrets.mkdir(exist_ok=True)
                (secrets / "COOKIE_SECRET").write_text("a cookie secret of the tests")
                stack.enter_context(mock.patch.object(visdom.server.app, "DEFAULT_ENV_PATH", f"{secrets}/"))
                credential = {"username": USER, "password": server_utils.hash_password(PASSWORD_DIGEST)}
                self._options["user_credential"] = credential
            return visdom.server.app.Application(port=0, env_path=env_path, **self._options)

    def stop(self) -> None:
        """End the server and its thread."""
        self.http.close()
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive(), "the server did not stop"

    # --- talking to it ---

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{self.base_url}{path}"

    def post(self, path: str, body: Any) -> requests.Response:
        return self.http.post(self.url(path), data=json.dumps(body), timeout=10)

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url(path), timeout=10)

    def text(self, win: str, content: str, eid: str = "main") -> None:
        """Set a text window."""
        body = {"data": [{"type": "text", "content": content}], "win": win, "eid": eid, "opts": {"title": win}}
        answer = self.post("/events", body)
        assert (answer.status_code, answer.text) == (200, win)

    def plot(self, win: str, y: list[float], eid: str = "main", title: str = "loss") -> None:
        """Set a line with one named trace."""
        trace = {"type": "scatter", "name": "1", "x": list(range(len(y))), "y": y}
        body = {"data": [trace], "layout": {"title": title}, "win": win, "eid": eid, "opts": {"title": title}}
        self.post("/events", body).raise_for_status()

    def append(self, win: str, x: float, y: float, eid: str = "main") -> requests.Response:
        """Append one point to the trace of `plot`."""
        trace = {"type": "scatter", "name": "1", "x": [x], "y": [y]}
        return self.post("/update", {"data": [trace], "name": "1", "win": win, "eid": eid, "append": True, "layout": {}})

    def windows(self, eid: str = "main") -> dict[str, Any]:
        """What `/win_data` serves."""
        answer = self.post("/win_data", {"win": None, "eid": eid})
        answer.raise_for_status()
        windows: dict[str, Any] = answer.json()
        return windows

    def status(self) -> dict[str, Any]:
        answer = self.get("/transport/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    def sessions(self, **wanted: Any) -> list[dict[str, Any]]:
        """The sessions of the status whose members are as given."""
        return [each for each in self.status()["sessions"] if all(each[name] == value for name, value in wanted.items())]

    def wait_sessions(self, count: int, timeout_s: float = 5.0, **wanted: Any) -> None:
        """Wait until there are `count` sessions like that."""
        until(lambda: len(self.sessions(**wanted)) == count, f"{count} sessions", timeout_s=timeout_s, seen=self.sessions)

    def run(self, function: Callable[[], T]) -> T:
        """The result of a function called in the server's thread."""

        async def call() -> T:
            return function()

        return self.await_(call())

    def await_(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine run in the server's loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
