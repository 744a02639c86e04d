"""Runs the installed Visdom's Application on a free port of 127.0.0.1: stock with VISDOM_TRANSPORT=0, ours without.

Ours runs on uvloop where that is installed, as `python -m visdom.server` does then.

The Application is made directly, because `start_server` would first fetch browser files. Prints one line of JSON when it listens.

Stock Visdom serves no page with a current tornado, nor without a CDN. So that pages can be measured, its static files are also
looked for in `--page-files`, and the one address that tornado refuses is made by hand; nothing else of it is changed.
"""

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from census import CensusHandler
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler, StaticFileHandler
from visdom.server import app as visdom_app
from visdom.server.app import Application


class CountHandler(RequestHandler):
    """How many browsers Visdom believes to be connected."""

    def get(self) -> None:
        app: Any = self.application
        self.write(str(len(app.subs)))


class PageFiles(StaticFileHandler):
    """Visdom's static files, and those in `--page-files`."""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        found = Path(root) / path
        return str(found if found.exists() else options.page_files / path)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        return absolute_path if Path(absolute_path).is_file() else super().validate_absolute_path(root, absolute_path)

    @classmethod
    def make_static_url(cls, settings: dict[str, Any], path: str, include_version: bool = True) -> str:
        return str(settings["static_url_prefix"]) + path


arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("env_path")
arguments.add_argument("--port", type=int, default=0)
arguments.add_argument("--page-files", type=Path)
options = arguments.parse_args()
if options.page_files is not None:
    visdom_app.tornado_settings["static_handler_class"] = PageFiles
if "visdom_transport.visdom.seams" in sys.modules:
    import_module("visdom_transport.links.event_loop").choose()
sockets = bind_sockets(options.port, "127.0.0.1")
port = sockets[0].getsockname()[1]
app = Application(port=port, env_path=options.env_path)
app.add_handlers(".*", [("/bench/count", CountHandler), ("/bench/census", CensusHandler)])
HTTPServer(app, max_buffer_size=1024**3).add_sockets(sockets)
print(json.dumps({"port": port, "kind": "ours" if hasattr(app, "transport") else "stock"}), flush=True)
IOLoop.current().start()
