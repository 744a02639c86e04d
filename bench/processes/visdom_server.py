"""Runs the installed Visdom's Application on a free port of 127.0.0.1: stock with VISDOM_TRANSPORT=0, ours without.

The Application is made directly, because `start_server` would first fetch browser files, which nothing here needs. Prints one
line of JSON when it listens. Usage: visdom_server.py ENV_PATH
"""

import json
import sys
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler
from visdom.server.app import Application


class CountHandler(RequestHandler):
    """How many browsers Visdom believes to be connected."""

    def get(self) -> None:
        app: Any = self.application
        self.write(str(len(app.subs)))


sockets = bind_sockets(0, "127.0.0.1")
port = sockets[0].getsockname()[1]
app = Application(port=port, env_path=sys.argv[1])
app.add_handlers(".*", [("/bench/count", CountHandler)])
HTTPServer(app, max_buffer_size=1024**3).add_sockets(sockets)
print(json.dumps({"port": port, "kind": "ours" if hasattr(app, "transport") else "stock"}), flush=True)
IOLoop.current().start()
