"""Visdom's application served by a thread of this process, as a notebook does it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import visdom.server.app
import visdom.utils.server_utils as server_utils
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.support.served import Login, Served

T = TypeVar("T")

START_TIMEOUT_S = 30.0


class LocalServer(Served):
    """One application on a free port of 127.0.0.1, in an event loop and thread of its own.

    `options` are Application's arguments, `settings` become `VISDOM_TRANSPORT_<NAME>`. With `small_buffers` a client that
    does not read holds up the server soon: its kernel takes a few kilobytes per connection rather than megabytes.
    """

    def __init__(
        self,
        env_path: Path | None,
        *,
        login: Login | None = None,
        small_buffers: bool = False,
        settings: dict[str, object] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(0, base_url=options.get("base_url", ""), login=login)
        self.env_path = env_path
        self.app: Any = None
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
        if self.app.transport.measures is not None:
            await self.app.transport.measures.close()
        journal = self.app.transport.journal
        journal._files.release()  # as the end of its process would
        if journal._timer is not None:
            # Between the tasks' cancellation and the loop's end, it would begin one that nobody runs.
            journal._timer.cancel()

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
                password = server_utils.hash_password(self.login.digest)
                self._options["user_credential"] = {"username": self.login.username, "password": password}
            return visdom.server.app.Application(port=0, env_path=env_path, **self._options)

    def stop(self) -> None:
        """End the server and its thread."""
        self.disconnect()
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive(), "the server did not stop"

    # --- inside it ---

    def run(self, function: Callable[[], T]) -> T:
        """The result of a function called in the server's thread."""

        async def call() -> T:
            return function()

        return self.await_(call())

    def await_(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine run in the server's loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)
