"""`python -m visdom_transport`: what is installed, what is replaced in Visdom, what is wrong."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import visdom_transport
from visdom_transport import hook
from visdom_transport.settings import Settings, SettingsError
from visdom_transport.settings import problems as settings_problems

_DESCRIPTION = """\
Without a command: prints versions, what is replaced in Visdom and why, the browser files, and every problem.
The exit status is 1 if there is a problem."""

_EPILOG = """\
Settings are environment variables, see docs/operations.md. VISDOM_TRANSPORT=0 switches everything off."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status. A reader of the output that has seen enough, like `head`, may go."""
    try:
        try:
            return run(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter would try once more when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run(arguments: Sequence[str] | None) -> int:
    """Run one command."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["serve"]:  # its options are Visdom's
        from visdom_transport.serve import main as serve

        return serve(arguments[1:])
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "demo":
        from visdom_transport.demo import main as demo

        return demo(rest)
    if options.command == "patch":
        from visdom_transport.source_tree import main as patch

        return patch(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return fetch(options.visdom, options.dir) if options.command == "fetch" else status()
    except SettingsError as error:
        print(f"problem: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m visdom_transport",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=visdom_transport.__version__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("status", help="what is printed without a command")
    commands.add_parser(
        "serve",
        add_help=False,
        help="run Visdom's server with the transport; takes the options of `python -m visdom.server`",
    )
    fetch_parser = commands.add_parser(
        "fetch",
        help="fetch the browser files that are missing",
        description="Fetch the libraries Visdom's pages need, from npm or with Visdom's own downloader.",
    )
    fetch_parser.add_argument("--visdom", metavar="VERSION", help="0.2.4, 0.3.0 or m23 (default: the installed one)")
    fetch_parser.add_argument(
        "--dir", type=Path, help="make a complete directory that can be copied (default: complete the user's cache)"
    )
    commands.add_parser(
        "demo",
        add_help=False,
        help="start a server and a live demo; `demo --help` lists its options",
    )
    commands.add_parser(
        "patch",
        add_help=False,
        help="let a Visdom source tree use this package; `patch --help` lists its options",
    )
    return parser


def fetch(visdom: str | None, directory: Path | None) -> int:
    """Fetch the browser files of one Visdom. Returns 1 if some are still missing."""
    from visdom_transport.patching import SeamError
    from visdom_transport.visdom import flavour
    from visdom_transport.visdom.page import browser_files
    from visdom_transport.visdom.page.browser_files.packages import PACKAGES

    try:
        visdom = visdom or flavour.recognise()
    except (ImportError, SeamError) as error:
        print(f"problem: {error}; name the version with --visdom", file=sys.stderr)
        return 1
    if visdom not in PACKAGES:
        print(f"problem: the files of Visdom {visdom} are not known, only of {', '.join(PACKAGES)}", file=sys.stderr)
        return 1
    if directory is not None:
        into, also = directory.resolve() / visdom / "static", []
    else:
        into, also = browser_files.static_dir(visdom), [browser_files.installed_static_dir()]
    missing = browser_files.ensure(visdom, into, also)
    for path in missing:
        print(f"missing: {path}")
    if not missing:
        print(f"the browser files of Visdom {visdom} are complete in {into}")
    return 1 if missing else 0


def status() -> int:
    """Print the state of everything. Returns 1 if there is a problem."""
    print(f"visdom-transport {visdom_transport.__version__}")
    for name in ("visdom", "tornado"):
        print(f"{name} {_version(name)}")
    print(f"python {platform.python_version()} ({sys.executable})")
    problems = settings_problems()
    if not problems:
        problems += _report_seams()
        problems += _report_browser_files(Settings.from_env())
    for problem in problems:
        print(f"problem: {problem}")
    return 1 if problems else 0


def _report_seams() -> list[str]:
    if not hook.enabled():
        print("off: VISDOM_TRANSPORT is set so in the environment; nothing is replaced in Visdom")
        return []
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
            print(f"recognised the {whose} of Visdom {patches.visdom}; replaced in its processes:")
            for seam in patches.active:
                print(f"  {seam}: {seam.why}")
    return problems


def _report_browser_files(settings: Settings) -> list[str]:
    from visdom_transport.visdom.page import browser_files
    from visdom_transport.visdom.seams import PATCHES

    visdom = PATCHES.visdom
    if visdom is None:
        return []
    folder = browser_files.static_dir(visdom, settings)
    missing = browser_files.missing(visdom, [folder, browser_files.installed_static_dir()])
    print(f"browser files: {folder} ({'incomplete' if missing else 'complete'})")
    return [f"missing: {path} (python -m visdom_transport fetch)" for path in missing]


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"


if __name__ == "__main__":
    sys.exit(main())
