"""Freshness: how old a page's picture is by the server's metrics, and by the page itself.

Points are appended to a line that keeps 10,000 of them. *Page*: the time from just before a post until the frame that shows the
point, or a newer one, is painted. *Server*: `freshness_seconds{stage="drawn"}` of the same time, from the oldest change of a
batch until the page has drawn it, with what pages say of when that was. A quantile of the server's lies in a bucket of its
histogram, in which values are taken to be spread evenly: on a busy machine, where pictures are older, buckets are wider than
what is to be shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from .browser import Stream, lag_of, open_line, served
from .support.measure import Bench, percentile
from .support.page import Chromium
from .support.result import Bars, Result, Table, Target, ms
from .support.servers import BenchError, Server

MAX_DIFFERENCE_S = 0.050
CASES = {"5/s": 5, "20/s": 20, "50/s": 50}
"""Appends a second."""

Buckets = Mapping[float, float]
"""By upper bound in seconds, how many were at most that."""


def run(bench: Bench) -> Result:
    seconds = 8.0 if bench.quick else 40.0
    by_page: dict[str, float] = {}
    by_server: dict[str, float] = {}
    with Chromium() as chromium:
        for label, rate in CASES.items():
            bench.say(label)
            with served() as server:
                page = open_line(chromium, server)
                before = drawn(server)
                stream = Stream(server, rate, seconds).run()
                by_page[label] = percentile(lag_of(page, stream), 0.95)
                after = drawn(server)
                by_server[label] = quantile({bound: after[bound] - before.get(bound, 0.0) for bound in after}, 0.95)
    return Result(
        tables=[
            Table(
                ["appends", "page, p95", "server, p95"],
                [[label, ms(by_page[label]), ms(by_server[label])] for label in CASES],
            )
        ],
        targets=[
            Target(
                f"difference of the two at p95, {label}",
                1000 * abs(by_page[label] - by_server[label]),
                1000 * MAX_DIFFERENCE_S,
                " ms",
            )
            for label in CASES
        ],
        chart=Bars(
            "Age of what is shown, p95",
            "s",
            {f"{label}: {who}": of[label] for label in CASES for who, of in (("page", by_page), ("server", by_server))},
        ),
    )


def drawn(server: Server) -> Buckets:
    """How old what pages have drawn was by then, over WebSockets."""
    text = server.get("/transport/metrics").decode()
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "visdom_transport_freshness_seconds_bucket"
        and (sample.labels["stage"], sample.labels["transport"]) == ("drawn", "websocket")
    }


def quantile(buckets: Buckets, share: float) -> float:
    """The value that so many of all are at most, as Prometheus finds it. Raises BenchError when there are none."""
    bounds = sorted(buckets)
    wanted = share * buckets[math.inf] if bounds else 0.0
    if not wanted:
        raise BenchError("the server has counted nothing that was drawn")
    low, count_low = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            return low if math.isinf(bound) else low + (bound - low) * (wanted - count_low) / (buckets[bound] - count_low)
        low, count_low = bound, buckets[bound]
    return low
