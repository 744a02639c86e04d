"""A training that writes through tensorboardX to Visdom."""

import numpy as np
from pace import Run
from tensorboardX.visdom_writer import VisdomWriter


def main() -> None:
    with Run() as run:
        writer = VisdomWriter(server="http://127.0.0.1", port=run.port, env=run.env)
        for step in run.steps():
            writer.add_scalar("loss", 1 / (step + 1), step + 1)
            writer.add_scalars("run", {"sine": np.sin(step / 9), "cosine": np.cos(step / 9)}, step + 1)
            run.point("default-loss", "default-loss", 1 / (step + 1))
            run.point("run-sine", "run-sine", np.sin(step / 9))
            if step % 10 == 0:
                writer.add_text("note", f"epoch {step}", step)
                writer.add_image("sample", np.full((3, 8, 8), step / 60), step)
                writer.add_histogram("weights", np.arange(step + 2) ** 2, step)
                writer.add_pr_curve("pr", np.array([0, 1, 1, 0, 1]), np.linspace(0, 1, 5), step)
        writer.close()


main()
