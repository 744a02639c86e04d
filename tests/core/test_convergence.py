"""Convergence: whatever happens, a replica that claims to be current equals the state, and every replica gets there."""

from __future__ import annotations

from tests.core.machine import THOROUGH, Convergence

TestConvergence = Convergence.TestCase
TestConvergence.settings = THOROUGH
