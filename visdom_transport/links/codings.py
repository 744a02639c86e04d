"""Which codings of content an HTTP client takes (RFC 9110, section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_WEIGHT = re.compile(r"(?i)q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


_OF_WHO_ASKS = ("Connection", "Via", "Forwarded", "X-Forwarded-For", "X-Real-Ip")
"""Every browser sends the first one, and so do most proxies; the others are how proxies name themselves."""


def may_be_coded(headers: Mapping[str, str], coding: str) -> bool:
    """Whether the answer to a request with these headers may be in ``coding``.

    Not for a front that has taken off ``Connection`` and does not name itself: one of a few lines hands on what the browser
    takes, and may keep for itself that the answer is coded. The page would be garbage.
    """
    return any(name in headers for name in _OF_WHO_ASKS) and takes(headers.get("Accept-Encoding", ""), coding)


def takes(header: str, coding: str) -> bool:
    """Whether a client with this ``Accept-Encoding`` takes ``coding``, and does not like plain content better."""
    weights = dict(_weights(header.split(",")))
    weight = weights.get(coding, weights.get("*", 0.0))
    return weight > 0 and weight >= weights.get("identity", 0.0)


def _weights(parts: Iterable[str]) -> Iterable[tuple[str, float]]:
    """What is malformed says nothing."""
    for part in parts:
        coding, _, parameter = part.partition(";")
        weight = _WEIGHT.fullmatch(parameter.strip()) if parameter else None
        if not parameter or weight:
            name = coding.strip().lower().removeprefix("x-")
            yield name, float(weight[1]) if weight else 1.0
