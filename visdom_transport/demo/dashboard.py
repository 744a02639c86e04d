"""What the demo shows, drawn with Visdom's own client and nothing else."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import requests
from visdom import Visdom

from visdom_transport.demo.samples import picture
from visdom_transport.demo.training import CLASSES, MAX_STEPS, Array, Embedding, Run

LOSS, ACCURACY, CONFUSION, EMBEDDING = "loss", "accuracy", "confusion", "embedding"
SAMPLES, STATE, LOG = "samples", "state", "log"

LOG_LINES = 12
FORMER_RUNS = 4

BLUE, ORANGE, GREY = "#1f77b4", "#ff7f0e", "#bbbbbb"
# One well-known colour per digit: Plotly's own, in its order.
DIGIT_COLORS = (BLUE, ORANGE, "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


class Dashboard:
    """The windows of one environment of a Visdom server."""

    def __init__(self, server: str, env: str, refresh_steps: int = 1) -> None:
        """`server` is a URL, with the base URL if there is one. Large windows are drawn every `refresh_steps` steps."""
        self._address = urlsplit(server)
        self._env = env
        self._refresh_steps = refresh_steps
        self._vis: Any = None
        self._redraw = True
        self._run: Run | None = None
        self._former: deque[Run] = deque(maxlen=FORMER_RUNS)
        self._embedding = Embedding()
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"{self._address.geturl().rstrip('/')}/env/{quote(self._env)}"

    def connect(self) -> None:
        """Make the environment. Raises ConnectionError while the server does not answer."""
        # It tells about its sessions, and warns that events from the browser are not asked for.
        logging.getLogger("visdom").setLevel(logging.ERROR)
        self._vis = self._vis or Visdom(
            server=f"{self._address.scheme}://{self._address.hostname}",
            port=self._address.port or (443 if self._address.scheme == "https" else 80),
            base_url=self._address.path.rstrip("/") or "/",
            env=self._env,
            use_incoming_socket=False,
            raise_exceptions=True,
        )

    def show(self, run: Run) -> None:
        """Show where a run has come to.

        Raises:
            ConnectionError: the server does not answer. The next call draws every window again, whatever has become of them.
        """
        if run is not self._run:
            self._begin(run)
        redraw, self._redraw = self._redraw, True
        try:
            # The client prints a line when it cannot ask; who calls us has something better to say.
            with contextlib.redirect_stdout(None):
                self.connect()
                self._draw(run, redraw or run.steps == 1)
        except requests.RequestException as error:
            raise ConnectionError(str(error)) from error
        self._redraw = False

    def save(self) -> None:
        """Let the server write the environment to its disk. Raises ConnectionError."""
        self._vis.save([self._env])

    def _begin(self, run: Run) -> None:
        if self._run is not None:
            self._former.appendleft(self._run)
            self._log_lines.append(_stamped(f"run {self._run.number} ended at {self._run.best:.1%}"))
        self._run = run
        self._log_lines.append(_stamped(f"run {run.number} begins"))

    def _draw(self, run: Run, redraw: bool) -> None:
        # In the order in which a page lays them out: two rows of four and three.
        answer = self._vis.text(_state(run, self._former), win=STATE, opts={"title": "This run"})
        if answer != STATE:
            raise ConnectionError(f"it answers {answer[:60]!r}; does it ask for a login?")
        self._draw_lines(LOSS, run.losses, redraw, {"title": "Loss"}, {"rangemode": "tozero"})
        self._draw_lines(ACCURACY, self._with_former(run), redraw, {"title": "Accuracy"}, {"range": [0, 1.02]})
        if redraw or run.steps % self._refresh_steps == 0:
            predictions = run.predictions()
            self._draw_samples(run, predictions)
            self._draw_confusion(run.confusion(), redraw)
            self._draw_embedding(self._embedding.of(run), predictions)
        self._draw_log(run, redraw)

    def _with_former(self, run: Run) -> list[tuple[float, ...]]:
        """The accuracies, with those of the run before as it was at the same steps (it stays where it ended)."""
        if not self._former:
            return list(run.accuracies)
        former = [test for _, test in self._former[0].accuracies]
        return [(*row, former[min(step, len(former) - 1)]) for step, row in enumerate(run.accuracies)]

    def _draw_lines(
        self, win: str, rows: Sequence[tuple[float, ...]], redraw: bool, opts: dict[str, Any], yaxis: dict[str, Any]
    ) -> None:
        steps = np.arange(1, len(rows) + 1)
        values = np.round(np.array(rows), 4)
        if not redraw and self._is_whole(win):
            self._vis.line(values[-1:], steps[-1:], win=win, update="append")
            return
        opts |= {
            "legend": ["training", "held out", "run before"][: values.shape[1]],
            "linecolor": np.array([_rgb(color) for color in (BLUE, ORANGE, GREY)][: values.shape[1]]),
            "max_points": MAX_STEPS,
            **_layout(xaxis={"title": "step"}, yaxis=yaxis, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}),
        }
        self._vis.line(values, steps, win=win, opts=opts)

    def _is_whole(self, win: str) -> bool:
        """Whether a window of lines has its beginning. When somebody closes it, an append brings back its last point only.

        It may be closed between this answer and the append: then the next step finds it out, and draws all of it.
        """
        try:
            window = json.loads(self._vis.get_window_data(win) or "null")
        except ValueError:
            return False  # Visdom says in a sentence that there is no such window
        return bool(window) and window["content"]["data"][0]["x"][:1] == [1]

    def _draw_samples(self, run: Run, predictions: Array) -> None:
        # The client would make the window as small as the picture.
        opts = {"title": "Held-out digits and guesses", "width": None, "height": None}
        self._vis.image(picture(run.digits, predictions, seed=run.number), win=SAMPLES, opts=opts)

    def _draw_confusion(self, counts: Array, redraw: bool) -> None:
        names = [str(digit) for digit in CLASSES]
        axis = {"type": "category", "constrain": "domain"}
        self._vis.heatmap(
            counts,
            win=CONFUSION,
            update="replace" if not redraw and self._vis.win_exists(CONFUSION) else None,
            opts={
                "title": "Confusion",
                "columnnames": names,
                "rownames": names,
                "xmin": 0,
                "xmax": int(counts.sum(axis=1).max()),
                **_layout(xaxis={**axis, "title": "guessed"}, yaxis={**axis, "title": "digit", "autorange": "reversed"}),
            },
        )

    def _draw_embedding(self, points: Array, predictions: Array) -> None:
        names = [str(digit) for digit in CLASSES]
        bare = {"showticklabels": False, "zeroline": False}
        self._vis.scatter(
            np.round(points, 3),
            predictions + 1,
            win=EMBEDDING,
            opts={
                "title": "Hidden layer, coloured by guess",
                "legend": names,
                "traceopts": {
                    "plotly": {
                        name: {"marker": {"color": color, "size": 6, "opacity": 0.8}}
                        for name, color in zip(names, DIGIT_COLORS, strict=True)
                    }
                },
                **_layout(xaxis=bare, yaxis=bare),
            },
        )

    def _draw_log(self, run: Run, redraw: bool) -> None:
        if int(run.epoch) > int(run.epoch * (run.steps - 1) / run.steps):
            loss, accuracy = run.losses[-1][1], run.accuracies[-1][1]
            line = _stamped(f"epoch {int(run.epoch)}: loss {loss:.3f}, {accuracy:.1%}")
            self._log_lines.append(line)
            # An append to a window that is gone is answered with a text instead of its name.
            if not redraw and self._vis.text(line, win=LOG, append=True) == LOG:
                return
            redraw = True
        if redraw:
            self._vis.text("<br>".join(self._log_lines), win=LOG, opts={"title": "Log", "max_lines": LOG_LINES})


def _layout(**plotly: Any) -> dict[str, Any]:
    # The window's bar has the title; a second one in the plot would take its room.
    return {
        "marginleft": 45,
        "marginright": 15,
        "margintop": 30,
        "marginbottom": 40,
        "layoutopts": {"plotly": {"title": "", **plotly}},
    }


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _stamped(text: str) -> str:
    return f"{time.strftime('%H:%M:%S')} {text}"


def _state(run: Run, former: Sequence[Run]) -> str:
    plan = run.plan
    rows = [
        ("run", str(run.number)),
        ("hidden units", str(plan.hidden)),
        ("learning rate", str(plan.learning_rate)),
        ("batch", str(plan.batch)),
        ("step", f"{run.steps} (epoch {run.epoch:.1f})"),
        ("accuracy", f"<b>{run.accuracies[-1][1]:.1%}</b>, best {run.best:.1%}"),
        *((f"run {past.number}", f"{past.best:.1%}, {past.plan.hidden} units") for past in former),
    ]
    cells = "".join(f'<tr><td style="padding-right: 1em">{name}</td><td>{value}</td></tr>' for name, value in rows)
    return f'<table style="margin: 6px; white-space: nowrap">{cells}</table>'
