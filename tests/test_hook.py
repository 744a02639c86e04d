"""The import hook, each time in an interpreter of its own: what it changes is process-wide."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

GUEST = "guest_module"
CALLBACK = "callbacks:imported"


class Interpreter:
    """Runs code in a fresh interpreter whose path has the project, `guest_module` and `callbacks`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "guest_module.py").write_text("import threading\nvalue = 1\nlock = threading.Lock()\n")
        (folder / "callbacks.py").write_text(
            "import sys\n"
            "calls = []\n"
            "def imported():\n"
            "    calls.append(sys.modules['guest_module'].value)\n"
            "def failing():\n"
            "    raise LookupError('no such seam')\n"
        )

    def run(self, code: str, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("VISDOM_TRANSPORT")},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder)]),
            **environ,
        }
        return subprocess.run(
            [sys.executable, *options, "-c", textwrap.dedent(code)],
            env=environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def check(self, code: str, *options: str, **environ: str) -> str:
        result = self.run(code, "-W", "error", *options, **environ)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr


@pytest.fixture
def python(tmp_path: Path) -> Interpreter:
    return Interpreter(tmp_path)


def test_the_callback_runs_once_after_the_module_was_executed(python: Interpreter) -> None:
    python.check("""
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported"})
        import callbacks
        assert callbacks.calls == []
        import guest_module
        import guest_module
        assert callbacks.calls == [1]
    """)


def test_a_module_imported_already_is_handled_at_once(python: Interpreter) -> None:
    python.check("""
        import callbacks, guest_module
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported"})
        assert callbacks.calls == [1]
    """)


def test_installing_twice_is_installing_once(python: Interpreter) -> None:
    python.check("""
        import sys
        from visdom_transport import hook
        before = len(sys.meta_path)
        for _ in range(3):
            hook.install()
            hook.install({"guest_module": "callbacks:imported"})
        import callbacks, guest_module
        assert callbacks.calls == [1]
        finders = [finder for finder in sys.meta_path if type(finder) is hook.PostImportFinder]
        assert len(finders) == 1, sys.meta_path
        assert hook.installed() is finders[0]
    """)


def test_the_module_keeps_its_own_loader(python: Interpreter) -> None:
    python.check("""
        import importlib.util, inspect
        from importlib.machinery import SourceFileLoader
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported"})
        # The wrapped loader still answers what tools ask before the import ...
        found = importlib.util.find_spec("guest_module")
        assert "value = 1" in found.loader.get_source("guest_module")
        assert not found.loader.is_package("guest_module")
        import guest_module
        # ... and is gone after it.
        assert type(guest_module.__loader__) is SourceFileLoader
        assert guest_module.__spec__.loader is guest_module.__loader__
        assert "value = 1" in inspect.getsource(guest_module)
    """)


def test_a_reload_is_noticed(python: Interpreter) -> None:
    python.check("""
        import importlib, callbacks
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported"})
        import guest_module
        importlib.reload(guest_module)
        assert callbacks.calls == [1, 1]
    """)


def test_a_failing_callback_is_one_warning_and_the_import_succeeds(python: Interpreter) -> None:
    result = python.run(
        """
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:failing"})
        import guest_module
        print(guest_module.value)
        """,
        "-W",
        "error",
    )
    assert (result.returncode, result.stdout) == (0, "1\n"), result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    for part in ("guest_module", "LookupError: no such seam", "VISDOM_TRANSPORT=0"):
        assert part in lines[0]


@pytest.mark.parametrize("callback", ["no_such_module:f", "callbacks:no_such_function", "callbacks"])
def test_a_callback_that_does_not_exist_does_not_break_the_import(python: Interpreter, callback: str) -> None:
    output = python.check(f"""
        from visdom_transport import hook
        hook.install({{"guest_module": {callback!r}}})
        import guest_module
        print("imported", guest_module.value)
    """)
    assert "imported 1" in output
    assert "visdom-transport stays off" in output


def test_a_module_that_fails_to_import_fails_as_without_us(python: Interpreter) -> None:
    (python.folder / "guest_module.py").write_text("raise OSError('its own trouble')\n")
    python.check("""
        import callbacks
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported", "missing_module": "callbacks:imported"})
        for name, kind in (("guest_module", OSError), ("missing_module", ModuleNotFoundError)):
            try:
                __import__(name)
            except kind as error:
                assert "hook.py" not in str(error)
            else:
                raise AssertionError(name)
        assert callbacks.calls == []
    """)


def test_another_post_import_hook_that_asks_every_finder_gets_along(python: Interpreter) -> None:
    python.check("""
        import importlib.util, sys, callbacks
        from visdom_transport import hook

        class Asking:
            busy = False
            def find_spec(self, name, path=None, target=None):
                if name != "guest_module" or self.busy:
                    return None
                self.busy = True
                try:
                    return importlib.util.find_spec(name)
                finally:
                    self.busy = False

        sys.meta_path.insert(0, Asking())
        hook.install({"guest_module": "callbacks:imported"})
        sys.meta_path.insert(0, Asking())
        import guest_module
        assert guest_module.value == 1
        assert callbacks.calls == [1], callbacks.calls
    """)


def test_threads_that_import_together_see_the_module_complete(python: Interpreter) -> None:
    (python.folder / "callbacks.py").write_text(
        "import sys, threading\n"
        "calls = []\n"
        "def imported():\n"
        "    # A callback that needs another thread to import something else must not deadlock.\n"
        "    helper = threading.Thread(target=__import__, args=('colorsys',))\n"
        "    helper.start()\n"
        "    helper.join(20)\n"
        "    assert not helper.is_alive()\n"
        "    sys.modules['guest_module'].patched = True\n"
        "    calls.append(1)\n"
    )
    python.check("""
        import threading
        from visdom_transport import hook
        hook.install({"guest_module": "callbacks:imported"})
        seen = []
        barrier = threading.Barrier(8)

        def load():
            barrier.wait(20)
            import guest_module
            seen.append(guest_module.patched)

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "deadlock"
        import callbacks
        assert seen == [True] * 8, seen
        assert callbacks.calls == [1]
    """)


@pytest.mark.parametrize("value", ["0", "off", "False", " no "])
def test_the_off_switch_installs_nothing(python: Interpreter, value: str) -> None:
    python.check(
        """
        import sys
        from visdom_transport import hook
        before = list(sys.meta_path)
        hook.install({"guest_module": "callbacks:imported"})
        assert sys.meta_path == before
        assert hook.installed() is None
        import callbacks, guest_module
        assert callbacks.calls == []
        """,
        VISDOM_TRANSPORT=value,
    )


def test_installing_imports_nothing_but_ourselves(python: Interpreter) -> None:
    python.check(
        """
        import os, sys  # the module `site` has imported both before it reads a .pth file
        before = set(sys.modules)
        import visdom_transport.hook
        visdom_transport.hook.install()
        assert set(sys.modules) - before <= {"visdom_transport", "visdom_transport.hook"}, set(sys.modules) - before
        """,
        "-S",
    )


def test_an_interpreter_start_pays_for_few_calls(tmp_path: Path) -> None:
    """How long they take is measured by `python -m bench --only startup`: on a busy machine, time says nothing."""
    package = tmp_path / "visdom_transport"
    package.mkdir()
    for name in ("__init__.py", "hook.py"):
        shutil.copy(ROOT / "visdom_transport" / name, package)
    compileall.compile_dir(package, quiet=1)  # as pip does
    line = (ROOT / "visdom_transport.pth").read_text().strip()
    count = "calls = []; sys.setprofile(lambda frame, event, what: calls.append(event))"
    code = f"{count}\n{line}\nsys.setprofile(None); print(sum('call' in each for each in calls))"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("VISDOM", "PYTHON"))}
    # Isolated from other .pth files, but with what `site` imports itself.
    path = f"import os, sys; sys.path.insert(0, {str(tmp_path)!r}); "
    calls = int(subprocess.check_output([sys.executable, "-I", "-S", "-c", path + code], env=environ, timeout=60))
    assert 20 < calls < 1_000, "about 400, of which most are the import of two modules"


def test_the_pth_line_is_one_line_that_installs_the_hook(python: Interpreter) -> None:
    line = (ROOT / "visdom_transport.pth").read_text()
    assert line.count("\n") == 1
    assert line.startswith("import ")
    python.check(f"""
        exec({line!r})
        from visdom_transport import hook
        assert hook.installed().watched == hook.WATCHED
    """)
