"""`python -m visdom_transport send`: what it says, how it ends, and that several at once are as good as one."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client.disk.logs import left_behind, windows, write
from tests.support.local import LocalServer
from tests.support.ports import free_port
from tests.support.records import Records
from visdom_transport.client.disk.command import main
from visdom_transport.client.disk.folders import Folder, folders, make, take_over
from visdom_transport.client.disk.owner import Owners, Ownership


@pytest.fixture
def server(serve: Callable[..., LocalServer]) -> LocalServer:
    """A server that writes to its disk soon."""
    return serve(settings={"journal_interval_s": 0.05})


def fill(directory: Path, count: int, server: str = "http://127.0.0.1:1") -> None:
    """Folders of processes that have ended, with ten windows each."""
    for number in range(count):
        write(left_behind(directory, server).path, *(windows(1 + number * 10 + each, 1) for each in range(10)))


def test_several_at_once_send_everything_once_and_in_order(server: LocalServer, tmp_path: Path) -> None:
    fill(tmp_path, 3)
    url = f"http://127.0.0.1:{server.port}"
    ended: list[int] = []
    threads = [threading.Thread(target=lambda: ended.append(main([str(tmp_path), "--server", url]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [0, 0, 0]
    assert list(server.windows("e")) == [f"w{number}" for number in range(1, 31)]
    assert folders(tmp_path) == []


def test_what_another_process_takes_in_the_same_moment_is_waited_for(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 2)
    tried: list[Path] = []

    def slower(folder: Folder, owners: Owners) -> tuple[Folder, Ownership] | None:
        tried.append(folder.path)
        return None if len(tried) == 1 else take_over(folder, owners)

    monkeypatch.setattr("visdom_transport.client.disk.sending.take_over", slower)
    assert main([str(tmp_path), "--server", f"http://127.0.0.1:{server.port}"]) == 0
    assert tried[0] == tried[1], "what comes later belongs behind it"
    assert list(server.windows("e")) == [f"w{number}" for number in range(1, 21)]


def test_a_server_that_cannot_be_reached_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = f"http://127.0.0.1:{free_port()}"
    fill(tmp_path, 2, server)
    assert main([str(tmp_path), "--wait", "0"]) == 1
    said = capsys.readouterr().out
    assert said.count("cannot be reached") == 1
    assert "still writes" not in said, "it is this process that has it"
    assert said.splitlines()[-1] == "0 messages of 0 outboxes have arrived; 2 left"


def test_what_is_still_written_is_left_alone(server: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = make(tmp_path, "http://127.0.0.1:1", "a" * 32)
    write(folder.path, windows(1, 3))
    assert main([str(tmp_path), "--server", f"http://127.0.0.1:{server.port}"]) == 1
    assert "still writes it" in capsys.readouterr().out
    assert folders(tmp_path) == [folder]


def test_a_folder_that_somebody_copied_is_sent_once(server: LocalServer, tmp_path: Path) -> None:
    fill(tmp_path / "a", 1)
    subprocess.run(["cp", "-r", str(tmp_path / "a"), str(tmp_path / "b")], check=True)
    # Of another inode, so it is looked at for a while, unless its process is known to be dead.
    url = f"http://127.0.0.1:{server.port}"
    assert main([str(tmp_path / "a"), "--server", url]) == 0
    assert main([str(tmp_path / "b"), "--server", url]) == 0
    assert list(server.windows("e")) == [f"w{number}" for number in range(1, 11)]


def test_what_is_on_a_full_disk_is_sent(server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 2)

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("visdom_transport.client.disk.folders.write_atomically", full)
    assert main([str(tmp_path), "--server", f"http://127.0.0.1:{server.port}"]) == 0
    assert list(server.windows("e")) == [f"w{number}" for number in range(1, 21)]


def test_what_cannot_be_sent_is_said_and_stays(server: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{server.port}"
    fill(tmp_path, 2)
    lost = folders(tmp_path)[0].path
    (lost / "publisher.json").write_bytes(bytes(100))
    assert main([str(tmp_path), "--server", url]) == 1
    assert f"problem: {lost} cannot be sent" in capsys.readouterr().out
    assert list(server.windows("e")) == [f"w{number}" for number in range(11, 21)]
    assert main([str(tmp_path), "--server", url]) == 1
    assert "nothing else is left" in capsys.readouterr().out
    assert [*tmp_path.glob("*/*.log")] != []


def test_a_directory_that_cannot_be_read_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = Path.iterdir

    def denied(path: Path) -> Iterator[Path]:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return iter(listed(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    assert main([str(tmp_path)]) == 2
    assert "cannot be read (Permission denied)" in capsys.readouterr().err


def test_what_the_server_refuses_is_counted(
    server: LocalServer, tmp_path: Path, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    records.expect("refused a message")
    records.ignore("refused")
    folder = left_behind(tmp_path)
    batch = windows(1, 3)
    write(folder.path, type(batch)(1, [*batch.messages[:2], ("events", b'{"win":"w","eid":"e"}')], 0, 3))
    assert main([str(tmp_path), "--server", f"http://127.0.0.1:{server.port}"]) == 0
    assert "3 messages of 1 outbox have arrived" in (said := capsys.readouterr().out)
    assert "1 of them refused" in said


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["/nonexistent/outbox"], 2, "is not a directory"),
        (["."], 0, "nothing is left"),
        ([".", "--server", "localhost:8097"], 2, "must be a URL"),
        ([], 2, "PATH"),
        (["--help"], 0, "exit status"),
    ],
)
def test_how_it_ends(tmp_path: Path, arguments: list[str], status: int, said: str) -> None:
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-m", "visdom_transport", "send", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin"},
    )
    assert result.returncode == status, result.stderr
    assert said in result.stdout + result.stderr
