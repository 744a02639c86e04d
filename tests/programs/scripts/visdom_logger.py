"""A training loop with the VisdomLogger that Visdom 0.3.0 has itself."""

from pace import Run
from visdom import Visdom
from visdom.pytorch import VisdomLogger


def main() -> None:
    with Run() as run:
        viz = Visdom(server="http://127.0.0.1", port=run.port)
        with VisdomLogger(viz, env=run.env) as epochs, VisdomLogger(viz, env=run.env, log_every=4) as batches:
            for step in run.steps():
                for title, value in (("Train Loss", 1 / (step + 1)), ("Val Loss", 2 / (step + 1)), ("LR", 0.1 * 0.9**step)):
                    epochs.log(title, value)
                    run.point(title, "1", value)
                batches.log("Batch Loss", step / 7, x=step, xlabel="step")


main()
