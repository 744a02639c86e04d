"""`python -m visdom_transport serve`: Visdom's server with the transport, where Python reads no `.pth` file.

That is so in a folder of `pip install --target`, in a zip app and in a frozen program. Elsewhere it does what
`python -m visdom.server` does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from visdom_transport import hook


def main(arguments: Sequence[str]) -> int:
    """Run the server with Visdom's own options. Unlike the hook it does not fall back to plain Visdom."""
    if not hook.enabled():
        return _fail(f"{hook.SWITCH} in the environment switches the transport off; unset it, or run `python -m visdom.server`")
    hook.install()
    try:
        import_module("visdom.server.app")
        # Where the hook was in time this finds everything in place.
        import_module("visdom_transport.visdom.seams").apply()
        run_server = import_module("visdom.server.run_server")
    except Exception as error:
        return _fail(f"the transport cannot be added to this Visdom: {error}")
    sys.argv = ["python -m visdom_transport serve", *arguments]
    run_server.download_scripts_and_run()
    return 0


def _fail(why: str) -> int:
    print(f"visdom-transport: {why}", file=sys.stderr)
    return 1
