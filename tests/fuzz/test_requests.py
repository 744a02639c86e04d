"""What is posted to every route: it is carried out or refused with a reason, and a refusal changes nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.values import NUMBERS, RAW, VALUES, examples, nearly, text_of
from tests.support.flavour import NEW_VISDOM
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.records import Records
from tests.support.stock_peers import StockPoll, StockSocket
from visdom_transport.core.encoding import decode, encode

Serve = Callable[..., LocalServer]

EIDS = st.sampled_from(["main", "other", "new", None])
WINS = st.sampled_from(["text", "plot", "history", "cloud", "odd", "nowhere", None])
POINT = {"type": "embedding", "x": 1.0, "y": 2.0, "z": 3.0, "phase": "train", "predicted": "a", "cluster": "a"}
TRACE = {"type": "scatter", "name": "1", "x": [1, 2], "y": [3, 4]}

TRACES = st.lists(
    st.one_of(
        nearly(TRACE, x=st.lists(NUMBERS, max_size=3), y=st.lists(NUMBERS, max_size=3)),
        nearly({"type": "heatmap", "z": [[1, 2], [3, 4]], "x": None, "y": None}),
        nearly({"type": "text", "content": "hello"}),
        nearly({"type": "image_history", "content": {"src": "data:", "caption": ""}}),
        nearly({"type": "image_update_selected", "selected": 0}),
        nearly({"type": "embeddings", "content": {"data": [], "selected": None}}),
        nearly({"type": "network", "content": {"nodes": [], "edges": []}}),
        VALUES,
    ),
    max_size=3,
)
OPTS = nearly({"title": "t", "max_points": 5, "legend": ["1"]}, max_points=NUMBERS, legend=st.lists(VALUES, max_size=2))
LAYOUTS = nearly({"title": "t", "xaxis": {}})

EVENTS = nearly(
    {"data": [TRACE], "layout": {}, "win": "plot", "eid": "main", "opts": {}}, data=TRACES, win=WINS, eid=EIDS, opts=OPTS
)
UPDATE = nearly(
    {"data": [TRACE], "win": "plot", "eid": "main", "name": "1", "append": True, "delete": False, "layout": {}, "opts": {}},
    data=TRACES,
    win=WINS,
    eid=EIDS,
    opts=OPTS,
    layout=LAYOUTS,
)
CLOSE = nearly({"win": "text", "eid": "main"}, win=WINS, eid=EIDS)
EMBEDDING = st.one_of(
    nearly({**POINT, "win": "cloud", "eid": "main"}, win=WINS, eid=EIDS, x=NUMBERS),
    nearly(
        {"type": "embedding_batch", "points": [POINT], "replace": True, "win": "cloud"},
        points=st.lists(nearly(POINT), max_size=2),
    ),
)
PUBLISHED = st.one_of(
    *(
        nearly({"endpoint": name, "body": {}}, body=body)
        for name, body in (("events", EVENTS), ("update", UPDATE), ("close", CLOSE), ("embedding", EMBEDDING))
    )
)
DATA = st.one_of(
    VALUES.map(text_of),
    st.dictionaries(st.sampled_from(["text", "new", "odd"]), VALUES | st.just({"type": "text", "content": "x"}), max_size=2).map(
        text_of
    ),
    st.sampled_from(["", "{", "NaN", "[" * 10_000, '{"a": NaN}', "[[1, 2]]", '{"a": 1e400}', "null"]),
)
COMMANDS = st.one_of(
    nearly({"cmd": "close", "data": "text", "eid": "main"}, data=WINS, eid=EIDS),
    nearly({"cmd": "save", "data": {}, "prev_eid": "main", "eid": "new"}, eid=EIDS),
    nearly({"cmd": "delete_env", "eid": "other"}, eid=st.sampled_from(["other", "new", "nothing"])),
    nearly({"cmd": "save_layouts", "data": "[]"}),
    nearly({"cmd": "forward_to_vis", "data": {"target": "text", "eid": "main"}}, data=nearly({"target": "text", "eid": "main"})),
    nearly({"cmd": "layout_item_update", "eid": "main", "win": "text", "data": {}}, eid=EIDS, win=WINS),
    nearly({"cmd": "pop_embeddings_pane", "data": {"target": "cloud", "eid": "main"}}),
    nearly({"cmd": "undo", "eid": "main"}, eid=EIDS),
    nearly({"cmd": "save_all"}),
    nearly(
        {"cmd": "update_plot_layout", "eid": "main", "win": "plot", "data": {}, "frame": 0}, win=WINS, data=LAYOUTS, frame=NUMBERS
    ),
    nearly({"cmd": "update_comment", "eid": "main", "win": "text", "data": "c"}, win=WINS),
    nearly({"cmd": "echo", "x": 1}),
)
MESSAGE = nearly({"type": "command", "id": 1, "command": {}}, command=COMMANDS, id=st.integers(1, 5))

ROUTES = {
    "/events": EVENTS,
    "/update": UPDATE,
    "/close": CLOSE,
    "/embedding": EMBEDDING,
    "/win_data": st.one_of(
        nearly({"win": "text", "eid": "main"}, win=WINS, eid=EIDS),
        nearly({"win": "text", "eid": "main", "data": "{}"}, win=WINS, eid=EIDS, data=DATA),
    ),
    "/win_exists": nearly({"win": "text", "eid": "main"}, win=WINS, eid=EIDS),
    **({} if NEW_VISDOM else {"/win_hash": nearly({"win": "text", "eid": "main"}, win=WINS, eid=EIDS)}),
    "/save": nearly({"data": ["main"]}, data=st.lists(EIDS | VALUES, max_size=3)),
    "/fork_env": nearly({"prev_eid": "main", "eid": "new"}, prev_eid=EIDS, eid=EIDS),
    "/delete_env": nearly({"eid": "other"}, eid=EIDS),
    "/env_state": nearly({"eid": "main"}, eid=EIDS),
    "/env/main": nearly({"sid": "$sid", "eid": "new"}, eid=EIDS),
    "/env/other": nearly({"sid": "$sid"}),
    "/env/nothing": nearly({"sid": "$sid"}),
    "/compare/main+other": nearly({"sid": "$sid", "show_all": True}),
    "/compare/+nothing": nearly({"sid": "$sid"}),
    "/transport/publish": nearly(
        {"producer": "$new", "first": 1, "messages": []},
        first=st.integers(0, 4) | NUMBERS,
        messages=st.lists(PUBLISHED | VALUES, max_size=3),
    ),
    "/transport/poll": nearly(
        {"link": "$link", "secret": "$secret", "wait_s": 0, "feeds": {}, "messages": []},
        link=st.just(None),
        wait_s=NUMBERS.filter(lambda seconds: seconds < 0.5),
        messages=st.lists(MESSAGE | VALUES, max_size=3),
    ),
    "/transport/send": nearly(
        {"link": "$link", "secret": "$secret", "messages": []},
        messages=st.lists(MESSAGE | VALUES, max_size=3),
    ),
    "/socket_wrap": nearly(
        {"sid": "$poller", "message_type": "send", "message": "{}"},
        message_type=st.just("query"),
        message=COMMANDS.map(text_of),
    ),
    "/vis_socket_wrap": nearly({"sid": None, "message_type": "send", "message": "{}"}, message=COMMANDS.map(text_of)),
    **({"/experiments/log": nearly({"eid": "main", "name": "n", "params": {}, "action": "log"}, eid=EIDS)} if NEW_VISDOM else {}),
    "/": nearly({"username": "ada", "password": "x"}),
}
OWN_STATE = frozenset({"/transport/publish", "/transport/poll", "/transport/send", "/socket_wrap", "/vis_socket_wrap"})
"""Carry several messages, some of which may be done while others are refused in the answer."""


class Subject:
    """A server, what it begins with for each example, and who watches it."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self.http = requests.Session()
        self.page = StockSocket(server)
        self.page.register()
        self._ids: dict[str, Callable[[], str]] = {
            "$sid": lambda: self.page.sid,
            "$new": lambda: uuid.uuid4().hex,
            "$link": self._new_chain,
            "$secret": lambda: str(self.chain.secret),
            "$poller": lambda: StockPoll(server).sid,
        }
        self.chain = OwnPoll(server)
        self.reset()

    def reset(self) -> None:
        self.server.run(self._reset)

    def _reset(self) -> None:
        app = self.server.app
        for eid in [each for each in app.state if each != "main"]:
            del app.state[eid]
        app.state["main"] = {"jsons": {}, "reload": {}}
        app.state["other"] = {"jsons": {}, "reload": {}}
        for name, content in _windows().items():
            app.state["main"]["jsons"][name] = content
            app.state["other"]["jsons"][name] = json.loads(json.dumps(content))
        app.transport.publishers._known.clear()
        app.layouts = ""
        if hasattr(app, "storage"):
            app.storage.clear_undo("main")

    def post(self, path: str, body: bytes | str) -> requests.Response:
        data = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
        return self.http.post(self.server.url(path), data=data, timeout=10)

    def state(self) -> Any:
        """Everything in memory and on disk."""
        return self.server.run(self._state)

    def _state(self) -> Any:
        app = self.server.app
        files = {
            str(path): path.read_bytes()
            for path in Path(app.env_path).rglob("*")
            if path.is_file() and ".transport" not in path.parts
        }
        return json.dumps(app.state, default=dict), app.layouts, files

    def filled_in(self, body: str) -> str:
        """With real ids in the place of those that begin with "$"."""
        for name, make in self._ids.items():
            if name in body:
                body = body.replace(name, make())
        return body

    def _new_chain(self) -> str:
        self.chain = OwnPoll(self.server)
        assert self.chain.link is not None
        return self.chain.link

    def is_readable(self) -> None:
        for eid in self.server.run(lambda: list(self.server.app.state)):
            answer = self.post("/win_data", text_of({"eid": eid, "win": None}))
            assert answer.status_code == 200, (eid, answer.text[:200])
            json.loads(answer.text)

    def close(self) -> None:
        self.http.close()
        self.page.close()


def _windows() -> dict[str, Any]:
    common = {"command": "window", "title": "t", "inflate": True, "width": None, "height": None, "contentID": "c", "version": 1}
    points = {"data": [dict(TRACE)], "layout": {"title": "t"}, "caption": None}
    history = {"content": [{"src": "", "caption": ""}], "selected": 0, "show_slider": True, "type": "image_history"}
    return {
        "text": {**common, "id": "text", "type": "text", "content": "hello", "i": 0},
        "plot": {**common, "id": "plot", "type": "plot", "content": points, "i": 1},
        "history": {**common, **history, "id": "history", "i": 2},
        # Through /win_data anything can be put in a window's place.
        "odd": [],
        "odder": {"type": "plot", "content": 5, "i": "x"},
    }


@pytest.fixture
def subject(serve: Serve, records: Records) -> Any:
    # What is said to people about bad requests; a traceback is none of it.
    for pattern in (
        r"tornado\.access",
        r"ERROR: 4\d\d",
        "rendering",
        "is not kept on disk",
        "could not be saved",
        "cannot be saved",
        "cannot be brought back",
        "Failed loading|Could not read",
    ):
        records.ignore(pattern)
    subject = Subject(serve(settings={"journal": "all", "journal_interval_s": 0.05}))
    yield subject
    subject.close()


def bodies(path: str) -> st.SearchStrategy[bytes | str]:
    return ROUTES[path].map(text_of) | ROUTES[path].map(text_of) | VALUES.map(text_of) | RAW


@pytest.mark.parametrize("path", ROUTES)
def test_a_request_is_carried_out_or_refused_as_a_whole(subject: Subject, path: str) -> None:
    @examples(25)
    @given(bodies(path))
    def check(body: bytes | str) -> None:
        subject.reset()
        one_request(subject, path, body)
        subject.is_readable()

    check()


def test_replicas_converge_whatever_is_posted(subject: Subject) -> None:
    steps = st.lists(st.sampled_from(sorted(ROUTES)).flatmap(lambda path: st.tuples(st.just(path), bodies(path))), max_size=8)
    with OwnSocket(subject.server, "env/main", "env/new", "shared") as reader:

        @examples(40)
        @given(steps)
        def check(plan: list[tuple[str, bytes | str]]) -> None:
            subject.reset()
            for path, body in plan:
                one_request(subject, path, body)
            truth = subject.server.run(lambda: {eid: _as_sent(subject.server.app.state, eid) for eid in ("main", "new")})
            for eid, windows in truth.items():
                reader.until(
                    lambda eid=eid, windows=windows: reader.replicas.state(f"env/{eid}") == windows, f"{eid} is {windows}"
                )

        check()


def _as_sent(state: Any, eid: str) -> Any:
    return decode(encode(state[eid]["jsons"])) if eid in state else {}


def one_request(subject: Subject, path: str, body: bytes | str) -> None:
    before = subject.state()
    answer = subject.post(path, subject.filled_in(body) if isinstance(body, str) else body)
    assert answer.status_code < 500, (path, body, answer.status_code, answer.text[:300])
    if answer.status_code != 200 and path not in OWN_STATE:
        assert subject.state() == before, (path, body, answer.status_code, "refused, and half done")
    elif path.startswith("/transport/"):
        decode(answer.content)
