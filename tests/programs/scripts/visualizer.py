"""A training with a visualizer class of its own, as the image translation projects of many people have it.

Windows are numbers: `display_id` has the losses, what follows are images and tables. The plot is drawn anew each time.
"""

import numpy as np
import visdom
from pace import Run

STYLE = "<style>td {padding: 4px; border: 1px solid black}</style>"


class Visualizer:
    def __init__(self, port: int, env: str, display_id: int = 1, columns: int = 2) -> None:
        self.vis = visdom.Visdom(server="http://127.0.0.1", port=port, env=env, raise_exceptions=True)
        if not self.vis.check_connection():
            raise SystemExit("there is no Visdom server")
        self.display_id = display_id
        self.columns = columns
        self.losses: dict[str, list[float]] = {}
        self.epochs: list[float] = []

    def reset(self) -> None:
        """A new run in the environment of an old one."""
        self.vis.close(win=None)

    def images(self, visuals: dict[str, np.ndarray]) -> None:
        """All in one grid, with a table of their labels below; and each in a window of its own."""
        grid = np.stack(list(visuals.values()))
        self.vis.images(grid, nrow=self.columns, win=self.display_id + 1, padding=2, opts={"title": "images"})
        cells = "".join(f"<td>{label}</td>" for label in visuals)
        self.vis.text(f"{STYLE}<table><tr>{cells}</tr></table>", win=self.display_id + 2, opts={"title": "labels"})
        for place, (label, image) in enumerate(visuals.items(), self.display_id + 10):
            self.vis.image(image, win=place, opts={"title": label})

    def keep(self, image: np.ndarray, caption: str) -> None:
        """One more image of the history."""
        self.vis.image(image, win="history", opts={"title": "history", "store_history": True, "caption": caption})

    def plot(self, epoch: float, losses: dict[str, float]) -> None:
        """All of the losses so far, each a line."""
        self.epochs.append(epoch)
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value)
        legend = list(self.losses)
        self.vis.line(
            X=np.stack([np.array(self.epochs)] * len(legend), axis=1),
            Y=np.stack([np.array(self.losses[name]) for name in legend], axis=1),
            opts={"title": "loss over time", "legend": legend, "xlabel": "epoch", "ylabel": "loss"},
            win=self.display_id,
        )

    def append(self, epoch: float, value: float) -> None:
        """One more point of a metric, to a window that may not be there yet."""
        self.vis.line(
            X=[epoch],
            Y=[value],
            win=self.display_id + 20,
            name="FID",
            update="append",
            opts={"title": "metrics", "showlegend": True},
        )


def main() -> None:
    with Run() as run:
        visualizer = Visualizer(run.port, run.env)
        for step in run.steps():
            if step == 0:
                visualizer.images({"old": np.zeros((3, 4, 4), np.uint8)})
                visualizer.reset()
            losses = {"G_A": 1 / (step + 1), "D_A": step / 60, "cycle_A": 2 / (step + 1)}
            visualizer.plot(step / 10, losses)
            visualizer.append(step / 10, 100 - step)
            run.point("metrics", "FID", 100 - step)
            for name, value in losses.items():
                run.point("loss over time", name, value)
            if step % 3 == 0:
                visualizer.images({name: np.full((3, 8, 8), step + 9, np.uint8) for name in ("real_A", "fake_B", "rec_A")})
                visualizer.keep(np.full((3, 4, 4), step, np.uint8), f"epoch {step}")
            visualizer.vis.text(f"<b>epoch {step}</b>", win="log", append=step > 0, opts={"title": "log"})


main()
