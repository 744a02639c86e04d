"""Pools of multiprocessing end their workers in several ways. What these have published arrives."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.local import LocalServer
from tests.support.ports import free_port

# Each worker of a pool imports Visdom.
pytestmark = pytest.mark.slow

SCRIPT = """
import multiprocessing, os, signal, sys, time

def begin(port):
    global vis
    from visdom_transport.client import Publisher
    vis = Publisher(server="http://127.0.0.1", port=port, use_incoming_socket=False, raise_exceptions=False, exit_timeout_s=2)

def work(number):
    vis.text(str(number), win=f"w{number}")
    return number

def stuck(number):
    work(number)
    import ctypes, pathlib
    pathlib.Path(f"stuck-{number}").touch()
    ctypes.CDLL(None).sleep(100)  # no Python code runs in the main thread

def parent(number):
    # A child of the worker, to which the signal means what it always does.
    work(number)
    child = os.fork()
    if child == 0:
        time.sleep(100)  # until the signal ends it: after signal.pause() it would go on if a handler took the signal
    os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    return number if os.WTERMSIG(status) == signal.SIGTERM else None

if __name__ == "__main__":
    port, method, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    pool = multiprocessing.get_context(method).Pool(2, begin, (port,), maxtasksperchild=2 if how == "tasks" else None)
    workers = list(pool._pool)
    if how == "stuck":
        tasks = [pool.apply_async(stuck, (number,)) for number in range(2)]
        deadline = time.monotonic() + 60
        while not (os.path.exists("stuck-0") and os.path.exists("stuck-1")):
            assert time.monotonic() < deadline, "the workers do not begin"
            time.sleep(0.02)  # between two looks: this program is its own, without the helpers of the tests
    else:
        assert pool.map(parent if how == "parent" else work, range(8), chunksize=1) == [*range(8)]
    began = time.monotonic()
    if how == "with":
        with pool:
            pass
    elif how in ("terminate", "stuck", "parent"):
        pool.terminate()
        pool.join()
    elif how in ("close", "tasks"):
        pool.close()
        pool.join()
    else:
        del pool  # and the end of the process
    print(time.monotonic() - began, [worker.exitcode for worker in workers])
"""


def run(tmp_path: Path, port: int, method: str, how: str) -> list[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    result = subprocess.run(
        [sys.executable, str(path), str(port), method, how], capture_output=True, text=True, timeout=90, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split(maxsplit=1)


@pytest.mark.parametrize("how", ["with", "terminate", "close", "tasks", "parent"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_what_the_workers_of_a_pool_published_arrives(server: LocalServer, tmp_path: Path, method: str, how: str) -> None:
    run(tmp_path, server.port, method, how)
    assert sorted(server.windows()) == [f"w{number}" for number in range(8)]


def test_a_terminated_worker_ends_by_the_signal(server: LocalServer, tmp_path: Path) -> None:
    assert run(tmp_path, server.port, "spawn", "with")[1] == "[-15, -15]\n"


def test_a_worker_in_a_call_that_does_not_return_is_ended_all_the_same(server: LocalServer, tmp_path: Path) -> None:
    assert float(run(tmp_path, server.port, "spawn", "stuck")[0]) < 30
    assert sorted(server.windows()) == ["w0", "w1"]


def test_without_a_server_a_pool_ends_within_the_time_that_is_allowed(tmp_path: Path) -> None:
    assert float(run(tmp_path, free_port(), "spawn", "with")[0]) < 20
