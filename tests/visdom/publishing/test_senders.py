"""What is known of a publisher by what it posts, whatever that is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from visdom_transport.visdom.publishing.senders import MAX_CHARACTERS, environments_of, sender_of

HANDLER = SimpleNamespace(request=SimpleNamespace(remote_ip="10.0.0.7"))


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        ({"win": "w"}, ("", "10.0.0.7", 1)),
        ({"producer": "a1b2c3d4", "first": 1, "messages": [{}, {}]}, ("a1b2c3", "10.0.0.7", 2)),
        ({"producer": "a1b2c3d4", "first": 1, "messages": []}, ("a1b2c3", "10.0.0.7", 0)),
        ({"producer": 7, "messages": "no list"}, ("", "10.0.0.7", 1)),
        ({"producer": "\n\x1b[2J", "messages": []}, ("\\n\\x1b[2J", "10.0.0.7", 0)),
    ],
)
def test_who_sends(body: dict[str, Any], sender: tuple[str, str, int]) -> None:
    assert sender_of(HANDLER, body) == sender


@pytest.mark.parametrize(
    ("body", "environments"),
    [
        ({"win": "w"}, ["main"]),
        ({"eid": None}, ["main"]),
        ({"eid": "runs"}, ["runs"]),
        ({"eid": ["a"] * 1_000}, []),
        ({"eid": "x" * 1_000}, ["x" * MAX_CHARACTERS]),
        ({"eid": "a\ud800\n"}, ["a\\ud800\\n"]),
        ({"messages": [{"body": {"eid": "a"}}, {"body": {"eid": "b"}}, {"body": {"eid": "a"}}, {"body": 7}, 7]}, ["a", "b"]),
    ],
)
def test_where_to(body: dict[str, Any], environments: list[str]) -> None:
    assert environments_of(body) == environments
