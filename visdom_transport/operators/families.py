"""Families of metrics, made at the time of a scrape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from visdom_transport.core.histogram import Histogram

PREFIX = "visdom_transport_"

Values: TypeAlias = Mapping[Any, float]
"""By the values of the labels, a tuple."""


def gauge(name: str, text: str, labels: Iterable[str], values: Values) -> Metric:
    """What is so now."""
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=list(labels)), values)


def one(name: str, text: str, value: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def counter(name: str, text: str, labels: Iterable[str], values: Values) -> Metric:
    """What only grows while the process lives. The name is without ``_total``."""
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=list(labels)), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def total(name: str, text: str, value: float) -> Metric:
    """A counter without labels."""
    return CounterMetricFamily(PREFIX + name, text, value=value)


def histogram(name: str, text: str, labels: Iterable[str], values: Mapping[Any, Histogram]) -> Metric:
    """How values are spread."""
    family = HistogramMetricFamily(PREFIX + name, text, labels=list(labels))
    for of, each in values.items():
        seen, buckets = 0, []
        for bound, count in zip((*each.bounds, float("inf")), each.counts, strict=True):
            seen += count
            buckets.append((floatToGoString(bound), seen))  # type: ignore[no-untyped-call]
        family.add_metric(of, buckets, each.sum)
    return family
