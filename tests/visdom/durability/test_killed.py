"""What programs made with Visdom's own client, and people with a page, is there after the server was killed."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import websocket
from visdom import Visdom
from visdom.utils import server_utils

from tests.support.stock_peers import StockSocket
from tests.support.wait import until
from tests.visdom.durability.process import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

UNDO = hasattr(server_utils, "pop_deleted")
"""0.3.0 brings closed windows back, and has comments."""

INTERVAL_S = 0.1
ENVIRONMENTS = ["main", "a", "b"]
WINDOWS = ["loss", "log", "picture"]

State = dict[str, Any]
"""By environment, its windows and their positions."""


@pytest.fixture
def envs(tmp_path: Path) -> Path:
    folder = tmp_path / "envs"
    folder.mkdir()
    return folder


class Users:
    """A program that uses Visdom's client, and a person at one of Visdom's own pages."""

    def __init__(self, server: ServerProcess, rng: random.Random, saved: dict[str, set[str]]) -> None:
        self._server = server
        self.saved = saved
        """By environment, the windows it was last saved with."""
        self._rng = rng
        self._vis: Any = Visdom(
            server="http://127.0.0.1", port=server.port, raise_exceptions=True, use_incoming_socket=False, log_to_filename=None
        )
        self._page = StockSocket(server)
        self._number = 0
        self.actions: list[Callable[[], None]] = [
            self.append_point,
            self.append_point,
            self.append_text,
            self.replace_picture,
            self.replace_line,
            self.close,
            self.move,
            self.save,
            self.save_positions,
            self.fork,
            self.delete,
            *([self.undo, self.comment] if UNDO else []),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.close()
        self._vis.session.close()

    def act(self) -> None:
        """Do something, and wait until it is done."""
        self._number += 1
        self._rng.choice(self.actions)()

    def environment(self) -> str:
        return self._rng.choice(ENVIRONMENTS)

    def existing(self) -> str:
        return self._rng.choice(sorted(self._server.envs()))

    def append_point(self) -> None:
        x = np.array([float(self._number)])
        self._vis.line(X=x, Y=x / 3, win="loss", env=self.environment(), update="append", opts={"title": "Loss"})

    def append_text(self) -> None:
        eid = self.environment()
        append = bool(self._vis.win_exists("log", env=eid))
        self._vis.text(f"step {self._number} é", win="log", env=eid, append=append)

    def replace_picture(self) -> None:
        self._vis.image(np.full((3, 8, 8), self._number % 256, dtype=np.uint8), win="picture", env=self.environment())

    def replace_line(self) -> None:
        y = np.arange(50.0) * self._number
        self._vis.line(X=np.arange(50.0), Y=y, win="loss", env=self.environment())

    def close(self) -> None:
        self._vis.close(self._rng.choice(WINDOWS), env=self.environment())

    def save(self) -> None:
        eid = self.existing()
        self._vis.save([eid])
        self._was_saved(eid)

    def fork(self) -> None:
        eid = self._rng.choice(["a", "b"])
        self._vis.fork_env(self.existing(), eid)
        self._was_saved(eid)

    def _was_saved(self, eid: str) -> None:
        self.saved[eid] = set(self._server.windows(eid))

    def delete(self) -> None:
        if self._rng.random() < 0.5:
            eid = self._rng.choice(["a", "b"])
            self._vis.delete_env(eid)
            self.saved.pop(eid, None)

    # --- the page ---

    def say(self, **command: Any) -> None:
        """Send a command, and wait until the server has carried it out: it does so before it answers what comes behind it."""
        self._page.send(command)
        self._page.connection.ping()
        while self._page.receive_frame()[0] != websocket.ABNF.OPCODE_PONG:
            pass

    def move(self) -> None:
        self.say(cmd="layout_item_update", eid=self.existing(), win="loss", data={"i": 0, "x": self._number})

    def save_positions(self) -> None:
        eid = self.existing()
        self.say(cmd="save", prev_eid=eid, eid=eid, data={"log": {"y": self._number}})
        self._was_saved(eid)

    def undo(self) -> None:
        self.say(cmd="undo", eid=self.existing())

    def comment(self) -> None:
        eid = self.existing()
        for win in self._server.windows(eid):
            self.say(cmd="update_comment", eid=eid, win=win, data=f"comment {self._number}")
            self._was_saved(eid)
            break


def state_of(server: ServerProcess) -> State:
    """What pages show that are opened now."""
    return {eid: shown(server, eid) for eid in server.envs()}


def shown(server: ServerProcess, eid: str) -> tuple[dict[str, Any], Any]:
    """The windows of an environment and their positions, as Visdom's own page is sent them."""
    windows, positions = {}, None
    with StockSocket(server) as page:
        page.register()
        for message in page.load(eid):
            if message["command"] == "window":
                del message["eid"]  # for the page
                windows[message["id"]] = message
            elif message["command"] == "reload":
                positions = message["data"]
    return windows, positions


def saved(envs: Path) -> State:
    found = {path.stem: json.loads(path.read_bytes()) for path in envs.glob("*.json")}
    return {eid: (content["jsons"], content["reload"]) for eid, content in found.items()}


def is_one_of(found: State, states: list[State], once_saved: dict[str, set[str]]) -> bool:
    """Whether each environment is as in one of the states.

    Not all in the same one: what is saved or deleted is so on disk before what was done elsewhere just before.
    """
    eids = found.keys() | {eid for state in states for eid in state}
    return all(any(is_like(found.get(eid), state.get(eid), once_saved.get(eid, set())) for state in states) for eid in eids)


def is_like(found: Any, expected: Any, once_saved: set[str]) -> bool:
    """Whether an environment is the same, but for windows that were closed after they had been saved: these are there again."""
    if found is None or expected is None:
        return found is expected
    windows, positions = expected
    same = {win: found[0].get(win) for win in windows} == windows
    return found[1] == positions and same and found[0].keys() - windows.keys() <= once_saved


@pytest.mark.parametrize("seed", range(2))
def test_what_was_done_is_there_after_a_kill(envs: Path, seed: int) -> None:
    """All that was done when the server said that it is on disk, and of each environment what came later up to some moment."""
    rng = random.Random(seed)
    states: list[State] = [{}]
    once_saved: dict[str, set[str]] = {}
    for life in range(3):
        with ServerProcess(envs, journal_interval_s=INTERVAL_S) as server:
            found = state_of(server)
            assert life == 0 or is_one_of(found, states, once_saved), f"life {life}: {found} is none of {states}"
            states = [found]
            with Users(server, rng, once_saved) as users:
                for _ in range(rng.randrange(3, 20)):
                    users.act()
                    states.append(state_of(server))
                    if rng.random() < 0.15:
                        until(lambda s=server: s.durability()["on_disk"], "it is on disk", seen=server.durability)
                        states = states[-1:]
            server.kill()
    with ServerProcess(envs) as server:
        found = state_of(server)
        assert is_one_of(found, states, once_saved)
        assert server.end(signal.SIGTERM) == 0, server.log()
        # When the server is killed right after an environment was deleted.
        unused = [line for line in server.log().splitlines() if "was not used" in line]
        assert all("its file is gone" in line for line in unused), unused
        assert "corrupt" not in server.log(), server.log()
    assert saved(envs) == found


def test_of_hundreds_of_environments_only_those_that_change_are_read_and_journaled(envs: Path) -> None:
    with ServerProcess(envs) as server:
        nothing_bytes = server.read_bytes()
    many = {f"e{number}": {"jsons": {"w": {"content": "x" * 100_000, "n": number}}, "reload": {}} for number in range(300)}
    for eid, content in many.items():
        (envs / f"{eid}.json").write_text(json.dumps(content))
    for life in range(2):
        with ServerProcess(envs, journal_interval_s=INTERVAL_S) as server:
            server.post("/events", {"win": f"new{life}", "eid": "e7", "data": [{"type": "text", "content": "a"}]})
            assert set(server.windows("e9")) == {"w"}, "it is looked at"
            until(lambda s=server: s.durability()["on_disk"], "it is on disk", seen=server.durability)
            assert server.durability()["environments"] == ["e7"]
            assert server.durability()["journal_bytes"] < 5_000
            assert server.read_bytes() < nothing_bytes + 3_000_000, "of 30 MB"
    with ServerProcess(envs) as server:
        assert set(server.windows("e7")) == {"w", "new0", "new1"}
        assert set(server.envs()) == {"main", *many}
