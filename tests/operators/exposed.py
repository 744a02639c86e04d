"""What a scrape gives, read by Prometheus' own parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.served import Served

PREFIX = "visdom_transport_"
DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"

LABELS = {
    "role": {"browser", "source"},
    "dialect": {"own", "stock"},
    "transport": {"websocket", "poll"},
    "kind": {"env", "compare", "shared", "event"},
    "stage": {"sent", "drawn"},
    "over": {"1", "5", "30"},
    "source": {"link", "none"},
    "part": {"origin", "relay"},
    "endpoint": {"events", "update", "close", "embedding", "publish", "other"},
    "result": {"applied", "refused", "repeated", "done"},
    "what": {"value", "delta", "piece", "compressed"},
    "reason": {"resumed", "new", "epoch", "trimmed"},
}
"""What each label may say. Others are checked to be short words, of which a process has few."""


def documented() -> dict[str, str]:
    """The type of each name in the tables of the document."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (gauge|counter|histogram) ", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"\w+", names)}


@dataclass(frozen=True)
class Exposed:
    """One scrape."""

    text: str

    @property
    def samples(self) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
        """By name and labels. No two are the same."""
        found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                of = sample.name, frozenset(sample.labels.items())
                assert of not in found, f"{sample.name} is there twice with {sample.labels}"
                found[of] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float:
        """Of one series."""
        return self.samples[PREFIX + name, frozenset(labels.items())]

    @property
    def types(self) -> dict[str, str]:
        """The type of each family of ours, by its name without the prefix."""
        found = re.findall(rf"^# TYPE {PREFIX}(\S+) (\S+)$", self.text, re.MULTILINE)
        assert len(found) == len(dict(found)), "a family is there twice"
        return dict(found)

    @property
    def series(self) -> set[str]:
        """The names that a query may ask for."""
        names = set()
        for name, kind in self.types.items():
            names |= {PREFIX + name + end for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
        return names | {name for name, _ in self.samples if not name.startswith(PREFIX)}

    def check(self) -> None:
        """That there is no name that is not documented, and no label that is not bounded."""
        assert self.types.items() <= documented().items()
        samples = self.samples
        assert len(samples) < 1_000
        for name, labels in samples:
            for label, value in labels:
                if name != f"{PREFIX}info" or label == "part":
                    assert value in LABELS.get(label, {value}), f"{name}: {label}={value}"
                assert len(value) < 30


def scraped(server: Served) -> Exposed:
    """What a server or a relay tells at the port of its pages."""
    response = server.get("/transport/metrics")
    assert response.status_code == 200
    return Exposed(response.text)
