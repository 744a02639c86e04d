"""The seam table on the installed Visdom, in interpreters of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from visdom_transport.visdom import seams

ROOT = Path(__file__).resolve().parent.parent.parent


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
from visdom_transport.visdom import flavour, seams
flavour.recognise()
before = snapshot()
seams.apply()
changes = changed(before, snapshot())
seams.PATCHES.withdraw()
print(json.dumps({"visdom": seams.PATCHES.visdom, "changes": changes, "held": sorted(before),
                  "left": changed(before, snapshot())}))
"""
    )
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    rows = [seam for seam in seams.TABLE if seam.belongs_to(seen["visdom"])]
    holders = {f"{module}.{seam.name.rpartition('.')[2]}" for seam in rows for module in seam.aliases}
    assert set(seen["changes"]) == {str(seam) for seam in rows} | (holders & set(seen["held"]))
    assert seen["left"] == [], "withdraw() puts everything back"


def test_no_module_keeps_an_original_under_a_name_the_table_forgot() -> None:
    result = python(
        SNAPSHOT
        + """
from visdom_transport.visdom import seams
seams.apply()
# What a class only inherited stays with the class it came from.
own = [r for r in seams.PATCHES.replacements.values() if callable(r.original) and any(held for _, held in r.locations)]
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
        from visdom_transport.visdom import flavour, seams
        assert seams.PATCHES.problem is None, seams.PATCHES.problem
        assert seams.PATCHES.visdom in flavour.KNOWN
        assert run_server.download_scripts is seams.PATCHES.replacements["visdom.server.build.download_scripts"].new
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
assert seams.PATCHES.active == []
assert "autoreload" not in app.tornado_settings
assert app.SocketHandler.__module__ == handlers.SocketHandler.__module__ == "visdom.server.handlers.socket_handlers"
assert seams.PATCHES.problem is not None
""",
        VISDOM_TRANSPORT="1",
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    for part in ("visdom-transport stays off", said, "VISDOM_TRANSPORT=0"):
        assert part in result.stderr
