"""A training watched by pytorch-mighty's monitor, whose VisdomMighty is a subclass of `visdom.Visdom`."""

import os

import torch
from mighty.monitor import MonitorEmbedding
from mighty.utils.domain import MonitorLevel
from pace import Run
from torch import nn


def main() -> None:
    with Run() as run:
        os.environ |= {"VISDOM_SERVER": "http://127.0.0.1", "VISDOM_PORT": str(run.port)}
        model = nn.Linear(4, 3)
        monitor = MonitorEmbedding()
        monitor.advanced_monitoring(MonitorLevel.FULL)
        monitor.open(run.env)
        monitor.timer.init(batches_in_epoch=10)
        monitor.register_layer(model, prefix="layer")
        monitor.log_self()
        for step in run.steps():
            model.weight.grad = torch.ones(3, 4) / (step + 1)
            model.weight += 0.1 * (step % 3 - 1)
            monitor.batch_finished(model)
            monitor.update_loss(torch.tensor(1 / (step + 1)), mode="batch")
            monitor.update_accuracy(step / 100, mode="batch")
            run.point("Loss", "batch", 1 / (step + 1))
            run.point("Accuracy", "batch", step / 100)
            if monitor.timer.is_epoch_finished():
                monitor.update_loss(torch.tensor(2 / (step + 1)), mode="epoch")
                run.point("Loss", "epoch", 2 / (step + 1))
                monitor.clusters_heatmap(torch.ones(3, 5) * step)
                monitor.epoch_finished()
            monitor.log(f"batch {step}")


main()
