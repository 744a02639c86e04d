"""Ports that stay free: the system must have no reason to give them to somebody else."""

from __future__ import annotations

import socket

from tests.support.ports import LOWEST, free_port


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)


def test_who_takes_any_port_gets_none_of_these() -> None:
    ports = [free_port() for _ in range(100)]
    anybody = []
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            anybody.append(listener.getsockname()[1])
    assert min(ports) >= LOWEST
    assert max(ports) < min(anybody)
