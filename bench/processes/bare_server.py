"""The least a tornado server can do: parse JSON that is posted, and write one message to every WebSocket.

`POST /update` parses and answers. `POST /events` also writes the window to all clients, encoded once. Prints one line of JSON
when it listens.
"""

import json

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

clients: set[WebSocketHandler] = set()


class UpdateHandler(RequestHandler):
    def post(self) -> None:
        self.write(json.loads(self.request.body)["win"])


class EventsHandler(RequestHandler):
    def post(self) -> None:
        args = json.loads(self.request.body)
        message = json.dumps({"command": "window", "id": args["win"], "content": args["data"]})
        for client in clients:
            client.write_message(message)
        self.write(args["win"])


class SocketHandler(WebSocketHandler):
    def open(self) -> None:
        self.set_nodelay(True)
        clients.add(self)
        self.write_message('{"command":"register"}')

    def on_message(self, message: str | bytes) -> None:
        pass

    def on_close(self) -> None:
        clients.discard(self)


sockets = bind_sockets(0, "127.0.0.1")
app = Application([("/update", UpdateHandler), ("/events", EventsHandler), ("/socket", SocketHandler)])
HTTPServer(app, max_buffer_size=1024**3).add_sockets(sockets)
print(json.dumps({"port": sockets[0].getsockname()[1], "kind": "bare"}), flush=True)
IOLoop.current().start()
