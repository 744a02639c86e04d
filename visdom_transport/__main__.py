"""`python -m visdom_transport`: what is installed, what is replaced in Visdom, what is wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import visdom_transport
from visdom_transport.report import report
from visdom_transport.settings import SettingsError

_DESCRIPTION = """\
Without a command: prints a verdict in one line, then every problem.
The exit status is 1 if there is a problem."""

_EPILOG = """\
Settings are environment variables, see docs/operations.md. VISDOM_TRANSPORT=0 switches everything off."""


_WITH_THEIR_OWN_HELP = {
    "relay": "serve viewers of another server, from copies of what they watch",
    "check": "ask a server or a relay whether it serves viewers",
    "send": "send what publishers left on disk",
    "demo": "start a server and a live demo",
    "patch": "let a Visdom source tree use this package",
}


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
    if arguments[:1] == ["serve"] and any(each.partition("=")[0] == "--relays" for each in arguments):
        return relay(arguments[1:], together=True)
    if arguments[:1] == ["serve"]:  # its options are Visdom's
        from visdom_transport.serve import main as serve

        return serve(arguments[1:])
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "demo":
        from visdom_transport.demo import main as demo

        return demo(rest)
    if options.command == "relay":
        return relay(rest)
    if options.command == "check":
        from visdom_transport.relay.check import main as check

        return check(rest)
    if options.command == "patch":
        from visdom_transport.source_tree import main as patch

        return patch(rest)
    if options.command == "send":
        from visdom_transport.client.disk.command import main as send

        return send(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        if options.command == "fetch":
            return fetch(options.visdom, options.dir)
        return report(verbose=options.verbose)
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
    verbose_help = "print versions, what is replaced in Visdom and why, and where the browser files are"
    parser.add_argument("-v", "--verbose", action="store_true", help=verbose_help)
    status_parser = commands.add_parser("status", help="what is printed without a command")
    # Otherwise its default would take back what was said before the command.
    status_parser.add_argument("-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help=verbose_help)
    commands.add_parser(
        "serve",
        add_help=False,
        help="run Visdom's server with the transport; takes the options of `python -m visdom.server`, and --relays N: so many "
        "relays with it",
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
    for name, purpose in _WITH_THEIR_OWN_HELP.items():
        commands.add_parser(name, add_help=False, help=f"{purpose}; `{name} --help` lists its options")
    return parser


def relay(arguments: Sequence[str], *, together: bool = False) -> int:
    """Run a relay, or some of them with their server. Returns 1 if that cannot be."""
    from visdom_transport.relay.command import main as run_relay
    from visdom_transport.relay.together import main as run_together

    try:
        return (run_together if together else run_relay)(arguments)
    except SettingsError as error:
        print(f"problem: {error}", file=sys.stderr)
        return 1


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


if __name__ == "__main__":
    sys.exit(main())
