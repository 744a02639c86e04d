"""A training that reports through torchnet's loggers, as its MNIST example does: one client for each of them.

Its scatter plots are left out: they append what neither of the tested Visdoms takes ("X should have two dims").
"""

import numpy as np
from pace import Run
from torchnet.logger import MeterLogger, VisdomLogger, VisdomPlotLogger, VisdomSaver, VisdomTextLogger

CLASSES = 3


def confusion(step: int) -> np.ndarray:
    return np.eye(CLASSES) + step / 100


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    """What a classifier says, and what is right."""
    scores = np.eye(CLASSES)[[0, 1, 2, step % CLASSES]]
    return scores, np.array([0, 1, 2, 1])


def main() -> None:
    with Run() as run:
        to = {"env": run.env, "port": run.port, "server": "127.0.0.1"}
        loss = VisdomPlotLogger("line", opts={"title": "Loss"}, **to)
        matrix = VisdomLogger("heatmap", opts={"title": "Confusion", "rownames": list("abc")}, **to)
        image = VisdomLogger("image", opts={"title": "Sample"}, **to)
        notes = VisdomTextLogger(update_type="APPEND", opts={"title": "Notes"}, **to)
        meters = MeterLogger(title="Net", nclass=CLASSES, **to)
        saver = VisdomSaver(envs=[run.env], port=run.port, server="127.0.0.1")
        for step in run.steps():
            for name, value in (("train", 1 / (step + 1)), ("test", 2 / (step + 1))):
                loss.log(step, value, name=name)
                run.point("Loss", name, value)
            matrix.log(confusion(step))
            notes.log(f"epoch {step}")
            meters.update_meter(*batch(step), meters={"accuracy", "confusion"})
            meters.update_loss(np.array([step / 2]))
            meters.reset_meter(step, mode="Train")
            run.point("Net loss", "Train", step / 2)
            if step % 10 == 0:
                image.log(np.full((3, 8, 8), step, dtype=np.uint8))
                saver.save()


main()
