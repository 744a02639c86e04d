"""What is made of an answer before anybody believes it: no I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.values import VALUES, examples, text_of
from visdom_transport.client.asking.answers import MOST_RETRY_AFTER_S, Answer
from visdom_transport.client.asking.errors import Away
from visdom_transport.client.asking.outage import MAX_BACKOFF_S, Outage
from visdom_transport.client.asking.proof import environments, existence, is_visdoms, own_error, publish_reply, stranger
from visdom_transport.client.asking.redirects import moved_base
from visdom_transport.core.signature import SERVER_HEADER

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=UTF-8"}
SIGNED = {SERVER_HEADER.lower(): "0123456789abcdef"}
REPLY = {"server": "0123456789abcdef", "applied": 3, "durable": None, "refused": [{"number": 2, "error": {"code": "x"}}]}
ERROR = {"error": {"code": "bad_field", "message": "must be a string", "field": "win"}}
WINDOW = {"command": "window", "id": "w", "type": "plot", "content": {"data": []}}


def html(text: str, status: int = 200) -> Answer:
    return Answer(status, HTML, text.encode())


def told(body: object, status: int = 200, headers: dict[str, str] = JSON) -> Answer:
    return Answer(status, headers, json.dumps(body).encode())


# --- what is said of it ---


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            html("<title>\n Sign <b>in</b> &amp; go\x1b[31m</title><p>token=secret", 403),
            "403 text/html titled 'Sign in & go [31m'",
        ),
        (html("<h1>404 Not Found</h1>", 404), "404 text/html titled '404 Not Found'"),
        (html("secret", 200), "200 text/html"),
        (told({"secret": 1}, 200, JSON | {"set-cookie": "secret"}), "200 application/json"),
        (Answer(204), "204 without a content type"),
    ],
)
def test_a_description_has_the_title_and_no_secrets(answer: Answer, said: str) -> None:
    assert answer.describe() == said
    assert "secret" not in str(stranger(answer))


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("2", 2),
        ("0", 0),
        ("86400", MOST_RETRY_AFTER_S),
        ("9" * 5_000, MOST_RETRY_AFTER_S),
        ("-5", None),
        ("1e3", None),
        ("", None),
    ],
)
def test_how_long_an_answer_asks_to_wait(asked: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": asked}).retry_after_s == seconds


@pytest.mark.parametrize(("from_now_s", "least", "most"), [(10, 5, 10), (-10, 0, 0), (86_400, 60, 60)])
def test_a_date_to_wait_for(from_now_s: float, least: float, most: float) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=from_now_s), usegmt=True)
    seconds = Answer(503, {"retry-after": when}).retry_after_s
    assert seconds is not None
    assert least <= seconds <= most


def test_a_charset_that_nobody_knows_is_utf_8() -> None:
    for charset in ("nonsense", "rot13", "idna", "undefined", "\x00"):
        assert Answer(200, {"content-type": f"text/html; charset={charset}"}, "ü".encode()).text
    assert Answer(200, {"content-type": "text/html; charset=latin-1"}, "ü".encode("latin-1")).text == "ü"


# --- whose it is ---


def test_what_servers_say_is_known_as_theirs() -> None:
    assert publish_reply(told(REPLY)) == REPLY
    assert publish_reply(told(REPLY, headers=JSON | SIGNED)) == REPLY
    assert own_error(told(ERROR, 400)) == ERROR["error"]
    assert existence(html("true")) is True
    assert existence(html("false")) is False
    assert environments(html('["main"]')) == ["main"]
    sent = json.dumps({"win": "w", "eid": "a/b", "data": [{"type": "text"}]})
    for path, answer in {
        "/events": html("w"),
        "/update": html("win does not exist"),
        "/embedding": told(ERROR, 400),
        "/close": html(""),
        "/delete_env": html(""),
        "/env/main": html(""),
        "/env_state": html('["main", "e"]'),
        "/fork_env": html("a_b"),
        "/save": html("[]"),
        "/win_exists": html("true"),
        "/win_hash": html("d41d8cd98f00b204e9800998ecf8427e"),
        "/experiments/log": html('{"name": null}'),
    }.items():
        assert is_visdoms(answer, path, sent), path
    for data in ({}, WINDOW, {"w": WINDOW}):
        assert is_visdoms(html(json.dumps(data)), "/win_data", sent), data
    assert is_visdoms(html('{"w": {"content": [NaN]}}'), "/win_data", sent), "0.2.4 writes it so"


def test_what_visdom_says_of_errors_is_known_as_its_own() -> None:
    for answer in (
        html("<title>Visdom - Error 500</title>", 500),
        html("", 500),
        html("", 400),
        html("", 401),
        Answer(404, {"content-type": "text/plain; charset=utf-8"}, b"no window 'w' in environment 'e'"),
        told({"success": False, "error": "no"}, 403),
        html("win is not image_history; was plot", 400),
        Answer(500, SIGNED),
    ):
        assert is_visdoms(answer, "/win_data", "{}"), answer


ANSWERS = st.builds(
    Answer,
    st.integers(100, 599),
    st.fixed_dictionaries({}, optional={"content-type": st.sampled_from([*JSON.values(), *HTML.values(), "text/plain", ""])}),
    st.binary(max_size=30)
    | VALUES.map(text_of).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from([b"<html>", b"<!doctype html><title>Visdom</title>", b"OK", b"Not Found", b"404 page not found\n", b""]),
)


@examples(200)
@given(ANSWERS, st.sampled_from(["/events", "/update", "/embedding", "/save", "/win_exists", "/fork_env", "/experiments/log"]))
def test_an_answer_of_others_is_never_taken_for_a_servers(answer: Answer, path: str) -> None:
    assert publish_reply(answer) is None
    assert own_error(answer) is None
    assert existence(answer) is None
    content = answer.content
    may_be_visdoms = not content or content.startswith((b"[", b"{"))
    assert may_be_visdoms or not is_visdoms(answer, path, '{"win": "window_1", "eid": "e"}')
    assert isinstance(stranger(answer), Away)


@examples(100)
@given(st.integers(0, len(json.dumps(REPLY)) - 1))
def test_no_part_of_a_reply_is_one(length: int) -> None:
    assert publish_reply(Answer(200, JSON, json.dumps(REPLY).encode()[:length])) is None


# --- redirects ---


def moved(base: str, path: str, location: str, status: int = 301, *, has_login: bool = False) -> str:
    return moved_base(base, path, Answer(status, {"location": location}), has_login=has_login)


@pytest.mark.parametrize(
    ("base", "path", "location", "new"),
    [
        ("http://h:8097", "/update", "https://h/update", "https://h:443"),
        ("http://h:8097", "/update", "https://vis.example:8443/x/update", "https://vis.example:8443/x"),
        ("http://h:8097/x", "/update", "/y/update", "http://h:8097/y"),
        ("http://h:8097/x", "/env/a b", "//other/x/env/a%20b", "http://other:80/x"),
        ("http://h:8097", "/env/a/b", "http://[::1]:1/env/a/b", "http://[::1]:1"),
        ("https://h:443", "/update", "https://other/update#top", "https://other:443"),
        ("http://user:pass@h:1", "/update", "https://a:b@h/update", "https://h:443"),
        ("http://h:8097/x", "", "https://h/x/", "https://h:443/x"),
        ("http://h:8097", "", "https://h", "https://h:443"),
    ],
)
def test_the_same_request_may_go_to_another_place(base: str, path: str, location: str, new: str) -> None:
    assert moved(base, path, location) == new


@pytest.mark.parametrize(
    ("base", "path", "location", "said"),
    [
        ("http://h:1", "/update", "/login", "301 redirects to http://h:1, to what is no Visdom server"),
        (
            "http://h:1",
            "/update",
            "https://sso.example/in?next=/update&t=secret",
            "redirects to https://sso.example:443, to what",
        ),
        ("http://h:1", "/update", "https://sso.example/update?token=secret", "redirects to https://sso.example:443, to what"),
        ("http://h:1", "", "https://h/login", "redirects to https://h:443, to what"),
        ("http://h:1", "/update", "/update/", "redirects to http://h:1, to what"),
        ("https://h:1", "/update", "http://h:2/update", "redirects to http://h:2, without encryption"),
        ("http://h:1", "/update", "ftp://h/update", "301 redirects, to what is no Visdom server"),
        ("http://h:1", "/update", "http://h:port/update", "301 redirects, to what"),
        ("http://h:1", "/update", "http://[::1/update", "301 redirects, to what"),
        ("http://h:1", "/update", "https:///update", "301 redirects, to what"),
    ],
)
def test_a_redirect_to_something_else_is_an_outage_that_names_it(base: str, path: str, location: str, said: str) -> None:
    with pytest.raises(Away) as caught:
        moved(base, path, location)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("location", ["https://h/update", "https://h:8443/update", "http://h:1/x/update"])
def test_a_login_goes_to_the_same_server(location: str) -> None:
    assert moved("http://h:1", "/update", location, has_login=True)


@pytest.mark.parametrize(
    "location", ["https://other/update", "http://other:1/update", "http://h:2/update", "https://h.other/update"]
)
def test_a_login_goes_nowhere_else(location: str) -> None:
    with pytest.raises(Away, match="where the login is not sent; use that address"):
        moved("http://h:1", "/update", location, has_login=True)


def test_a_303_is_not_followed() -> None:
    with pytest.raises(Away):
        moved("http://h:1", "/update", "https://h/update", 303)


# --- outages ---


def test_an_outage_is_told_once_for_each_kind_of_cause() -> None:
    outage = Outage()
    causes = [Away("a"), Away("b"), Away("c", "stranger"), Away("d"), Away("e", "stranger"), Away("f", "login")]
    assert [outage.failed(away, 10.0) for away in causes] == [False, True, True, False, False, True]
    assert outage.over(12.0) == 2.0
    assert outage.over(13.0) is None
    assert outage.failed(Away("a"), 20.0) is False
    assert outage.over(20.5) is None, "nothing was said of it"


def test_attempts_become_rarer_up_to_a_bound_or_as_asked() -> None:
    outage = Outage()
    for _ in range(50):
        outage.failed(Away("a"), 0.0)
        assert 0 < outage.wait_s <= MAX_BACKOFF_S
    outage.failed(Away("a", retry_after_s=20.0), 0.0)
    assert outage.wait_s == 20.0
