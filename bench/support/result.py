"""What a benchmark hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: ``measured`` is at most (or at least) ``limit``."""

    what: str
    measured: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells that are text already; see `cell`."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Lines:
    """A chart of y over x, both logarithmic: label -> points."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart of one value per label."""

    title: str
    y_label: str
    values: Mapping[str, float]
    log: bool = False


@dataclass(frozen=True, slots=True)
class Panels:
    """Charts of y over x below each other, with one x axis: label -> points."""

    title: str
    x_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]


@dataclass(slots=True)
class Result:
    """Tables in which contenders stand side by side, promises, and one chart."""

    tables: list[Table]
    targets: list[Target]
    chart: Lines | Bars | Panels | None = None
    notes: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1g}"


def ms(seconds: float) -> str:
    """Seconds as milliseconds."""
    return f"{number(seconds * 1000)} ms"


def mb(size_bytes: float) -> str:
    """Bytes as megabytes."""
    return f"{number(size_bytes / 1e6)} MB"


def times(ratio: float) -> str:
    """A ratio."""
    return f"{number(ratio)}x"
