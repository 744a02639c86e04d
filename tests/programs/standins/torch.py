"""Stands in for PyTorch, which is hundreds of megabytes: just what the tested packages import, and what the programs use of it.

A `Tensor` holds a NumPy array and, as PyTorch's, is none. What the packages only import, or name in annotations, is there and
cannot be used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
from hollow import module, unused
from numpy.lib.mixins import NDArrayOperatorsMixin

__version__ = "2.4.0"
__path__: list[str] = []  # a package: its modules are made below


class Tensor(NDArrayOperatorsMixin):
    """An array with PyTorch's names for what can be done with it."""

    requires_grad = False
    grad: Tensor | None = None

    def __init__(self, values: Any) -> None:
        self._array = np.asarray(values)

    # --- what it is ---

    def numpy(self) -> np.ndarray:
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._array.astype(dtype) if dtype is not None else self._array

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        result = getattr(ufunc, method)(*(each._array if isinstance(each, Tensor) else each for each in inputs), **kwargs)
        if out is not None:
            out[0]._array = result
            return out[0]
        return Tensor(result)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def data(self) -> Tensor:
        return self

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return map(Tensor, self._array)

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self._array[_plain(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array[_plain(key)] = _plain(value)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __format__(self, specification: str) -> str:
        return format(self._array.item() if self.ndim == 0 else str(self._array), specification)

    def item(self) -> Any:
        return self._array.item()

    def dim(self) -> int:
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        return self._array.size

    nelement = numel

    def size(self, axis: int | None = None) -> Any:
        return self.shape if axis is None else self.shape[axis]

    # --- where it is: here ---

    def _itself(self, *_: Any) -> Tensor:
        return self

    cpu = cuda = detach = _itself

    def clone(self) -> Tensor:
        return Tensor(self._array.copy())

    def float(self) -> Tensor:
        return Tensor(self._array.astype(np.float32))

    def byte(self) -> Tensor:
        return Tensor(self._array.astype(np.uint8))

    # --- what is made of it ---

    def view(self, *shape: int) -> Tensor:
        return Tensor(self._array.reshape(shape))

    def flatten(self) -> Tensor:
        return Tensor(self._array.ravel())

    def squeeze(self) -> Tensor:
        return Tensor(self._array.squeeze())

    def unsqueeze(self, dim: int) -> Tensor:
        return Tensor(np.expand_dims(self._array, dim))

    def permute(self, *axes: int) -> Tensor:
        return Tensor(self._array.transpose(axes))

    def mul(self, factor: Any) -> Tensor:
        return self * factor

    def mul_(self, factor: Any) -> Tensor:
        self._array = self._array * _plain(factor)
        return self

    def pow_(self, exponent: Any) -> Tensor:
        self._array = self._array**exponent
        return self

    def log10_(self) -> Tensor:
        self._array = np.log10(self._array)
        return self

    def clamp(self, low: Any, high: Any) -> Tensor:
        return Tensor(self._array.clip(low, high))

    def sum(self, dim: int | None = None) -> Tensor:
        return Tensor(self._array.sum(axis=dim))

    def mean(self, dim: int | None = None) -> Tensor:
        return Tensor(self._array.mean(axis=dim))

    def std(self) -> Tensor:
        return Tensor(self._array.std(ddof=1))

    def max(self) -> Tensor:
        return Tensor(self._array.max())

    def all(self) -> Tensor:
        return Tensor(self._array.all())

    def norm(self, p: int = 2, dim: int | None = None) -> Tensor:
        return Tensor((np.abs(self._array) ** p).sum(axis=dim) ** (1 / p))

    def topk(self, k: int, dim: int, largest: bool, in_order: bool) -> tuple[Tensor, Tensor]:
        assert largest
        assert in_order
        order = np.argsort(-self._array, axis=dim, kind="stable").take(range(k), axis=dim)
        return Tensor(np.take_along_axis(self._array, order, axis=dim)), Tensor(order)


def _plain(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


def is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def from_numpy(array: np.ndarray) -> Tensor:
    assert isinstance(array, np.ndarray)
    return Tensor(array)


def tensor(values: Any) -> Tensor:
    return Tensor(np.array(_plain(values)))


def zeros(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.float32))


def ones(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.float32))


def zeros_like(other: Tensor) -> Tensor:
    return Tensor(np.zeros_like(other.numpy()))


def sqrt(values: Tensor) -> Tensor:
    return Tensor(np.sqrt(values.numpy()))


def isfinite(values: Tensor) -> Tensor:
    return Tensor(np.isfinite(values.numpy()))


def abs(values: Tensor) -> Tensor:  # noqa: A001
    return Tensor(np.abs(values.numpy()))


def max(values: Tensor) -> Tensor:  # noqa: A001
    return values.max()


def norm(values: Tensor) -> Tensor:
    return values.norm()


class Parameter(Tensor):
    """A tensor that is trained."""

    requires_grad = True


class Module:
    """A model, as far as loggers look at it."""

    training = True

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        for name, value in vars(self).items():
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(value, Parameter):
                yield path, value
            elif isinstance(value, Module):
                yield from value.named_parameters(path)


class Linear(Module):
    """A layer whose weights are the same in each run."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.weight = Parameter(np.linspace(-1, 1, inputs * outputs, dtype=np.float32).reshape(outputs, inputs))
        self.bias = Parameter(np.zeros(outputs, np.float32))


class _IsTensor(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_IsTensor):
    """What tensors were before PyTorch 0.4. Since then each is one."""


def no_grad() -> Any:
    return nullcontext


def is_available() -> bool:
    return False


FloatTensor = LongTensor = IntTensor = Tensor


class device(str):
    """Where tensors are: the name is all there is to it."""


outer, dtype = unused("torch.outer"), unused("torch.dtype")

module("torch.autograd", Variable=Variable)
module("torch.cuda", is_available=is_available)
module("torch.types", Number=(int, float, bool))
module("torch.multiprocessing")
module(
    "torch.nn",
    "ReLU Sequential Dropout MSELoss CosineEmbeddingLoss Conv2d RNNBase RNNCellBase",
    Parameter=Parameter,
    Module=Module,
    Linear=Linear,
)
module("torch.nn.functional", "pairwise_distance cosine_similarity relu mse_loss")
module("torch.optim", "Optimizer SGD Adam")
module("torch.optim.optimizer", Optimizer=sys.modules["torch.optim"].Optimizer)
module("torch.optim.lr_scheduler", "CosineAnnealingWarmRestarts LRScheduler _LRScheduler ReduceLROnPlateau ExponentialLR")
module("torch.utils")
module("torch.utils.data", "DataLoader Dataset IterableDataset TensorDataset")
module("torch.utils.data.sampler", "BatchSampler Sampler")
module("torch.utils.data.distributed", "DistributedSampler")
module("torch.distributed", is_available=is_available)
module("torch.distributed.optim", "ZeroRedundancyOptimizer")
