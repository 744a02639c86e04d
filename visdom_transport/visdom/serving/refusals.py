"""Refusals in a form in which no program of Visdom's client takes them for what it asked for.

Visdom's client returns the text of a reply whatever its status is, and programs look at it with `if`, or use it as the id of a
window. So a refusal has no text for them: it is in a header.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from visdom_transport.core.signature import REFUSAL_HEADER

_LOOKED_AT: Final = re.compile(
    r"/(close|delete_env|env_state|events|experiments/log|fork_env|save|update|win_data|win_exists|win_hash)$"
)
_MOST_CHARACTERS: Final = 500


class Refusals(OutputTransform):
    """Takes the text out of refusals that go to Visdom's client: it names no type of its body, and wants none in particular."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        if status_code < 400 or not chunk or not finishing:
            return status_code, headers, chunk
        endpoint = _endpoint_of(self._request)
        if endpoint is None:
            return status_code, headers, chunk
        error = _error(headers, chunk)
        headers[REFUSAL_HEADER] = json.dumps(error)[:_MOST_CHARACTERS]
        chunk = b""
        if endpoint == "env_state":
            # Visdom 0.3.0's client reads this one, and finds an error in it.
            chunk = json.dumps({"error": error}).encode()
            headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk


def _endpoint_of(request: HTTPServerRequest) -> str | None:
    """What Visdom's client asked for; None if somebody else did, or nobody looks at the reply."""
    names_type = "Content-Type" in request.headers or "json" in request.headers.get("Accept", "")
    found = _LOOKED_AT.search(request.path) if request.method == "POST" and not names_type else None
    return found[1] if found else None


def _error(headers: HTTPHeaders, chunk: bytes) -> Any:
    """What is wrong: an object, a sentence, or nothing where a page says it."""
    if "html" in headers.get("Content-Type", "") and chunk.lstrip()[:1] == b"<":
        return None
    text = chunk.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        return text
    return body["error"] if isinstance(body, dict) and "error" in body else body
