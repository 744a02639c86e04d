"""Relays that share a port."""

from __future__ import annotations

import asyncio

from visdom_transport.relay.siblings import Siblings


def test_each_has_a_port_of_its_own_after_that_of_the_server() -> None:
    async def ports_after() -> list[int]:
        return [Siblings(number, [1, 2, 3]).ports_after for number in range(3)]

    assert asyncio.run(ports_after()) == [1, 2, 3]


def test_a_relay_by_itself_has_the_port_of_its_own_settings() -> None:
    assert Siblings().ports_after == 0
