"""Who may scrape, and what the answer looks like."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tornado.httputil import HTTPHeaders

from visdom_transport.core.histogram import Histogram
from visdom_transport.operators.exposition import Exposition
from visdom_transport.operators.families import counter, gauge, histogram, one, total
from visdom_transport.settings import Settings


def families() -> Iterator[Metric]:
    spread = Histogram((0.5, 2.0))
    for value in (0.1, 1.0, 9.0):
        spread.observe(value)
    yield one("now", "Now.", 3)
    yield total("ever", "Ever.", 4)
    yield gauge("by", "By.", ("of",), {("a",): 1, ("b",): 2})
    yield counter("both", "Both.", ("of", "to"), {("a", "b"): 5})
    yield histogram("spread", "Spread.", (), {(): spread})


def exposed(settings: Settings | None = None) -> Exposition:
    return Exposition(settings or Settings(), families)


def test_families_are_made_at_each_scrape_and_read_by_prometheus() -> None:
    content_type, body = exposed().answer(HTTPHeaders())
    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("visdom")
    }
    assert content_type.startswith("text/plain; version=0.0.4")
    assert found == {
        ("visdom_transport_now", ()): 3,
        ("visdom_transport_ever_total", ()): 4,
        ("visdom_transport_by", ("a",)): 1,
        ("visdom_transport_by", ("b",)): 2,
        ("visdom_transport_both_total", ("a", "b")): 5,
        ("visdom_transport_spread_bucket", ("0.5",)): 1,
        ("visdom_transport_spread_bucket", ("2.0",)): 2,
        ("visdom_transport_spread_bucket", ("+Inf",)): 3,
        ("visdom_transport_spread_sum", ()): 10.1,
        ("visdom_transport_spread_count", ()): 3,
    }


def test_nothing_of_it_is_in_the_registry_that_all_share() -> None:
    exposed()
    exposed().answer(HTTPHeaders())
    assert not [family for family in REGISTRY.collect() if family.name.startswith("visdom")]


@pytest.mark.parametrize(
    ("shown", "is_in"),
    [
        ("Bearer abc", True),
        ("bearer  abc ", True),
        ("Bearer abd", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Basic abc", False),
        ("abc", False),
        ("", False),
        ("Bearer äbc", False),
    ],
)
def test_a_token_is_shown_as_a_bearer(shown: str, is_in: bool) -> None:
    headers = HTTPHeaders({"Authorization": shown} if shown else {})
    assert exposed(Settings(metrics_token="abc")).is_let_in(headers) is is_in
    assert not exposed().is_let_in(headers), "the settings have none"


def test_the_library_is_not_imported_before_a_server_starts() -> None:
    program = """
import sys
from visdom_transport import hook
hook.install()
import visdom.server.app
import visdom_transport.visdom.transport, visdom_transport.relay.relay
sys.exit("prometheus_client" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
