"""A training with PyTorch-Ignite's VisdomLogger: losses, the learning rate, weights and gradients at each iteration."""

from types import SimpleNamespace

import torch
from ignite.engine import Engine, Events
from ignite.handlers.visdom_logger import GradsScalarHandler, VisdomLogger, WeightsScalarHandler
from pace import STEPS, Run
from torch import nn


class Model(nn.Module):
    def __init__(self) -> None:
        self.first = nn.Linear(2, 3)
        self.last = nn.Linear(3, 1)

    def learn(self, step: int) -> None:
        for _, parameter in self.named_parameters():
            parameter.grad = torch.ones(*parameter.shape) * (step + 1)
            parameter += 0.01


def main() -> None:
    with Run() as run:
        model = Model()
        optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
        steps = run.steps()

        def update(engine: Engine, batch: int) -> float:
            step = next(steps)
            model.learn(step)
            optimizer.param_groups[0]["lr"] = 0.1 * 0.9**step
            run.point("training/loss", "training/loss", 1 / (step + 1))
            run.point("lr/group_0", "lr/group_0", 0.1 * 0.9**step)
            return 1 / (step + 1)

        trainer = Engine(update)
        logger = VisdomLogger(server="127.0.0.1", port=run.port, env=run.env)
        each = Events.ITERATION_COMPLETED
        logger.attach_output_handler(trainer, each, tag="training", output_transform=lambda loss: {"loss": loss})
        logger.attach_opt_params_handler(trainer, each, optimizer=optimizer)
        logger.attach(trainer, event_name=each, log_handler=WeightsScalarHandler(model))
        logger.attach(trainer, event_name=each(every=10), log_handler=GradsScalarHandler(model))
        trainer.run(range(STEPS), max_epochs=1)
        # Not its `close`, which closes the windows too.
        logger.executor.shutdown()


main()
