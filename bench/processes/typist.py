"""A Python client with a text pane that shows what is typed into it, as in Visdom's demo.

Usage: typist.py PORT LINK, with LINK "websocket" or "polling". Its handler appends each key to the content that the event brings
and writes that back. Prints one line when it listens. Reads one command per line (JSON) and answers each with one line:

    {"clear": null}       empties the pane
    {"taken": null}       each key since then: its number, when the handler was called and when it returned, by time.monotonic()
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

from visdom import Visdom

PORT, LINK = int(sys.argv[1]), sys.argv[2]
WIN = "typed"
TIMEOUT_S = 15.0

logging.disable(logging.CRITICAL)
taken: list[tuple[int, float, float]] = []


def on_event(event: dict[str, Any]) -> None:
    called = time.monotonic()
    if event["event_type"] == "KeyPress":
        vis.text(f"{event['pane_data']['content']}{event['key']}", win=WIN, opts={"title": "Typed"})
        taken.append((event["number"], called, time.monotonic()))


vis: Any = Visdom("http://127.0.0.1", port=PORT, use_incoming_socket=LINK == "websocket", use_polling=LINK == "polling")
deadline = time.monotonic() + TIMEOUT_S
while not vis.socket_alive:
    if time.monotonic() > deadline:
        sys.exit("no events")
    time.sleep(0.05)
vis.register_event_handler(on_event, WIN)
print("ready", flush=True)
for line in sys.stdin:
    command = json.loads(line)
    if "clear" in command:
        taken.clear()
        vis.text("", win=WIN, opts={"title": "Typed"})
    print(json.dumps(taken), flush=True)
