"""Stands in for torchvision: the tested packages import it, and use nothing of it here."""

from hollow import module

__path__: list[str] = []

module("torchvision.datasets", "MNIST CIFAR10")
module("torchvision.transforms", "Compose Normalize Resize ToTensor")
module("torchvision.transforms.functional")
module("torchvision.utils", "make_grid save_image")
