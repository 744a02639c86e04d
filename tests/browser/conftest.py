"""One Chromium for all browser tests, one server and proxy for each way of connecting, a fresh environment per test.

Screenshot, panes, console and server log of a failed test are kept in the directory that TESTS_ARTIFACTS
names (default: `artifacts`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import Browser, missing_programs
from tests.support.dashboard import Dashboard
from tests.support.proxy import FaultProxy
from tests.support.server import VisdomServer

HERE = Path(__file__).parent

#: Silence is noticed within seconds: how long it takes is not the point here, except where a test says so. Nor is how long a
#: handler takes on a busy machine.
FAST = {"heartbeat_s": 1, "dead_after_s": 3, "poll_wait_s": 1.5, "answer_wait_s": 20}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = missing_programs()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and call.when in ("setup", "call"):
        name = re.sub(r"[^\w.-]+", "_", item.nodeid.removeprefix("tests/"))
        directory = Path(os.environ.get("TESTS_ARTIFACTS", item.config.rootpath / "artifacts")) / name
        directory.mkdir(parents=True, exist_ok=True)
        for thing in getattr(item, "funcargs", {}).values():
            if isinstance(thing, Dashboard):
                thing.save_evidence(directory)
        report.sections.append(("evidence", f"kept in {directory}"))
    return report


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Callable[..., VisdomServer]]:
    """Start a server with any options of `VisdomServer`; it ends with the session."""
    servers: list[VisdomServer] = []

    def start(**options: Any) -> VisdomServer:
        settings = FAST | options.pop("settings", {})
        options |= {"stock": pytestconfig.getoption("--stock"), "source_tree": pytestconfig.getoption("--source-tree")}
        server = VisdomServer(tmp_path_factory.mktemp("server"), settings=settings, **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session", params=["websocket", "poll"])
def link(request: pytest.FixtureRequest) -> str:
    """How the page is connected when all is well."""
    return str(request.param)


@pytest.fixture(scope="session")
def server(link: str, serve: Callable[..., VisdomServer]) -> VisdomServer:
    return serve(polling=link == "poll")


@pytest.fixture(scope="module")
def proxy(server: VisdomServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def make(browser: Browser, serve: Callable[..., VisdomServer], link: str) -> Iterator[Callable[..., Dashboard]]:
    """Make a dashboard on a server of its own, with the options given."""
    made: list[Dashboard] = []

    def make(**options: object) -> Dashboard:
        server = serve(polling=link == "poll", **options)
        made.append(Dashboard(server, FaultProxy(server.port), browser))
        return made[-1]

    yield make
    for dash in made:
        dash.close()
        dash.proxy.close()
        dash.server.kill()


@pytest.fixture
def dash(server: VisdomServer, proxy: FaultProxy, browser: Browser) -> Iterator[Dashboard]:
    dashboard = Dashboard(server, proxy, browser)
    yield dashboard
    dashboard.close()
