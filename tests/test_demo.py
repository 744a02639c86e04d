"""The demo as a newcomer runs it: a process that starts a server, shows windows that move, and leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from tests.support.ports import free_port
from tests.support.server import VisdomServer
from tests.support.wait import until

pytest.importorskip("sklearn", reason="the demo needs scikit-learn: pip install '.[demo]'")

from threadpoolctl import threadpool_limits
from visdom import Visdom

from visdom_transport.demo import command, training
from visdom_transport.demo.dashboard import Dashboard
from visdom_transport.demo.server import LAST_PORT

START_TIMEOUT_S = 60.0
WINDOWS = {
    "state": "text",
    "loss": "plot",
    "accuracy": "plot",
    "samples": "image",
    "confusion": "plot",
    "embedding": "plot",
    "log": "text",
}
Window = dict[str, Any]


class Demo:
    """A running demo; `output` is everything it and its server have printed so far."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._path = directory / "demo.log"
        self.port = free_port()
        # A port that is given comes later, and wins.
        options = ("--port", str(self.port), *options) if "--server" not in options else options
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        environment |= {"TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"}
        with self._path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "visdom_transport", "demo", "--rate", "10", *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def output(self) -> str:
        return self._path.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.output)
            assert match or self.process.poll() is None, f"ended without {pattern!r}:\n{self.output}"
            return match

        return until(found, f"the demo prints {pattern!r}", timeout_s=START_TIMEOUT_S, seen=lambda: self.output)

    def server(self) -> str:
        """The server's URL, as soon as the demo has said what to open."""
        return self.wait_for(r"Open (http://127\.0\.0\.1:\d+)/env/\S+").group(1)

    def end(self, how: signal.Signals | None = None) -> int:
        """Send a signal if one is given, and wait for the exit status."""
        if how is not None:
            self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start(*options: str) -> Demo:
        demos.append(Demo(tmp_path, *options))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def windows(server: str, env: str = "demo") -> dict[str, Window]:
    answer = requests.post(f"{server}/win_data", data=json.dumps({"win": None, "eid": env}), timeout=10)
    # Unknown until the first window is there.
    return dict(answer.json()) if answer.ok else {}


def points(window: Window, trace: int = 0) -> int:
    return len(window["content"]["data"][trace]["x"])


def drawn(server: str, steps: int) -> dict[str, Window]:
    """All windows, once that many steps are shown."""

    def complete() -> dict[str, Window] | None:
        seen = windows(server)
        return seen if set(seen) == set(WINDOWS) and points(seen["accuracy"]) >= steps else None

    return until(complete, f"{steps} steps are shown", timeout_s=40, seen=lambda: sorted(windows(server)))


def is_listening(server: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(server.rpartition(":")[2]))) == 0


# --- what it shows ---------------------------------------------------------------------------------------------


def test_a_new_user_sees_a_model_learn(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start()
    seen = drawn(demo.server(), steps=30)
    assert {win: window["type"] for win, window in seen.items()} == WINDOWS
    assert all(window["title"] for window in seen.values())
    losses = seen["loss"]["content"]["data"]
    assert [trace["name"] for trace in losses] == ["training", "held out"]
    assert losses[1]["x"] == list(range(1, len(losses[1]["x"]) + 1)), "each step once, in order"
    assert losses[1]["y"][-1] < losses[1]["y"][0] / 1.5
    assert seen["accuracy"]["content"]["data"][1]["y"][-1] > 0.6
    assert sum(map(sum, seen["confusion"]["content"]["data"][0]["z"])) == 500
    assert sum(len(trace["x"]) for trace in seen["embedding"]["content"]["data"]) == 500
    assert seen["samples"]["content"]["src"].startswith("data:image/png;base64,")
    assert "epoch 1: loss" in seen["log"]["content"]
    assert demo.end(signal.SIGINT) == 0
    assert not list(tmp_path.glob("visdom-demo-*")), "the temporary directory stays behind"


def test_it_stops_by_itself_and_keeps_what_it_is_told_to_keep(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start("--seconds", "3", "--env", "mine", "--env-path", str(tmp_path / "kept"), "--port", str(free_port()))
    assert demo.server()
    assert demo.end() == 0
    saved = json.loads((tmp_path / "kept" / "mine.json").read_text())
    assert set(saved["jsons"]) == set(WINDOWS)


# --- how it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_demo_and_the_server(start: Callable[..., Demo], how: signal.Signals) -> None:
    demo = start()
    server = demo.server()
    drawn(server, steps=2)
    assert demo.end(how) == 0
    assert "Traceback" not in demo.output
    assert not is_listening(server), "the server is left behind"


def test_a_signal_before_the_server_answers_stops_both(start: Callable[..., Demo]) -> None:
    demo = start()
    demo.wait_for("Starting a Visdom server")
    assert demo.end(signal.SIGINT) == 0
    assert "Traceback" not in demo.output
    assert not is_listening(f"http://127.0.0.1:{demo.port}")


# --- outages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_state", [False, True], ids=["empty", "saved"])
def test_it_goes_on_when_somebody_restarts_the_server(start: Callable[..., Demo], tmp_path: Path, keep_state: bool) -> None:
    (tmp_path / "server").mkdir()
    with VisdomServer(tmp_path / "server") as server:
        demo = start("--server", server.url("").rstrip("/"))
        saved = points(drawn(demo.server(), steps=3)["loss"])
        server.post("/save", {"data": ["demo"]}).raise_for_status()
        before = points(drawn(demo.server(), steps=saved + 5)["loss"])
        server.restart(keep_state=keep_state)
        demo.wait_for("does not answer")
        demo.wait_for("answers again")
        after = drawn(demo.server(), steps=before + 1)
        for win in ("loss", "accuracy"):
            steps = after[win]["content"]["data"][0]["x"]
            assert steps == list(range(1, len(steps) + 1)), "the lines are whole again"
        assert after["loss"]["title"] == "Loss"
        assert demo.end(signal.SIGINT) == 0
        assert "Traceback" not in demo.output
        assert server.envs(), "a server that was there before is not stopped"


def test_it_starts_its_own_server_again(start: Callable[..., Demo]) -> None:
    demo = start()
    server = demo.server()
    drawn(server, steps=2)
    children = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children")
    if not children.exists():
        pytest.skip("needs Linux to find the demo's server")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    demo.wait_for("is started again")
    demo.wait_for("answers again")
    drawn(server, steps=3)
    assert demo.end(signal.SIGINT) == 0
    assert not is_listening(server)


def test_a_closed_window_comes_back_whole(start: Callable[..., Demo]) -> None:
    demo = start()
    server = demo.server()
    drawn(server, steps=8)
    for win in ("loss", "log"):
        requests.post(f"{server}/close", data=json.dumps({"win": win, "eid": "demo"}), timeout=10).raise_for_status()

    def is_whole() -> bool:
        loss = windows(server).get("loss")
        return loss is not None and (loss["title"], loss["content"]["data"][0]["x"][0]) == ("Loss", 1)

    until(is_whole, "the window is back")


@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")  # Visdom 0.2.4's client
def test_a_window_closed_just_before_an_append_comes_back_whole(tmp_path: Path) -> None:
    with VisdomServer(tmp_path) as server:
        dashboard = Dashboard(server.url("").rstrip("/"), "demo")
        runs = training.runs()
        for _ in range(3):
            dashboard.show(next(runs))
        server.post("/close", {"win": "loss", "eid": "demo"}).raise_for_status()
        # What an append brings back.
        late = Visdom(server="http://127.0.0.1", port=server.port, env="demo", use_incoming_socket=False, raise_exceptions=True)
        late.line([0.5], [3], win="loss", update="append")
        assert points(windows(server.url("").rstrip("/"))["loss"]) == 1
        dashboard.show(next(runs))
        loss = windows(server.url("").rstrip("/"))["loss"]
        assert (loss["title"], loss["content"]["data"][0]["x"]) == ("Loss", [1, 2, 3, 4])


# --- messages --------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_followed_by_the_next_that_is_free(start: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        demo = start("--port", str(port))
        server = demo.server()
        assert int(server.rpartition(":")[2]) > port
        assert f"because {port} is taken" in demo.output
        assert re.findall(r"http://\S+", demo.output) == [f"{server}/env/demo"], "one URL, to open"
        assert demo.end(signal.SIGINT) == 0


def test_no_port_is_an_error(start: Callable[..., Demo]) -> None:
    with socket.create_server(("127.0.0.1", LAST_PORT)):
        demo = start("--port", str(LAST_PORT))
        assert demo.end() == 1
        assert f"no port can be used from {LAST_PORT} on" in demo.output
        assert "Traceback" not in demo.output


def test_the_port_is_visdoms_own_unless_another_is_asked_for() -> None:
    assert command._parser().parse_args([]).port == 8097


def test_it_says_what_is_not_installed(tmp_path: Path) -> None:
    program = "import sys; sys.modules['sklearn'] = None; from visdom_transport.demo import main; sys.exit(main([]))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert ended.returncode == 1
    assert "pip install 'visdom-transport[demo]'" in ended.stderr
    assert "Traceback" not in ended.stderr


REFUSED = (
    ("--port", "99999"),
    ("--port", "0"),
    ("--port", "http"),
    ("--rate", "0"),
    ("--seconds", "nan"),
    ("--server", "8097"),
    ("--env", "a/b"),
)


@pytest.mark.parametrize("options", REFUSED)
def test_it_refuses_what_cannot_be(start: Callable[..., Demo], options: tuple[str, str]) -> None:
    demo = start(*options)
    assert demo.end() == 2
    assert f"argument {options[0]}: must be" in demo.output


def test_help(start: Callable[..., Demo]) -> None:
    demo = start("--help")
    assert demo.end() == 0
    for option in ("--port", "--server", "--env", "--env-path", "--rate", "--seconds"):
        assert option in demo.output


# --- training --------------------------------------------------------------------------------------------------


@pytest.fixture
def one_thread() -> Iterator[None]:
    # Small products of matrices are slow when the cores of a busy machine wait for each other.
    with threadpool_limits(1):
        yield


@pytest.mark.usefixtures("one_thread")
def test_every_run_learns_ends_and_is_followed_by_another() -> None:
    steps = itertools.takewhile(lambda run: run.number < 3, training.runs())
    by_run = [list(group)[-1] for _, group in itertools.groupby(steps)]
    assert [run.number for run in by_run] == [1, 2]
    assert by_run[0].plan != by_run[1].plan
    for run in by_run:
        assert run.finished
        assert run.steps == len(run.losses) == len(run.accuracies) <= training.MAX_STEPS
        assert run.best > 0.93


@pytest.mark.usefixtures("one_thread")
def test_the_embedding_does_not_jump() -> None:
    embedding = training.Embedding()
    before = None
    for run in itertools.islice(training.runs(), 30, 60):
        points = embedding.of(run)
        if before is not None:
            # Turned or mirrored, it would move by more than its own size.
            assert np.abs(points - before).mean() < 0.3
        before = points.copy()
