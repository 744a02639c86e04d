"""What a client's Accept-Encoding says."""

from __future__ import annotations

import pytest

from visdom_transport.links.codings import takes


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br, GZIP ;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0.1, identity;q=0", True),
        ("gzip;q=1.000", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=2", False),
        ("gzip;q=nan", False),
        ("gzip;level=1", False),
        ("gzipped", False),
        (",;,q=1,", False),
    ],
)
def test_a_client_takes_gzip(header: str, expected: bool) -> None:
    assert takes(header, "gzip") is expected
