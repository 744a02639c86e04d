"""The seam mechanism on modules of our own, and the table on the installed Visdom (in interpreters of their own)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from visdom_transport.visdom import seams
from visdom_transport.visdom.seams import Seam, SeamError

ROOT = Path(__file__).resolve().parent.parent.parent


# --- the mechanism -------------------------------------------------------------------------------------------------


def double(original: Callable[[int], int]) -> Callable[[int], int]:
    return lambda n: 2 * original(n)


def constant(*_: Any) -> int:
    return 42


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
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
    monkeypatch.setattr(seams, "_active", {})
    monkeypatch.setattr(seams, "_problem", None)
    monkeypatch.setattr(seams, "recognise", lambda: "0.2.4")
    yield module
    seams.withdraw()


HERE = "test_seams_replacements"


@pytest.fixture(autouse=True)
def replacements(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(HERE)
    vars(module).update(double=double, constant=constant)
    monkeypatch.setitem(sys.modules, HERE, module)


def test_every_kind_of_place_is_replaced_and_put_back(host: ModuleType) -> None:
    before = {name: vars(host)[name] for name in ("f", "Thing")}
    table = (
        Seam("host", "f", "", wrap=f"{HERE}:double", also=("importer",)),
        Seam("host", "Thing.method", "", by=f"{HERE}:constant"),
        Seam("host", "Thing.static", "", wrap=f"{HERE}:double"),
        Seam("host", "Thing.inherited", "", by=f"{HERE}:constant"),
        Seam("host", "settings[kept]", "", value=2),
        Seam("host", "settings[made]", "", value=False),
    )
    seams.apply(table)
    thing = host.Thing()
    assert (host.f(3), sys.modules["importer"].f(3)) == (6, 6)
    assert (thing.method(1), thing.static(4), host.Thing.static(4), thing.inherited(1)) == (42, 8, 8, 42)
    assert host.Base().inherited(7) == 7
    assert host.settings == {"kept": 2, "made": False}
    assert seams.active() == list(table)

    seams.withdraw()
    assert host.f is before["f"]
    assert sys.modules["importer"].f is before["f"]
    assert (thing.method(1), thing.static(4), thing.inherited(7)) == (1, 4, 7)
    assert "inherited" not in vars(host.Thing)
    assert host.settings == {"kept": 1}
    assert seams.active() == []


def test_applying_again_wraps_nothing_twice(host: ModuleType) -> None:
    table = (Seam("host", "f", "", wrap=f"{HERE}:double", also=("importer",)),)
    original = host.f
    seams.apply(table)
    seams.apply(table)
    assert host.f(3) == 6
    seams.withdraw()
    assert host.f is original


def test_a_reloaded_module_is_replaced_anew_with_its_holders(host: ModuleType) -> None:
    table = (Seam("host", "f", "", wrap=f"{HERE}:double", also=("importer",)),)
    seams.apply(table)
    host.f = lambda n: n + 1
    seams.apply(table)
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
    with pytest.raises(SeamError, match=said.replace("[", r"\[")):
        seams.apply((Seam("host", "f", "", value=1), bad))
    assert host.f is original
    assert seams.active() == []
    assert said in str(seams.problem())


def test_a_replacement_of_ours_that_does_not_load_replaces_nothing(host: ModuleType) -> None:
    original = host.f
    with pytest.raises(ModuleNotFoundError):
        seams.apply((Seam("host", "f", "", value=1), Seam("host", "Thing", "", by="no_such_module:Thing")))
    assert host.f is original


def test_a_holder_with_something_else_under_the_name_is_not_what_we_know(host: ModuleType) -> None:
    sys.modules["importer"].f = print  # type: ignore[attr-defined]
    with pytest.raises(SeamError, match="importer"):
        seams.apply((Seam("host", "f", "", wrap=f"{HERE}:double", also=("importer",)),))
    assert host.f(3) == 3


def test_a_holder_without_the_name_is_left_alone(host: ModuleType) -> None:
    del sys.modules["importer"].f  # type: ignore[attr-defined]
    seams.apply((Seam("host", "f", "", wrap=f"{HERE}:double", also=("importer", "not_loaded")),))
    assert not hasattr(sys.modules["importer"], "f")


def test_rows_of_other_visdoms_are_passed_over(host: ModuleType) -> None:
    seams.apply((Seam("no_such_module", "f", "", value=1, only=("0.3.0",)),))
    assert seams.active() == []


# --- the table -----------------------------------------------------------------------------------------------------


def python(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run code beside the installed Visdom, with the hook only if the code installs it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VISDOM")}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**inherited, "PYTHONPATH": str(ROOT), "VISDOM_TRANSPORT": "0", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


SNAPSHOT = """
import importlib, inspect, json, pkgutil, sys
import tornado.httpserver, tornado.iostream, tornado.template, tornado.web, tornado.websocket
import visdom, visdom.server, visdom.utils

for package in (visdom.server, visdom.utils):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)

def snapshot():
    held = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] not in ("visdom", "tornado") or module_name == "visdom.server.__main__":
            continue
        for name, value in list(vars(module).items()):
            held[f"{module_name}.{name}"] = value
            if inspect.isclass(value) and value.__module__ == module_name:
                for attribute, inner in list(vars(value).items()):
                    held[f"{module_name}.{name}.{attribute}"] = inner
            elif isinstance(value, dict) and not name.startswith("__"):
                for key, inner in list(value.items()):
                    held[f"{module_name}.{name}[{key}]"] = inner
    return held

def changed(before, after):
    missing = object()
    # What was inside a replaced class is not compared: the class is replaced as a whole.
    names = [name for name in before.keys() | after.keys() if before.get(name, missing) is not after.get(name, missing)]
    return sorted(name for name in names if not any(name.startswith(other + ".") for other in names))
"""


def test_nothing_is_replaced_that_the_table_does_not_list_and_everything_it_lists_is() -> None:
    result = python(
        SNAPSHOT
        + """
from visdom_transport.visdom import seams
seams.recognise()
before = snapshot()
seams.apply()
changes = changed(before, snapshot())
seams.withdraw()
print(json.dumps({"visdom": seams.recognised(), "changes": changes, "held": sorted(before),
                  "left": changed(before, snapshot())}))
"""
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    rows = [seam for seam in seams.TABLE if seen["visdom"] in seam.only]
    holders = {f"{module}.{seam.name.rpartition('.')[2]}" for seam in rows for module in seam.also}
    assert set(seen["changes"]) == {str(seam) for seam in rows} | (holders & set(seen["held"]))
    assert seen["left"] == [], "withdraw() puts everything back"


def test_no_module_keeps_an_original_under_a_name_the_table_forgot() -> None:
    result = python(
        SNAPSHOT
        + """
from visdom_transport.visdom import seams
seams.apply()
# What a class only inherited stays with the class it came from.
own = [r for r in seams._active.values() if callable(r.original) and any(held for _, held in r.places)]
originals = {id(r.original): str(r.seam) for r in own}
print(json.dumps({name: originals[id(value)] for name, value in snapshot().items() if id(value) in originals}))
"""
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {}


def test_the_hook_applies_the_table_before_the_server_takes_its_names() -> None:
    result = python(
        """
        from visdom_transport import hook
        hook.install()
        import visdom.server.run_server as run_server
        from visdom_transport.visdom import seams
        assert seams.problem() is None, seams.problem()
        assert seams.recognised() in seams.KNOWN
        assert run_server.download_scripts is seams._active["visdom.server.build.download_scripts"].new
        """,
        VISDOM_TRANSPORT="1",
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_a_visdom_client_does_not_load_the_server_side() -> None:
    result = python(
        """
        import sys
        from visdom_transport import hook
        hook.install()
        import visdom
        assert "visdom_transport.visdom" not in sys.modules
        """,
        VISDOM_TRANSPORT="1",
    )
    assert result.returncode == 0, result.stderr


HANDLERS = "import visdom.server.handlers.web_handlers, visdom.server.handlers.socket_handlers"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("import visdom.server.build as m; del m.download_scripts", "visdom.server.build.download_scripts"),
        (HANDLERS + "; import visdom.utils.server_utils as m; del m.broadcast", "visdom.utils.server_utils.broadcast"),
        (
            HANDLERS + "; import visdom.utils.server_utils as m; [vars(m).pop(n, 0) for n in ('hash_md_window', 'notify')]",
            "has neither the parts of 0.2.4 nor those of m23 nor those of 0.3.0",
        ),
        ("import os; os.environ['VISDOM_TRANSPORT_GRACE_S'] = 'x'", "VISDOM_TRANSPORT_GRACE_S"),
    ],
)
def test_a_visdom_that_is_not_as_expected_is_left_untouched_with_one_warning(change: str, said: str) -> None:
    result = python(
        change
        + """
from visdom_transport import hook
hook.install()
import visdom.server.app as app, visdom.server.handlers.socket_handlers as handlers
from visdom_transport.visdom import seams
assert seams.active() == []
assert "autoreload" not in app.tornado_settings
assert app.SocketHandler.__module__ == handlers.SocketHandler.__module__ == "visdom.server.handlers.socket_handlers"
assert seams.problem() is not None
""",
        VISDOM_TRANSPORT="1",
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    for part in ("visdom-transport stays off", said, "VISDOM_TRANSPORT=0"):
        assert part in result.stderr
