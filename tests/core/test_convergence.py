"""Convergence: whatever happens, a replica that claims to be current equals the state, and every replica gets there."""

from __future__ import annotations

from core.machine import Convergence
from hypothesis import HealthCheck, settings

TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(
    max_examples=100,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
