"""A line in a Bokeh server, drawn on a canvas, that grows by what is posted as to Visdom.

`POST /events` is the line, `POST /update` what is appended to it; the page is where Visdom has its environment `main`. Prints one
line of JSON when it listens.
"""

import json
from functools import partial
from typing import Any

import numpy as np
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.models import ColumnDataSource, CustomJS
from bokeh.plotting import figure
from bokeh.server.server import Server
from tornado.web import RequestHandler

#: Notes of what is drawn are kept as in `support/page.js`: Bokeh paints what has changed with the next frame.
NOTE = """
const now = () => performance.timeOrigin + performance.now();
requestAnimationFrame(() => setTimeout(() => window.bench.drawn.push([now(), source.data.y.at(-1)])));
"""

points: dict[str, list[float]] = {"x": [], "y": []}
shown: list[tuple[Any, ColumnDataSource]] = []


def posted(handler: RequestHandler) -> dict[str, list[float]]:
    trace = json.loads(handler.request.body)["data"][0]
    return {"x": trace["x"], "y": trace["y"]}


class EventsHandler(RequestHandler):
    def post(self) -> None:
        points.update(posted(self))


class UpdateHandler(RequestHandler):
    def post(self) -> None:
        more = posted(self)
        for name, values in more.items():
            points[name] += values
        for document, source in shown:
            document.add_next_tick_callback(partial(source.stream, more))


def show(document: Any) -> None:
    # Arrays are what Bokeh is quickest with.
    source = ColumnDataSource(data={name: np.array(values) for name, values in points.items()})
    plot = figure(width=800, height=500, output_backend="canvas")
    plot.line("x", "y", source=source)
    note = CustomJS(args={"source": source}, code=NOTE)
    source.js_on_change("streaming", note)
    document.js_on_event("document_ready", note)
    document.add_root(plot)
    shown.append((document, source))


server = Server(
    {"/env/main": Application(FunctionHandler(show))},
    port=0,
    extra_patterns=[("/events", EventsHandler), ("/update", UpdateHandler)],
    allow_websocket_origin=["*"],
    http_server_kwargs={"max_buffer_size": 1024**3},
)
server.start()
print(json.dumps({"port": server.port, "kind": "bokeh"}), flush=True)
server.io_loop.start()
