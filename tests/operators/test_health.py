"""Checks, and how they are told."""

from __future__ import annotations

from visdom_transport.operators.health import Health, Verdict, report


def test_it_is_ready_when_all_checks_pass() -> None:
    health = Health({"loop": lambda now: Verdict(True), "journal": lambda now: Verdict(True, "off")})
    assert report(health.verdicts(0.0), verbose=False) == (True, "ready\n")
    passes, text = report(health.verdicts(0.0), verbose=True)
    assert passes
    assert text.splitlines() == ["[+]stopping ok", "[+]loop ok", "[+]journal ok: off", "ready"]


def test_one_check_that_fails_is_enough() -> None:
    health = Health({"loop": lambda now: Verdict(now < 5.0, f"since {now:.0f}"), "journal": lambda now: Verdict(True)})
    assert report(health.verdicts(4.0), verbose=False) == (True, "ready\n")
    assert report(health.verdicts(6.0), verbose=False) == (False, "not ready: loop\n")
    assert report(health.verdicts(6.0), verbose=True)[1].splitlines()[1] == "[-]loop failed: since 6"


def test_what_stops_is_not_ready() -> None:
    health = Health({})
    health.stop()
    assert report(health.verdicts(0.0), verbose=True) == (
        False,
        "[-]stopping failed: the server is stopping\nnot ready: stopping\n",
    )
