"""What all tests share: fixtures, options, the order of the tests, and a loud note about what did not run."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.fixtures import records, serve, server
from tests.support.shares import is_elsewhere

__all__ = ["records", "serve", "server"]

HERE = Path(__file__).parent

# Processes that tests spawn import from `tests` too. It comes last, so that it is the installed package that is tested.
sys.path.append(str(HERE.parent))

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stock",
        action="store_true",
        help="run the servers of the browser tests without the transport: shows which of them stock Visdom fails",
    )
    parser.addoption(
        "--source-tree",
        type=Path,
        help="run the servers of the browser tests from this patched source tree of Visdom, without our hook",
    )
    parser.addoption(
        "--share",
        action="store_true",
        help="leave out what another environment of tox.ini runs in the same run: see tests/support/shares.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than 20 s; leave out with -m 'not slow'")
    config.addinivalue_line("markers", "long: takes minutes, and runs only when asked for: -m long")
    config.addinivalue_line("markers", "source_tree: needs a source tree of Visdom")
    # Whoever is started in the background of a shell ignores this signal, and so would the servers that tests stop with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first. What is another environment's is left out."""
    if config.getoption("share"):
        elsewhere = {item for item in items if is_elsewhere(item.path, item.name)}
        config.hook.pytest_deselected(items=list(elsewhere))
        items[:] = [item for item in items if item not in elsewhere]
    items.sort(key=lambda item: HERE / "browser" not in item.path.parents)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.workers import Files

    return Files(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = {"browser": "BROWSER TESTS", "source_tree": "TESTS WITH A SOURCE TREE", "programs": "PROGRAMS OF OTHERS"}
    for keyword, name in names.items():
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if keyword in getattr(report, "keywords", ())]
        if skipped:
            reason = skipped[0].longrepr[2] if isinstance(skipped[0].longrepr, tuple) else skipped[0].longrepr
            terminalreporter.section(f"{name} DID NOT RUN", red=True, bold=True)
            terminalreporter.line(f"{len(skipped)} tests: {reason}")
