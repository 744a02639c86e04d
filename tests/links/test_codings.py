"""What a client's Accept-Encoding says."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from visdom_transport.links.codings import may_be_coded, takes


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


@pytest.mark.parametrize("sign", ["Connection", "Via", "Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_an_answer_is_coded_for_a_browser_and_for_a_proxy_that_names_itself(sign: str) -> None:
    asked = HTTPHeaders({"Accept-Encoding": "gzip, deflate"})
    assert not may_be_coded(asked, "gzip"), "a front of a few lines may lose what the answer is coded with"
    asked[sign] = "x"
    assert may_be_coded(asked, "gzip")
    assert not may_be_coded(asked, "br")
