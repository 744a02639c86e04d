"""The patching mechanism, on modules of our own."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from visdom_transport.patching import Patches, Seam, SeamError


def double(original: Callable[[int], int]) -> Callable[[int], int]:
    return lambda n: 2 * original(n)


def constant(*_: Any) -> int:
    return 42


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module to patch, and one that imports its function by name. Nothing of Visdom's is touched."""
    module, importer = ModuleType("host"), ModuleType("importer")
    source = """
def f(n): return n
class Base:
    def inherited(self, n): return n
class Thing(Base):
    def method(self, n): return n
    @staticmethod
    def static(n): return n
settings = {"kept": 1}
"""
    exec(source, vars(module))
    importer.f = module.f  # type: ignore[attr-defined]
    for each in (module, importer):
        monkeypatch.setitem(sys.modules, each.__name__, each)
    return module


HERE = "replacements_of_the_test"


def patching(*table: Seam) -> Patches:
    return Patches(table, lambda: "0.2.4")


@pytest.fixture(autouse=True)
def replacements(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(HERE)
    vars(module).update(double=double, constant=constant)
    monkeypatch.setitem(sys.modules, HERE, module)


def test_every_kind_of_place_is_replaced_and_put_back(host: ModuleType) -> None:
    before = {name: vars(host)[name] for name in ("f", "Thing")}
    table = (
        Seam("host", "f", "", wrapper=f"{HERE}:double", aliases=("importer",)),
        Seam("host", "Thing.method", "", replacement=f"{HERE}:constant"),
        Seam("host", "Thing.static", "", wrapper=f"{HERE}:double"),
        Seam("host", "Thing.inherited", "", replacement=f"{HERE}:constant"),
        Seam("host", "settings[kept]", "", value=2),
        Seam("host", "settings[made]", "", value=False),
    )
    patches = patching(*table)
    patches.apply()
    thing = host.Thing()
    assert (host.f(3), sys.modules["importer"].f(3)) == (6, 6)
    assert (thing.method(1), thing.static(4), host.Thing.static(4), thing.inherited(1)) == (42, 8, 8, 42)
    assert host.Base().inherited(7) == 7
    assert host.settings == {"kept": 2, "made": False}
    assert patches.active == list(table)

    patches.withdraw()
    assert host.f is before["f"]
    assert sys.modules["importer"].f is before["f"]
    assert (thing.method(1), thing.static(4), thing.inherited(7)) == (1, 4, 7)
    assert "inherited" not in vars(host.Thing)
    assert host.settings == {"kept": 1}
    assert patches.active == []


def test_applying_again_wraps_nothing_twice(host: ModuleType) -> None:
    patches = patching(Seam("host", "f", "", wrapper=f"{HERE}:double", aliases=("importer",)))
    original = host.f
    patches.apply()
    patches.apply()
    assert host.f(3) == 6
    patches.withdraw()
    assert host.f is original


def test_a_reloaded_module_is_replaced_anew_with_its_holders(host: ModuleType) -> None:
    patches = patching(Seam("host", "f", "", wrapper=f"{HERE}:double", aliases=("importer",)))
    patches.apply()
    host.f = lambda n: n + 1
    patches.apply()
    assert (host.f(3), sys.modules["importer"].f(3)) == (8, 8)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Seam("host", "g", "", value=1), "host.g"),
        (Seam("host", "Missing.method", "", value=1), "host.Missing.method"),
        (Seam("host", "f[key]", "", value=1), "host.f"),
        (Seam("no_such_module", "f", "", value=1), "no_such_module"),
    ],
)
def test_if_one_thing_is_missing_nothing_is_replaced(host: ModuleType, bad: Seam, said: str) -> None:
    original = host.f
    patches = patching(Seam("host", "f", "", value=1), bad)
    with pytest.raises(SeamError, match=said.replace("[", r"\[")):
        patches.apply()
    assert host.f is original
    assert patches.active == []
    assert said in str(patches.problem)


def test_a_replacement_of_ours_that_does_not_load_replaces_nothing(host: ModuleType) -> None:
    original = host.f
    with pytest.raises(ModuleNotFoundError):
        patching(Seam("host", "f", "", value=1), Seam("host", "Thing", "", replacement="no_such_module:Thing")).apply()
    assert host.f is original


def test_a_holder_with_something_else_under_the_name_is_not_what_we_know(host: ModuleType) -> None:
    sys.modules["importer"].f = print  # type: ignore[attr-defined]
    with pytest.raises(SeamError, match="importer"):
        patching(Seam("host", "f", "", wrapper=f"{HERE}:double", aliases=("importer",))).apply()
    assert host.f(3) == 3


def test_a_holder_without_the_name_is_left_alone(host: ModuleType) -> None:
    del sys.modules["importer"].f  # type: ignore[attr-defined]
    patching(Seam("host", "f", "", wrapper=f"{HERE}:double", aliases=("importer", "not_loaded"))).apply()
    assert not hasattr(sys.modules["importer"], "f")


def test_rows_of_other_visdoms_are_passed_over(host: ModuleType) -> None:
    patches = patching(Seam("no_such_module", "f", "", value=1, versions=("0.3.0",)))
    patches.apply()
    assert patches.active == []


@pytest.mark.parametrize(
    ("version", "is_known"), [("0.2.3", False), ("0.1.8.9", False), ("0.2.4", True), ("no_version_file", True)]
)
def test_a_visdom_that_is_older_than_any_that_is_tested_is_not_recognised(
    monkeypatch: pytest.MonkeyPatch, version: str, is_known: bool
) -> None:
    import visdom

    from visdom_transport.patching import recognise
    from visdom_transport.visdom.flavour import KNOWN

    monkeypatch.setattr(visdom, "__version__", version)
    if is_known:
        assert recognise(KNOWN) in KNOWN
    else:
        with pytest.raises(SeamError, match=re.escape(f"(version {version}) is older than 0.2.4")):
            recognise(KNOWN)
