"""What is answered to the offers of WebSocket clients (RFC 7692)."""

from __future__ import annotations

import pytest

from visdom_transport.links.deflate import AGREED, answer_to

WITH_WINDOW = f"{AGREED}; server_max_window_bits=15"


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ("permessage-deflate", AGREED),
        ("permessage-deflate; client_max_window_bits", AGREED),
        ("permessage-deflate; client_max_window_bits=12", AGREED),
        ("Permessage-Deflate ; server_no_context_takeover; client_no_context_takeover", AGREED),
        ('permessage-deflate; server_max_window_bits="15"', WITH_WINDOW),
        ("permessage-deflate; server_max_window_bits=15; client_max_window_bits=8", WITH_WINDOW),
        ("x-webkit-deflate-frame, permessage-deflate", AGREED),
        # What all others are sent refers back further.
        ("permessage-deflate; server_max_window_bits=10", None),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", AGREED),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; client_max_window_bits=7", None),
        ("permessage-deflate; client_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("permessage-deflate; something_new", None),
        ("permessage-deflate;", None),
        ("x-webkit-deflate-frame", None),
        ("", None),
        (";,=,", None),
    ],
)
def test_an_offer_is_accepted_if_it_fits(offers: str, expected: str | None) -> None:
    assert answer_to(offers) == expected
