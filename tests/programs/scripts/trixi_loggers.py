"""An experiment with trixi's loggers: each hands its calls to a process of its own, which publishes them.

Left out is what neither of the tested Visdoms takes any more: several values under one name, and `add_to_graph`.
"""

import time

import numpy as np
import torch
from pace import Run
from trixi.logger import NumpyVisdomLogger, PytorchVisdomLogger
from visdom import Visdom


def finish(logger: NumpyVisdomLogger) -> None:
    """At the end of the program trixi terminates the process. Before that its work has to be done."""
    logger.show_text("done", name="end")
    # Not the logger's own client: with 0.2.4 that shares its connection with the process.
    asking = Visdom(server=logger.server, port=logger.port, env=logger.name, use_incoming_socket=False)
    while not asking.win_exists("end"):
        time.sleep(0.05)  # between two looks: whoever waits for the program bounds this


def main() -> None:
    with Run() as run:
        to = {"exp_name": run.env, "server": "http://127.0.0.1", "port": run.port}
        arrays, tensors = NumpyVisdomLogger(**to), PytorchVisdomLogger(**to | {"exp_name": f"{run.env}-tensors"})
        model = torch.nn.Linear(2, 2)
        for step in run.steps():
            arrays.show_value(1 / (step + 1), name="train", tag="loss")
            arrays.show_value(2 / (step + 1), name="test", tag="loss", counter=step)
            tensors.show_value(torch.tensor([step / 4]), name="train", tag="accuracy", counter=step)
            run.point("loss", "train", 1 / (step + 1))
            run.point("loss", "test", 2 / (step + 1))
            run.point("accuracy", "train", step / 4)
            arrays.show_text(f"epoch\n{step}", name="note")
            arrays.show_progress(step, total=60)
            if step % 10 == 0:
                tensors.plot_model_statistics_weights(model, model_name="net")
                tensors.show_image(torch.ones(3, 8, 8) * step, name="sample", title="Sample")
                arrays.show_histogram(np.arange(step + 5) ** 2, name="weights", bins=5)
                arrays.show_barplot(np.arange(6).reshape(2, 3) + step, name="bars", rownames=["a", "b"])
                arrays.show_lineplot(np.arange(5) * step, np.arange(5), name="curve")
        for logger in arrays, tensors:
            finish(logger)


main()
