"""A program whose threads, processes or tasks all begin the same windows at the same moment, with `update="append"`.

    python at_once.py METHOD CLIENT PORT WORKERS COUNT

METHOD is thread, fork, spawn or task, CLIENT is plain (`visdom.Visdom`) or Publisher. Each worker appends COUNT points to a plot,
and now and then an image to a history, a row to a heatmap and a line to a text, which is there before.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

ENV = "at-once"
TRACES = 2
IMAGES = 5


def connect(kind: str, port: int) -> Any:
    logging.getLogger("visdom").disabled = True
    if kind == "plain":
        from visdom import Visdom as Client
    else:
        from visdom_transport.client import Publisher as Client
    with warnings.catch_warnings(action="ignore"):
        return Client(server="http://127.0.0.1", port=port, env=ENV, use_incoming_socket=False, raise_exceptions=True)


def work(vis: Any, begin: Any, worker: int, count: int) -> None:
    begin.wait()
    every = max(1, count // IMAGES)
    for step in range(count):
        x = np.array([worker * count + step])
        vis.line(X=x, Y=x, win="plot", name=f"t{worker % TRACES}", update="append", opts={"title": "Plot", "xlabel": "step"})
        if step % every == 0:
            said = f"{worker} {step}"
            opts = {"store_history": True, "caption": said, "max_images": 999}
            vis.image(np.zeros((3, 2, 2), np.uint8), win="images", opts=opts)
            vis.heatmap(np.array([[worker, step]]), win="rows", update="appendRow")
            vis.text(said, win="text", append=True, opts={"max_lines": 999})
    if hasattr(vis, "finish"):
        assert vis.finish(60)
    else:
        vis.session.close()


def work_anew(kind: str, port: int, *task: Any) -> None:
    work(connect(kind, port), *task)


async def work_in_tasks(vis: Any, workers: int, count: int) -> None:
    """One client, used by tasks of an event loop."""
    begin = threading.Barrier(workers)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(workers) as threads:
        await asyncio.gather(*(loop.run_in_executor(threads, work, vis, begin, worker, count) for worker in range(workers)))


def main(method: str, kind: str, port: int, workers: int, count: int) -> None:
    if method == "task":
        asyncio.run(work_in_tasks(connect(kind, port), workers, count))
        return
    if method == "thread":
        begin: Any = threading.Barrier(workers)
        each: list[Any] = [threading.Thread(target=work_anew, args=(kind, port, begin, n, count)) for n in range(workers)]
    else:
        context: Any = multiprocessing.get_context(method)
        begin = context.Barrier(workers)
        if method == "fork":
            # All go on with a copy of the parent's client.
            vis = connect(kind, port)
            vis.session.close()
            each = [context.Process(target=work, args=(vis, begin, n, count)) for n in range(workers)]
        else:
            each = [context.Process(target=work_anew, args=(kind, port, begin, n, count)) for n in range(workers)]
    for worker in each:
        worker.start()
    for worker in each:
        worker.join()
    if method in ("fork", "spawn"):
        assert [worker.exitcode for worker in each] == [0] * workers


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
