"""Looking for what is not there: a program is answered as by stock, or with what is false, because it tests that with `if`."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable

import pytest

from tests.support.flavour import NEW_VISDOM
from tests.support.server import VisdomServer
from tests.visdom.publishing.recorder import Recorder

REFUSED = 400

LOOKING: dict[str, Callable[[Recorder, str], object]] = {
    "win_exists": lambda vis, env: vis.win_exists("missing", env=env),
    "get_window_data": lambda vis, env: vis.get_window_data(win="missing", env=env),
    "get_window_data of all": lambda vis, env: vis.get_window_data(env=f"{env}_none"),
    "fork_env": lambda vis, env: vis.fork_env(f"{env}_none", f"{env}_fork"),
    "delete_env": lambda vis, env: vis.delete_env(f"{env}_none"),
    "close": lambda vis, env: vis.close("missing", env=env),
    "close all": lambda vis, env: vis.close(env=env),
    "save": lambda vis, env: vis.save([f"{env}_none"]),
    "update": lambda vis, env: vis.update_window_opts("missing", opts={"title": "of nothing"}, env=env),
    "append text": lambda vis, env: vis.text("to nothing", win="missing", env=env, append=True),
    "append": lambda vis, env: vis.line(X=[1], Y=[2], win="made", env=env, update="append"),
    "replace": lambda vis, env: vis.line(X=[1], Y=[2], win="missing", env=env, update="replace"),
    "a refused update": lambda vis, env: vis.raw("/update", {"win": "t", "eid": env, "data": [{"type": "scatter"}]}),
}
if NEW_VISDOM:
    LOOKING["get_env_state"] = lambda vis, env: vis.get_env_state(f"{env}_none")
    LOOKING["finish_experiment"] = lambda vis, env: vis.finish_experiment(status="no status", env=env)
else:
    LOOKING["win_hash"] = lambda vis, env: vis.win_hash("missing", env=env)


@pytest.mark.parametrize("suffix", ["", "_missing"])
@pytest.mark.parametrize("name", LOOKING)
def test_what_a_program_gets_for_what_is_not_there(stock: VisdomServer, ours: VisdomServer, name: str, suffix: str) -> None:
    """What stock answers, or what is false where stock fails or refuses: programs test it with `if`."""
    eid = f"look_{uuid.uuid4().hex[:6]}"
    answers = []
    for server in (stock, ours):
        recorder = Recorder(server, eid)
        recorder.text("there", win="t")
        server.http.headers["Accept"] = "*/*"  # as Visdom's client asks
        try:
            with warnings.catch_warnings(action="ignore"):
                answers.append(LOOKING[name](recorder, f"{eid}{suffix}"))
        finally:
            server.http.headers["Accept"] = "application/json"
            recorder.session.close()
        if server is stock and recorder.exchanges[-1].status >= REFUSED:
            answers[0] = None
    expected, got = answers
    assert got == expected or (not got and expected is None), answers
