"""Publishers whose outbox is on disk: what they leave arrives, and whatever is wrong with the disk, programs go on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.client.disk.logs import HERE, left_behind, windows, write
from tests.client.publishers import TIMEOUT_S, Connect, append, xs
from tests.support.local import LocalServer
from tests.support.proxy import FaultProxy
from tests.support.records import Records
from tests.support.wait import until
from visdom_transport.client import Publisher
from visdom_transport.client.disk import log as logs
from visdom_transport.client.disk import owner, store
from visdom_transport.client.disk.command import main as send
from visdom_transport.client.disk.folders import folders
from visdom_transport.client.disk.log import Log
from visdom_transport.client.disk.owner import Ownership
from visdom_transport.client.disk.reader import log_files

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")

LEAVES = """
import sys, logging
import numpy as np
from visdom_transport.client import Publisher

logging.disable()
vis = Publisher(
    server="http://127.0.0.1", port=int(sys.argv[1]), env="e", use_incoming_socket=False, raise_exceptions=False,
    outbox_dir=sys.argv[2],
)
for x in range(int(sys.argv[3]), int(sys.argv[4])):
    vis.line(X=[x], Y=[x], win="loss", name="a", update="append", opts={"title": "Loss"})
    vis.image(np.zeros((3, 2, 2)), win=f"image {x}")
vis.text("closed", win="closed")
vis.close("closed")
vis.save(["e"])
"""


def leave(port: int, directory: Path, first: int, end: int) -> float:
    """A program that publishes and ends. Returns how long that took."""
    began = time.monotonic()
    arguments = [str(port), str(directory), str(first), str(end)]
    subprocess.run([sys.executable, "-c", textwrap.dedent(LEAVES), *arguments], check=True, timeout=60)
    return time.monotonic() - began


def images(server: LocalServer) -> list[int]:
    """The numbers in the names of windows, in the order in which these were made."""
    return [int(name.removeprefix("image ")) for name in server.windows("e") if name.startswith("image ")]


@pytest.fixture
def server(serve: Callable[..., LocalServer]) -> LocalServer:
    """A server that writes to its disk soon."""
    return serve(settings={"journal_interval_s": 0.05})


@pytest.fixture
def retried_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RETRY_S", 0.2)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def test_nothing_is_left_when_everything_has_arrived(server: LocalServer, connect: Connect, outbox: Path) -> None:
    vis = connect(server.port, env="e", outbox_dir=str(outbox))
    for x in range(100):
        append(vis, x)
        vis.text(f"lone \ud800 {x}", win=f"text {x % 3}")
    vis.close("text 0")
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(100))
    assert set(server.windows("e")) == {"loss", "text 1", "text 2"}
    assert (vis.counters.calls, vis.counters.refused) == (201, 0)
    assert len(folders(outbox)) == 1
    assert vis.finish(TIMEOUT_S)
    assert list(outbox.iterdir()) == []
    append(vis, 100)
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(101))


def test_a_program_that_finds_no_server_ends_soon_and_is_sent_later(server: LocalServer, outbox: Path, capsys: Any) -> None:
    gone = 1  # nobody listens there
    assert leave(gone, outbox, 0, 30) < 15
    leave(gone, outbox, 30, 60)
    assert len(folders(outbox)) == 2
    assert send([str(outbox), "--server", f"http://127.0.0.1:{server.port}"]) == 0
    assert xs(server.windows("e")) == images(server) == list(range(60))
    assert "closed" not in server.windows("e")
    assert server.env_path is not None
    assert (server.env_path / "e.json").exists()  # saved, as the program asked for
    assert list(outbox.iterdir()) == []
    said = capsys.readouterr().out
    assert "0 left" in said
    assert send([str(outbox)]) == 0
    assert "nothing is left" in capsys.readouterr().out


def test_the_next_publisher_sends_first_what_is_left(
    server: LocalServer, proxy: FaultProxy, connect: Connect, outbox: Path, records: Records
) -> None:
    records.expect("what a process left")
    proxy.refuse()
    leave(proxy.port, outbox, 0, 20)
    leave(proxy.port, outbox, 20, 40)
    proxy.accept()
    vis = connect(proxy.port, env="e", outbox_dir=outbox)
    for x in range(40, 60):
        append(vis, x)
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(60))
    assert images(server) == list(range(40))
    assert vis.finish(TIMEOUT_S)
    assert list(outbox.iterdir()) == []


def test_what_belongs_to_another_server_stays(server: LocalServer, connect: Connect, outbox: Path) -> None:
    left_behind(outbox)
    vis = connect(server.port, env="e", outbox_dir=outbox)
    append(vis, 1)
    assert vis.finish(TIMEOUT_S)
    assert [folder.server for folder in folders(outbox)] == [HERE]


def test_a_log_that_does_not_say_whose_it_is_is_named(
    server: LocalServer, connect: Connect, outbox: Path, records: Records
) -> None:
    records.expect("what is left in .* cannot be sent .publisher.json")
    lost = left_behind(outbox).path
    write(lost, windows(1, 1))
    (lost / "publisher.json").write_bytes(b"")
    vis = connect(server.port, env="e", outbox_dir=outbox)
    append(vis, 1)
    assert vis.finish(TIMEOUT_S)
    assert list(outbox.iterdir()) == [lost]


def test_programs_go_on_when_the_disk_is_full(
    server: LocalServer, connect: Connect, outbox: Path, records: Records, monkeypatch: pytest.MonkeyPatch, retried_soon: None
) -> None:
    records.expect("cannot be written .No space left on device")
    vis = connect(server.port, env="e", outbox_dir=outbox)
    append(vis, 0)
    assert vis.flush(TIMEOUT_S)
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", full)
        for x in range(1, 50):
            append(vis, x)
        assert vis.flush(TIMEOUT_S)
        assert xs(server.windows("e")) == list(range(50))
        for x in range(50, 60):
            append(vis, x)
            assert vis.flush(TIMEOUT_S)
    records.expect("can be written again")
    append(vis, 60)
    until(lambda: not vis._sender._outbox.is_failing, "the disk is tried again")
    append(vis, 61)
    assert vis.finish(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(62))
    assert vis.counters.dropped == 0
    assert list(outbox.iterdir()) == []


def full(log: Log, batch: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_the_end_waits_for_a_write_that_is_under_way(
    server: LocalServer,
    proxy: FaultProxy,
    connect: Connect,
    outbox: Path,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    retried_soon: None,
) -> None:
    """A disk that could not be written is tried again just when everything has arrived from memory."""
    away(proxy, records)
    records.expect("cannot be written .No space left on device")
    records.ignore("can be written again")
    vis = connect(proxy.port, env="e", outbox_dir=outbox)
    writes, goes_on = threading.Event(), threading.Event()
    write = os.write

    def slow(file: int, content: bytes) -> int:
        if threading.current_thread().name != "visdom-publisher-disk" or b'"count"' not in content:
            return write(file, content)
        writes.set()
        assert goes_on.wait(TIMEOUT_S)
        return write(file, content[:20])

    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", full)
        append(vis, 0)
        until(lambda: vis._sender._outbox.is_failing, "the disk is full")
        patch.setattr(os, "write", slow)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", slow)
        assert writes.wait(TIMEOUT_S)
        back(proxy, records)
        ended = threading.Thread(target=vis.finish, args=(TIMEOUT_S,))
        ended.start()
        until(lambda: vis._sender._outbox.course.is_done, "everything has arrived")
        assert folders(outbox), "what is being written is not taken away"
        goes_on.set()
        ended.join()
    assert xs(server.windows("e")) == [0]
    assert list(outbox.iterdir()) == []


def test_what_is_too_much_for_one_write_is_written_at_once(
    proxy: FaultProxy, connect: Connect, outbox: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(proxy, records)
    vis = connect(proxy.port, env="e", outbox_dir=outbox)
    until(lambda: not vis._sender._holding._has_work, "the environment is noted")
    sync = logs.sync_file

    def long_after_that(descriptor: int, path: Path) -> None:
        monkeypatch.setattr(store, "INTERVAL_S", 10 * TIMEOUT_S)
        sync(descriptor, path)

    monkeypatch.setattr(logs, "sync_file", long_after_that)
    with vis._sender._changed:
        for number in range(8):
            vis.text("x" * 700_000, win=f"w{number}")
    until(lambda: vis.counters.outbox_bytes > 7 * 700_000, "most of it is on disk")
    back(proxy, records)
    assert vis.finish(TIMEOUT_S)


@pytest.mark.parametrize("how", ["file", "denied"])
def test_programs_go_on_without_a_folder(
    server: LocalServer, connect: Connect, outbox: Path, records: Records, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "file":
        outbox.write_text("in the way")
        records.expect("cannot be written .File exists")
    else:
        mkdir = Path.mkdir

        def denied(path: Path, *arguments: Any, **options: Any) -> None:
            if path == outbox:
                raise PermissionError(errno.EACCES, "Permission denied", str(outbox))
            mkdir(path, *arguments, **options)

        monkeypatch.setattr(Path, "mkdir", denied)
        records.expect("cannot be written .Permission denied")
    vis = connect(server.port, env="e", outbox_dir=outbox)
    for x in range(50):
        append(vis, x)
    began = time.monotonic()
    assert vis.finish(TIMEOUT_S)
    assert time.monotonic() - began < TIMEOUT_S / 2, "its threads end"
    assert xs(server.windows("e")) == list(range(50))
    assert vis.counters.dropped == 0


def test_no_call_waits_for_a_disk_that_is_slow(
    server: LocalServer, connect: Connect, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow(*arguments: object) -> None:
        assert goes_on.wait(TIMEOUT_S)

    monkeypatch.setattr(logs, "sync_file", slow)
    vis = connect(server.port, env="e", outbox_dir=outbox)
    took = []
    for x in range(300):
        began = time.monotonic()
        append(vis, x)
        took.append(time.monotonic() - began)
    assert sorted(took)[-10] < 0.1
    assert not vis.flush(0.3)
    assert "loss" not in server.windows("e"), "what is not on disk is not sent"
    goes_on.set()
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(300))


def away(proxy: FaultProxy, records: Records) -> None:
    records.expect("cannot be reached")
    records.expect("is back")
    proxy.refuse()


def back(proxy: FaultProxy, records: Records) -> None:
    until(lambda: records.has("cannot be reached"), "the server is missed")
    proxy.accept()


def put_all(vis: Publisher, numbers: range, written: Callable[[], bool]) -> None:
    for number in numbers:
        vis.text("x" * 2_000, win=f"w{number}")
    until(written, "it is written")


def test_an_outbox_that_is_full_holds_the_rest_in_memory(
    server: LocalServer,
    proxy: FaultProxy,
    connect: Connect,
    outbox: Path,
    records: Records,
    retried_soon: None,
) -> None:
    away(proxy, records)
    records.expect("it holds")
    vis = connect(proxy.port, env="e", outbox_dir=outbox, outbox_max_bytes=100_000)
    put_all(vis, range(40), lambda: vis.counters.outbox_bytes > 70_000)
    put_all(vis, range(40, 90), lambda: vis._sender._outbox.is_failing)
    assert sum(path.stat().st_size for folder in folders(outbox) for path in log_files(folder.path)) <= 100_000
    back(proxy, records)
    records.ignore("can be written again")
    assert vis.flush(TIMEOUT_S)
    assert list(server.windows("e")) == [f"w{number}" for number in range(90)]
    assert vis.counters.dropped == 0


def test_the_oldest_is_lost_when_that_is_asked_for(
    server: LocalServer, proxy: FaultProxy, connect: Connect, outbox: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(proxy, records)
    records.expect("are lost: there was no room")
    records.expect("the oldest calls are lost")
    monkeypatch.setattr(logs, "SEGMENT_BYTES", 10_000)
    vis = connect(proxy.port, env="e", outbox_dir=outbox, outbox_max_bytes=100_000, outbox_full="drop_oldest")
    for first in range(0, 100, 10):
        put_all(vis, range(first, first + 10), lambda: not vis._sender._outbox.has_unwritten)
    back(proxy, records)
    assert vis.flush(TIMEOUT_S)
    there = list(server.windows("e"))
    # What had been read to be sent before it was dropped may be there too.
    assert there == sorted(there, key=lambda name: int(name[1:]))
    assert there[-30:] == [f"w{number}" for number in range(70, 100)]
    assert 0 < vis.counters.dropped < 100


def test_what_is_too_old_is_not_sent(server: LocalServer, outbox: Path, records: Records, connect: Connect) -> None:
    records.expect("what a process left")
    folder = left_behind(outbox, f"http://127.0.0.1:{server.port}")
    write(folder.path, replace(windows(1, 3), time_s=time.time() - 100), windows(4, 2))
    vis = connect(server.port, env="e", outbox_dir=outbox, outbox_max_age_s=50)
    assert vis.finish(TIMEOUT_S)
    assert list(outbox.iterdir()) == []
    assert list(server.windows("e")) == ["w4", "w5"]


def test_what_is_intact_in_a_damaged_log_arrives(server: LocalServer, outbox: Path, records: Records) -> None:
    records.expect("is damaged")
    folder = left_behind(outbox)
    write(folder.path, windows(1, 3), windows(4, 3), windows(7, 3))
    path = log_files(folder.path)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert send([str(outbox), "--server", f"http://127.0.0.1:{server.port}"]) == 0
    assert list(server.windows("e")) == ["w1", "w2", "w3", "w7", "w8", "w9"]
    assert list(outbox.iterdir()) == []


def test_a_folder_that_somebody_takes_away_is_made_again(
    server: LocalServer, connect: Connect, outbox: Path, records: Records, retried_soon: None
) -> None:
    records.expect("was taken over or removed")
    # Whether it is missed by a write or by what says that this process lives.
    records.ignore("can(not)? be written")
    vis = connect(server.port, env="e", outbox_dir=outbox)
    append(vis, 0)
    assert vis.flush(TIMEOUT_S)
    log = vis._sender._holding._log
    folders(outbox)[0].path.rename(outbox.parent / "elsewhere")
    log._end_segment()  # as when the file is complete
    for x in range(1, 20):
        append(vis, x)
    assert vis.flush(TIMEOUT_S)
    assert xs(server.windows("e")) == list(range(20))
    until(lambda: len(folders(outbox)) == 1, "another folder")
    assert vis.finish(TIMEOUT_S)


def test_a_folder_is_not_missed_that_is_removed_when_everything_has_arrived(
    server: LocalServer, connect: Connect, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "BEAT_S", 0.0)
    monkeypatch.setattr(store, "BEAT_S", 0.01)
    vis = connect(server.port, env="e", outbox_dir=outbox)
    append(vis, 0)
    assert vis.flush(TIMEOUT_S, durable=True)
    waits, went_on = threading.Event(), threading.Event()
    renew = Ownership.renew

    def late(ownership: Ownership) -> None:
        waits.set()
        until(lambda: not ownership.folder.exists(), "it is removed")
        try:
            renew(ownership)
        finally:
            went_on.set()

    monkeypatch.setattr(Ownership, "renew", late)
    assert waits.wait(TIMEOUT_S)
    assert vis.finish(TIMEOUT_S)
    assert went_on.wait(TIMEOUT_S)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_a_folder_of_its_own(server: LocalServer, outbox: Path, tmp_path: Path) -> None:
    script = """
    import os, sys
    from visdom_transport.client import Publisher
    vis = Publisher(server="http://127.0.0.1", port=int(sys.argv[1]), env="e", use_incoming_socket=False, outbox_dir=sys.argv[2])
    vis.text("parent", win="parent")
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            vis.text(f"child {number}", win=f"child {number}")
            vis._sender.finish_at_exit(__import__("time").monotonic())
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(server.port), str(outbox)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert set(server.windows("e")) == {"parent", *(f"child {number}" for number in range(4))}
    assert list(outbox.iterdir()) == []
