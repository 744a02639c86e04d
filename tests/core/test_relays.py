"""Feeds that follow: whoever hops between relays, which cut the same changes at different places, holds what the origin has."""

from __future__ import annotations

from tests.core.hops import Hops
from tests.core.machine import THOROUGH

TestHops = Hops.TestCase
TestHops.settings = THOROUGH
