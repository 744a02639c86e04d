"""What Visdom's methods wait for: answered by a Visdom, in time, or as by a server that cannot be reached."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from visdom import Visdom

from tests.client.publishers import Connect, append
from tests.support.front import Front, Reply, page, passes
from tests.support.local import LocalServer
from tests.support.proxy import FaultProxy
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.server import WITHOUT_PAGE, VisdomServer
from visdom_transport.client import EmbeddingRefused, EmbeddingStream, publisher, sender
from visdom_transport.client.asking import exchange, posting, questions

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning"),
    pytest.mark.usefixtures("quiet"),
]

Serve = Callable[..., LocalServer]

HTML = {"Content-Type": "text/html; charset=UTF-8"}
JSON = {"Content-Type": "application/json"}
WAYS = {
    "403": page(403),
    "404": page(404),
    "404 in plain text": Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n"),
    "429": page(429),
    "500": page(500),
    "502": page(502),
    "530": page(530),
    "a login page": page(200, "Sign in"),
    "a redirect to a login page": Reply(302, {"Location": "/__login"}),
    "OK": Reply(200, {"Content-Type": "text/plain"}, b"OK"),
    "the JSON of others": Reply(200, JSON, b'{"status": "ok"}'),
    "an error of others": Reply(403, JSON, b'{"message": "Forbidden"}'),
    "what is cut": Reply(200, HTML, b'{"command": "win', length=400),
    "gzip that is none": Reply(200, {**HTML, "Content-Encoding": "gzip"}, b"true"),
}


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("visdom"), "disabled", True)


@pytest.fixture
def plain() -> Iterator[Callable[..., Any]]:
    """Makes clients of Visdom's own: `plain(port, env="e")`."""
    made: list[Any] = []

    def make(port: int, **options: Any) -> Any:
        options = {"use_incoming_socket": False, "raise_exceptions": False} | options
        made.append(Visdom("http://127.0.0.1", port=port, **options))
        return made[-1]

    yield make
    for vis in made:
        if vis._session is not None:
            vis._session.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(publisher, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(sender, "ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(questions, "SAVED_WITHIN_S", 1.0)
    monkeypatch.setattr(exchange, "QUESTION_TIMEOUT_S", 1.0)


# --- answers of others ---


@pytest.mark.parametrize("way", WAYS)
def test_a_page_is_no_answer(
    way: str, server: LocalServer, plain: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with Front(server.port) as front:
        vis = plain(front.port, env="e")
        assert vis.text("t", win="w") == "w"
        front.behave = lambda _: WAYS[way]
        assert vis.win_exists("w") is None
        assert vis.get_window_data("w") is False
        assert vis.save(["e"]) is False
        assert vis.text("t", win="w") is False
        assert EmbeddingStream(vis).add(1, 2) is False
        vis.raise_exceptions = True
        for call in (lambda: vis.get_window_data("w"), lambda: vis.save(["e"]), lambda: EmbeddingStream(vis).add(1, 2)):
            with pytest.raises(ConnectionError):
                call()
        front.behave = passes
        assert vis.win_exists("w") is True
        assert json.loads(vis.get_window_data("w"))["content"] == "t"
        assert json.loads(vis.save(["e"])) == ["e"]
    assert "secret" not in capsys.readouterr().out


def test_what_answered_is_said(server: LocalServer, plain: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    with Front(server.port) as front:
        vis = plain(front.port)
        front.behave = lambda _: page(403, "Who are you?")
        vis.save(["main"])
    assert "something else answers in its place: 403 text/html titled 'Who are you?'" in capsys.readouterr().err


def test_everything_that_a_visdom_says_is_passed_on(
    server: LocalServer, plain: Callable[..., Any], records: Records, tmp_path: Path
) -> None:
    records.ignore("tornado.access")
    with VisdomServer(tmp_path, stock=True, program=WITHOUT_PAGE) as stock:
        for port in (server.port, stock.port):
            vis = plain(port, env="e")
            assert vis.line(Y=np.array([1.0, np.nan]), X=np.arange(2), win="loss", name="a") == "loss"
            assert vis.line(Y=np.array([1.0]), X=np.arange(1), win="loss", name="a", update="append") == "loss"
            assert "loss" in json.loads(vis.get_window_data())
            assert json.loads(vis.get_window_data("loss"))["content"]["data"][0]["name"] == "a"
            assert vis.fork_env("e", "f/g") == "f_g"
            assert vis.get_env_list()
            assert json.loads(vis.save(["e", "f/g"])) == ["e", "f_g"]
            assert vis.delete_env("f_g") == ""
            assert vis.set_window_data(vis.get_window_data("loss"), win="copy") == ""
            assert vis.update_window_opts("none", {"title": "t"}) == "win does not exist"
            assert vis.close("loss") == ""
            assert vis.win_exists("loss") is False
            assert vis.win_exists("copy") is True
            assert not vis.get_window_data("none") or isinstance(vis.get_window_data("none"), str)
        with pytest.raises(EmbeddingRefused, match="installed there"):
            EmbeddingStream(plain(stock.port)).add(1, 2)


def test_a_redirect_is_followed(server: LocalServer, plain: Callable[..., Any], records: Records) -> None:
    records.expect("is redirected")
    with Front(server.port) as front:
        front.behave = lambda request: Reply(301, {"Location": server.url(request.path)})
        vis = plain(front.port, env="e")
        assert vis.text("t", win="w") == "w"
        assert vis.win_exists("w")
        assert len(front.seen) == 1


def test_a_login_that_was_forgotten_is_given_again(serve: Serve, plain: Callable[..., Any], records: Records) -> None:
    records.ignore("tornado.access")
    server = serve(login=ADA)
    vis = plain(server.port, env="e", username=ADA.username, password=ADA.password)
    assert vis.text("t", win="w") == "w"
    vis.session.cookies.clear()
    assert vis.text("u", win="v") == "v"
    assert vis.save(["e"]) == '["e"]'


def test_a_wrong_login_is_told_from_one_that_cannot_be_tried(serve: Serve, plain: Callable[..., Any], records: Records) -> None:
    records.ignore("tornado.access")
    server = serve(login=ADA)
    with pytest.raises(RuntimeError, match="Authentication failed"):
        plain(server.port, username=ADA.username, password="wrong")
    with Front(server.port) as front:
        front.behave = lambda _: page(403)
        vis = plain(front.port, username=ADA.username, password=ADA.password)
        assert vis.text("t", win="w") is False
        front.behave = passes
        assert vis.text("t", win="w") == "w"


# --- answers that do not come ---


@pytest.fixture
def process(tmp_path: Path) -> Iterator[VisdomServer]:
    with VisdomServer(tmp_path) as process:
        yield process


def in_time(call: Callable[[], Any], within_s: float) -> Any:
    """The result of a call that has to come in time, whatever the server does."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(within_s)
    assert results, f"no result after {time.monotonic() - began:.1f} s"
    return results[0]


@pytest.mark.usefixtures("impatient")
def test_a_frozen_server_is_as_good_as_none(
    process: VisdomServer, plain: Callable[..., Any], connect: Connect, caplog: Any
) -> None:
    vis, background = plain(process.port, env="e"), connect(process.port, env="e", raise_exceptions=False)
    vis.text("t", win="w")
    append(background, 0)
    assert background.flush(20)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert in_time(lambda: append(background, 1), 1) == "loss"
        for each in (vis, background):
            assert in_time(lambda: each.win_exists("w"), 8) is None  # noqa: B023
            assert in_time(lambda: each.get_window_data("w"), 8) is False  # noqa: B023
        assert in_time(lambda: vis.text("t", win="w"), 8) is False
        assert in_time(lambda: vis.save(["e"]), 8) is False
        assert in_time(lambda: background.save(["e"]), 8) == '["e"]', "it is saved later"
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert vis.win_exists("w")
    assert background.flush(20)
    assert json.loads(vis.get_window_data("loss"))["content"]["data"][0]["x"] == [0, 1]


@pytest.mark.usefixtures("impatient")
def test_a_client_of_a_frozen_server_with_a_login_is_made(tmp_path: Path, plain: Callable[..., Any]) -> None:
    with VisdomServer(tmp_path, login=ADA) as process:
        os.kill(process.pid, signal.SIGSTOP)
        vis = in_time(lambda: plain(process.port, env="e", username=ADA.username, password=ADA.password), 8)
        os.kill(process.pid, signal.SIGCONT)
        assert vis.text("t", win="w") == "w"


def test_no_call_takes_longer_than_half_a_minute() -> None:
    assert posting.ANSWER_WITHIN_S + exchange.CONNECT_TIMEOUT_S <= 30
    for answer_s in (publisher.ANSWER_WITHIN_S, questions.SAVED_WITHIN_S):
        assert sender.ANSWER_TIMEOUT_S + answer_s + exchange.CONNECT_TIMEOUT_S <= 30


def test_an_answer_that_comes_slowly_is_waited_for(server: LocalServer, plain: Callable[..., Any], monkeypatch: Any) -> None:
    """What is bounded is silence. A large window may take its time on a slow way, in both directions."""
    monkeypatch.setattr(posting, "ANSWER_WITHIN_S", 1.0)
    monkeypatch.setattr(exchange, "CONNECT_TIMEOUT_S", 1.0)
    with FaultProxy(server.port) as proxy:
        vis = plain(proxy.port, env="e")
        proxy.throttle(300_000)
        began = time.monotonic()
        assert vis.text("x" * 600_000, win="w") == "w"
        assert len(json.loads(vis.get_window_data("w"))["content"]) == 600_000
        assert time.monotonic() - began > 2, "the way was not slow"
