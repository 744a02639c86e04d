"""Requests to a server, whatever the program does beside them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from visdom_transport.client.asking.errors import Away
from visdom_transport.client.asking.exchange import MAX_READS, environment_settings


class _Changing:
    """Environment variables that another thread changes during the first reads."""

    def __init__(self, error: Exception, times: int) -> None:
        self.left = times
        self._error = error
        self._read = requests.sessions.get_environ_proxies

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.left:
            self.left -= 1
            raise self._error
        return self._read(*arguments, **options)


@pytest.mark.parametrize("error", [KeyError("GONE"), RuntimeError("dictionary changed size during iteration")])
def test_environment_variables_may_change_while_they_are_read(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setattr(requests.sessions, "get_environ_proxies", _Changing(error, MAX_READS - 1))
    with requests.Session() as session:
        assert environment_settings(session, "http://somewhere.example/")["proxies"]["http"] == "http://127.0.0.1:1"


def test_nothing_is_asked_while_they_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.sessions, "get_environ_proxies", _Changing(KeyError("GONE"), MAX_READS))
    with requests.Session() as session, pytest.raises(Away):
        environment_settings(session, "http://somewhere.example/")
