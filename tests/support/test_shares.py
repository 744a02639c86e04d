"""What is shared out runs once."""

from __future__ import annotations

from itertools import product

import pytest

from tests.support.shares import ENVIRONMENTS, SAME_EVERYWHERE, TESTS, is_elsewhere

NAMES = [f"test_{function}[{case}]" for function, case in product(["a_cut", "a_front", "a_refresh"], range(20))]


def ran(monkeypatch: pytest.MonkeyPatch, environment: str, file: str) -> set[str]:
    monkeypatch.setenv("TOX_ENV_NAME", environment)
    return {name for name in NAMES if not is_elsewhere(TESTS / file, name)}


@pytest.mark.parametrize("file", ["core/test_hub.py", "browser/test_fronts.py", "test_demo.py"])
def test_each_of_the_same_tests_runs_in_one_environment(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    first, second = (ran(monkeypatch, environment, file) for environment in ENVIRONMENTS)
    assert first | second == set(NAMES)
    assert not first & second
    assert min(len(first), len(second)) > len(NAMES) / 3
    assert not ran(monkeypatch, "visdom030py312", file)


def test_all_others_run_in_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in (*ENVIRONMENTS, "visdom030py312"):
        assert ran(monkeypatch, environment, "browser/test_reconnect.py") == set(NAMES)


def test_what_is_named_is_there() -> None:
    assert not [name for name in SAME_EVERYWHERE if not (TESTS / name).exists()]
