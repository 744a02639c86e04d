"""What may answer in the place of a server: login pages, error pages of proxies, and worse."""

from __future__ import annotations

import gzip

PAGE = b"<!doctype html><html><head><title>not Visdom</title></head><body>who are you?</body></html>"
HTML = "text/html; charset=utf-8"
JSON = "application/json"


def reply(status: int = 200, body: bytes = PAGE, content_type: str = HTML, **headers: str) -> bytes:
    """An HTTP response that ends its connection. `Retry_After` is the header `Retry-After`."""
    fields = {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} Answered", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


ANSWERS = {
    "403": reply(403),
    "404": reply(404),
    "413": reply(413),
    "429": reply(429, Retry_After="2"),
    "500": reply(500),
    "530": reply(530),
    "redirect": reply(302, b"", Location="/__login"),
    "redirect-elsewhere": reply(302, b"", Location="https://sign-in.invalid/"),
    "page": reply(200),
    "packed-page": reply(200, gzip.compress(PAGE), Content_Encoding="gzip"),
    "truncated": reply(200, b'{"messages": [{"type": "rep', JSON),
    "json": reply(200, b'{"error": "unknown host"}', JSON),
}
"""By name. A browser never follows the redirects, so nobody is asked what lies behind them."""
