"""What the threads of a client import.

A fork that happens while another thread imports a module leaves the child with an import lock that nobody ever releases: whoever
needs the module there waits for ever. So our threads find everything imported.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.served import ADA
from tests.support.server import VisdomServer

PROGRAM = """
    import sys, threading, time, warnings
    import numpy as np
    from visdom import Visdom
    from visdom_transport.client import Publisher

    class Recorder:
        names = []

        def find_spec(self, name, path=None, target=None):
            self.names.append(name)

    warnings.simplefilter("ignore")
    port, polls = int(sys.argv[1]), sys.argv[2] == "poll"
    options = {"server": "http://localhost", "port": port, "username": USER, "password": PASSWORD}
    sys.meta_path.insert(0, Recorder())

    def work():
        for client in (Visdom, Publisher):
            vis = client(**options, use_incoming_socket=not polls, use_polling=polls, raise_exceptions=True)
            deadline = time.monotonic() + 20
            while not vis.socket_alive:
                assert time.monotonic() < deadline, "the stream"
                time.sleep(0.02)  # between two looks: this program is its own, without the helpers of the tests
            vis.text("a", win="a")
            vis.line(X=np.array([1]), Y=np.array([1]), win="b", update="append")
            assert vis.win_exists("b")
            vis.save(["main"])
            if client is Publisher:
                assert vis.finish(20)
            vis.event_source.close()
            vis.session.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(*Recorder.names)
"""


@pytest.mark.parametrize("link", ["websocket", "poll"])
def test_a_thread_imports_nothing(tmp_path: Path, link: str) -> None:
    with VisdomServer(tmp_path, login=ADA) as server:
        code = f"USER, PASSWORD = {ADA.username!r}, {ADA.password!r}\n" + textwrap.dedent(PROGRAM)
        arguments = [sys.executable, "-c", code, str(server.port), link]
        result = subprocess.run(arguments, timeout=60, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [], result.stderr
