"""Programs as people have them lose nothing when the server is killed while they run.

Each program in `scripts` is run by plain Visdom without this package, without a kill: what is there then is what must be there
after the kills. The packages that they use are those of `requirements.txt`; of PyTorch, Matplotlib and others they only get what
stands in for them, from `standins`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.programs.started import PACKAGES, STEPS, Outcome, Programs, differences, is_there
from tests.support.flavour import NEW_VISDOM
from tests.support.served import Window
from tests.support.server import VisdomServer
from tests.support.wait import until

pytestmark = [pytest.mark.slow, pytest.mark.programs, pytest.mark.timeout(300)]

PROGRAMS = [name for name in PACKAGES if name != "visdom_logger" or NEW_VISDOM]
"""All there are for this Visdom: a logger of its own is new in 0.3.0."""

STEP_S = 0.05
"""Some 50 to 150 calls a second, depending on the program."""

KILLED_AT = STEPS // 2

WITHOUT_DOWNLOADS = ("-c", "from visdom.server.run_server import main; main()")

LOST_BY_VISDOM = frozenset({"metrics"})
"""Plain Visdom does not find the window of a number, so each append makes it anew."""

SEVERAL_CLIENTS = frozenset({"multiprocess_workers", "torchnet_loggers", "trixi_loggers"})
"""Which of their clients makes its windows first is open."""

Outcomes = dict[str, Outcome]


def selected(request: pytest.FixtureRequest) -> list[str]:
    """The programs of the tests that run in this session, if all of what they need is there."""
    here = [item for item in request.session.items if item.path == request.node.path]
    wanted = {item.callspec.params["name"] for item in here if isinstance(item, pytest.Function)}
    return [name for name in PROGRAMS if name in wanted and is_there(PACKAGES[name])]


@pytest.fixture(scope="module")
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What the programs leave behind in plain Visdom, when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with (
        VisdomServer(folder / "server", stock=True, program=WITHOUT_DOWNLOADS) as server,
        Programs(folder, server, selected(request), VISDOM_TRANSPORT="0") as programs,
    ):
        return programs.outcomes()


@pytest.fixture(scope="module")
def in_background(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The server is killed in the middle, and `visdom.Visdom` is a publisher. The programs take no notice."""
    folder = tmp_path_factory.mktemp("background")
    with (
        VisdomServer(folder / "server") as server,
        Programs(
            folder, server, selected(request), step_s=STEP_S, holds_at=KILLED_AT + 20, VISDOM_TRANSPORT_BACKGROUND="1"
        ) as programs,
    ):
        programs.until_steps(KILLED_AT)
        server.kill()
        programs.go_on()
        server.start()
        return programs.outcomes()


@pytest.fixture(scope="module")
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The server is killed while the programs pause: Visdom's own client loses what it is told while there is no server."""
    folder = tmp_path_factory.mktemp("plain")
    settings = {"journal": "all", "journal_interval_s": 0.5}
    with (
        VisdomServer(folder / "server", settings=settings) as server,
        Programs(folder, server, selected(request), step_s=STEP_S, holds_at=KILLED_AT) as programs,
    ):
        programs.until_steps(KILLED_AT)
        until(quiet(server), "nothing changes any more, and all of it is on disk")
        server.kill()
        server.start()
        programs.go_on()
        return programs.outcomes()


def quiet(server: VisdomServer) -> Callable[[], bool]:
    """Whether what is there has been the same in the last ten looks, and is on disk."""
    looks: list[object] = []

    def look() -> bool:
        looks.append({env: server.windows(env) for env in server.envs()})
        same = looks[-10:].count(looks[-1]) == 10
        return same and bool(server.status()["durability"]["on_disk"])

    return look


@pytest.mark.parametrize("mode", ["in_background", "plain"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_kill_of_the_server_costs_a_program_nothing(name: str, mode: str, request: pytest.FixtureRequest) -> None:
    if not is_there(PACKAGES[name]):
        pytest.skip(f"{PACKAGES[name]} is not installed: pip install --no-deps -r tests/programs/requirements.txt")
    expected: Outcome = request.getfixturevalue("undisturbed")[name]
    assert expected.status == 0, expected.output
    assert traces(expected) >= {(title, trace) for title, of in expected.points.items() for trace in of}
    outcome: Outcome = request.getfixturevalue(mode)[name]
    assert outcome.status == 0, outcome.output
    assert outcome.points == expected.points, "the program does the same each time"
    assert published(outcome) == expected.points, "each point once, and in order"
    in_order = name not in SEVERAL_CLIENTS
    assert differences(compared(outcome, in_order), compared(expected, in_order)) == []


def compared(outcome: Outcome, in_order: bool) -> dict[str, list[Window]]:
    """The windows that are the same in plain Visdom."""
    found = {}
    for env, windows in outcome.windows.items():
        found[env] = [window for window in windows if window["title"] not in LOST_BY_VISDOM]
        if not in_order:
            found[env].sort(key=lambda window: json.dumps([window["title"], window]))
    return found


def traces(outcome: Outcome) -> set[tuple[str, str]]:
    """The traces of all plots: title of the window, name of the trace."""
    plots = [window for windows in outcome.windows.values() for window in windows if window["type"] == "plot"]
    return {(window["title"], trace.get("name")) for window in plots for trace in window["content"]["data"]}


def published(outcome: Outcome) -> dict[str, dict[str, list[float]]]:
    """The points that are there, of the traces of which the program has noted points."""
    found: dict[str, dict[str, list[float]]] = {}
    for windows in outcome.windows.values():
        for window in windows:
            for trace in window["content"]["data"] if window["title"] in outcome.points else ():
                if trace["name"] in outcome.points[window["title"]]:
                    found.setdefault(window["title"], {}).setdefault(trace["name"], []).extend(trace["y"])
    return found
