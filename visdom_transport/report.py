"""What `python -m visdom_transport` prints: a verdict in one line, every problem, and the details if they are asked for."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

import visdom_transport
from visdom_transport import hook
from visdom_transport.settings import Settings
from visdom_transport.settings import problems as settings_problems


def report(*, verbose: bool) -> int:
    """Print the state of everything. Returns 1 if there is a problem."""
    details = [f"{name} {_version(name)}" for name in ("visdom", "tornado")]
    details.append(f"python {platform.python_version()} ({sys.executable})")
    problems = settings_problems()
    if not problems and hook.enabled():
        problems += _look_at_seams(details)
        problems += _look_at_browser_files(details)
    print(f"visdom-transport {visdom_transport.__version__}: {_verdict(problems)}")
    for problem in problems:
        print(f"problem: {problem}")
    if verbose:
        print("\n".join(details))
    elif hook.enabled():
        print("details: python -m visdom_transport --verbose")
    return 1 if problems else 0


def _verdict(problems: list[str]) -> str:
    if problems:
        return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    if not hook.enabled():
        return f"off, {hook.SWITCH} is set so in the environment; nothing is replaced in Visdom"
    return f"all is well, servers and clients of Visdom {_version('visdom')} use it"


def _look_at_seams(details: list[str]) -> list[str]:
    problems = []
    if hook.installed() is None:
        problems.append(
            "no hook: visdom_transport.pth is not in a site directory of this Python, so `python -m visdom.server` runs plain "
            "Visdom; `python -m visdom_transport serve` takes the same options and runs it with the transport"
        )
    from visdom_transport.client.seams import PATCHES as CLIENT
    from visdom_transport.visdom.seams import PATCHES as SERVER

    for patches, whose in ((SERVER, "server"), (CLIENT, "client")):
        try:
            patches.apply()
        except Exception:
            problems.append(f"nothing is replaced in Visdom's {whose}: {patches.problem}")
        else:
            details.append(f"recognised the {whose} of Visdom {patches.visdom}; replaced in its processes:")
            details.extend(f"  {seam}: {seam.why}" for seam in patches.active)
    return problems


def _look_at_browser_files(details: list[str]) -> list[str]:
    from visdom_transport.visdom.page import browser_files
    from visdom_transport.visdom.seams import PATCHES

    visdom = PATCHES.visdom
    if visdom is None:
        return []
    folder = browser_files.static_dir(visdom, Settings.from_env())
    missing = browser_files.missing(visdom, [folder, browser_files.installed_static_dir()])
    details.append(f"browser files: {folder} ({'incomplete' if missing else 'complete'})")
    return [f"missing: {path} (python -m visdom_transport fetch)" for path in missing]


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"
