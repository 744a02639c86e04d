"""``/transport/metrics`` of a relay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from tests.operators.exposed import Exposed, scraped
from tests.support.ports import free_port
from tests.support.relayed import RelayServer
from tests.support.server import VisdomServer
from tests.support.wait import until

View = Callable[..., Any]

TOKEN = "only-prometheus"


def test_a_relay_tells_of_its_own_viewers_and_of_its_source(
    origin: VisdomServer, relay_of: Callable[..., RelayServer], view: View
) -> None:
    origin.text("note", "x")
    relay = relay_of(origin)
    reader = view(relay, "env/main")
    reader.converge()
    origin.text("note", "y")
    reader.converge()
    found = scraped(relay)
    found.check()
    assert found.value("sessions", role="browser", dialect="own") == 1
    assert found.value("source", source="link") == 1
    assert found.value("changes_total", kind="env") == 1, "what was there before is not a change"
    of_origin = scraped(origin)
    of_origin.check()
    assert of_origin.value("publishers") == 0


def test_it_says_that_it_has_no_source(origin: VisdomServer, relay_of: Callable[..., RelayServer], view: View) -> None:
    relay = relay_of(origin)
    view(relay, "env/main")
    assert scraped(relay).value("source", source="none") == 0
    origin.kill()
    until(lambda: scraped(relay).value("source", source="none") == 1, "it has noticed")
    assert scraped(relay).value("source", source="link") == 0


def test_the_port_of_a_relay_is_one_of_its_own(origin: VisdomServer, relay_of: Callable[..., RelayServer]) -> None:
    port = free_port()
    relay_of(origin, metrics_port=port, metrics_token=TOKEN)
    address = f"http://127.0.0.1:{port}/metrics"
    assert requests.get(address, timeout=20).status_code == 401
    answer = requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    Exposed(answer.text).check()
    assert 'part="relay"' in answer.text
