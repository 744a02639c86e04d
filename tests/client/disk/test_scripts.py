"""Training scripts of the kind people have: killed where no server is, started again, and nothing of their plots is missing.

Only environment variables say that there is an outbox.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.server import WITHOUT_PAGE, VisdomServer
from visdom_transport.client.disk.folders import folders

BEGINNING = """
import logging, os, signal, sys, time
import numpy as np
import visdom
logging.disable()
port, first, end, is_killed = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "killed"

def wait_for_disk():
    from visdom_transport.client import processes
    while any(sender._outbox.is_held_back for sender in processes.senders):
        time.sleep(0.05)  # a busy machine may need longer than a second

def be_killed():
    wait_for_disk()
    os.killpg(0, signal.SIGKILL)
"""

LOGGER = """
class Visualizer:
    # As image translation projects have it: all points of an epoch are sent again each time.
    def __init__(self):
        self.vis = visdom.Visdom(server="http://127.0.0.1", port=port, env="run")
        if not self.vis.check_connection():
            print("no connection", flush=True)
        self.plot_data = {"X": [], "Y": [], "legend": ["G", "D"]}

    def plot(self, step, losses):
        self.plot_data["X"].append(step)
        self.plot_data["Y"].append([losses[k] for k in self.plot_data["legend"]])
        self.vis.line(
            X=np.stack([np.array(self.plot_data["X"])] * 2, 1), Y=np.array(self.plot_data["Y"]),
            opts={"title": "loss over time", "legend": self.plot_data["legend"]}, win=f"loss from {first}",
        )

    def display(self, step):
        self.vis.images(np.zeros((2, 3, 4, 4)), win="results", opts={"title": f"step {step}"})
        self.vis.text(f"<table><tr><td>{step}</td></tr></table>", win="table")

logger = Visualizer()
for step in range(first, end):
    logger.plot(step, {"G": step, "D": -step})
    logger.display(step)
if is_killed:
    be_killed()
"""

HANDLERS = """
class Handler:
    # As handlers of engines have it: the window is made once, and asked for after a restart.
    def __init__(self, vis, win):
        self.vis, self.win = vis, win
        if not vis.win_exists(win):
            vis.line(X=np.array([-1]), Y=np.array([0]), win=win, name="loss", opts={"title": win})

    def __call__(self, step):
        self.vis.line(X=np.array([step]), Y=np.array([step]), win=self.win, name="loss", update="append")

vis = visdom.Visdom(server="http://127.0.0.1", port=port, env="run", raise_exceptions=False)
handlers = [Handler(vis, name) for name in ("training", "validation")]
for step in range(first, end):
    for handler in handlers:
        handler(step)
if is_killed:
    be_killed()
"""

RANKS = """
def rank(number):
    vis = visdom.Visdom(server="http://127.0.0.1", port=port, env="run", use_incoming_socket=False)
    for step in range(first, end):
        vis.line(X=[step], Y=[step], win=f"rank {number}", name="loss", update="append")
        if step % 10 == 0:
            vis.text(f"{number}: {step}", win=f"log {number}", append=step > 0)
    wait_for_disk()
    together.wait()

if __name__ == "__main__":
    import multiprocessing
    context = multiprocessing.get_context("fork")
    together = context.Barrier(4)
    ranks = [context.Process(target=rank, args=(number,)) for number in range(1, 4)]
    for each in ranks:
        each.start()
    rank(0)
    if is_killed:
        be_killed()
    for each in ranks:
        each.join()
"""


def run(tmp_path: Path, script: str, port: int, first: int, end: int, how: str) -> None:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(BEGINNING) + textwrap.dedent(script))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    outbox = {"VISDOM_TRANSPORT_BACKGROUND": "1", "VISDOM_TRANSPORT_OUTBOX_DIR": str(tmp_path / "outbox")}
    result = subprocess.run(
        [sys.executable, str(path), str(port), str(first), str(end), how],
        env=kept | outbox,
        capture_output=True,
        text=True,
        timeout=90,
        start_new_session=True,
    )
    assert result.returncode == (-9 if how == "killed" else 0), result.stderr


@pytest.mark.parametrize("script", ["logger", "handlers", "ranks"])
def test_a_script_that_is_killed_and_started_again_has_all_of_its_plots(tmp_path: Path, script: str) -> None:
    text = {"logger": LOGGER, "handlers": HANDLERS, "ranks": RANKS}[script]
    server = VisdomServer(tmp_path / "server", program=WITHOUT_PAGE, settings={"journal_interval_s": 0.1})
    run(tmp_path, text, server.port, 0, 30, "killed")
    assert len(folders(tmp_path / "outbox")) == (4 if script == "ranks" else 1)
    with server:
        run(tmp_path, text, server.port, 30, 60, "ends")
        assert folders(tmp_path / "outbox") == []
        windows = server.windows("run")
    xs = {name: each["content"]["data"][0]["x"] for name, each in windows.items() if "data" in (each.get("content") or {})}
    if script == "logger":
        assert xs == {"loss from 0": [*range(30)], "loss from 30": [*range(30, 60)]}
        assert "step 59" in windows["results"]["title"]
        assert "<td>59</td>" in windows["table"]["content"]
    elif script == "handlers":
        assert xs == {"training": [*range(-1, 60)], "validation": [*range(-1, 60)]}
    else:
        assert xs == {f"rank {number}": [*range(60)] for number in range(4)}
        for number in range(4):
            lines = windows[f"log {number}"]["content"].split("<br>")
            assert lines == [f"{number}: {step}" for step in range(0, 60, 10)]
