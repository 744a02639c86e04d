"""Training that never ends: scikit-learn's handwritten digits, one network after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

Array = NDArray[Any]

CLASSES = np.arange(10)
MAX_STEPS = 500
PATIENCE_STEPS = 150
"""A run has converged when the held-out loss has not improved for this many steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The hyper-parameters of one run."""

    hidden: int
    learning_rate: float
    batch: int


PLANS = (
    Plan(hidden=64, learning_rate=0.003, batch=64),
    Plan(hidden=16, learning_rate=0.01, batch=32),
    Plan(hidden=128, learning_rate=0.001, batch=64),
    Plan(hidden=8, learning_rate=0.02, batch=128),
    Plan(hidden=32, learning_rate=0.03, batch=32),
)


class Digits:
    """The data set: pictures of 8 x 8 pixels between 0 and 1, two thirds to learn from and the rest held out."""

    def __init__(self) -> None:
        data, labels = load_digits(return_X_y=True)
        split = train_test_split(data / 16, labels, test_size=500, stratify=labels, random_state=0)
        self.train_x, self.test_x, self.train_y, self.test_y = split


class Run:
    """One network, trained from scratch, and what became of it step by step."""

    def __init__(self, digits: Digits, number: int) -> None:
        self.digits = digits
        self.number = number
        self.plan = PLANS[(number - 1) % len(PLANS)]
        self.steps = 0
        self.losses: list[tuple[float, float]] = []
        """After each step: the loss over the training set, and over the held-out set."""
        self.accuracies: list[tuple[float, float]] = []
        self._model = MLPClassifier(
            hidden_layer_sizes=(self.plan.hidden,), learning_rate_init=self.plan.learning_rate, random_state=number
        )
        self._batches = self._shuffled_batches(np.random.default_rng(number))

    def step(self) -> None:
        """Learn from the next mini-batch, then measure."""
        batch = next(self._batches)
        self._model.partial_fit(self.digits.train_x[batch], self.digits.train_y[batch], classes=CLASSES)
        self.steps += 1
        train = self._measure(self.digits.train_x, self.digits.train_y)
        test = self._measure(self.digits.test_x, self.digits.test_y)
        self.losses.append((train[0], test[0]))
        self.accuracies.append((train[1], test[1]))

    @property
    def finished(self) -> bool:
        """Whether there is no more to learn."""
        best = int(np.argmin([test for _, test in self.losses]))
        return self.steps >= MAX_STEPS or self.steps - 1 - best >= PATIENCE_STEPS

    @property
    def epoch(self) -> float:
        """How often the training set has been gone through."""
        return self.steps / (len(self.digits.train_x) // self.plan.batch)

    @property
    def best(self) -> float:
        """The best accuracy on the held-out set so far."""
        return max(test for _, test in self.accuracies)

    def predictions(self) -> Array:
        """The network's answer for each held-out picture."""
        return np.asarray(self._model.predict(self.digits.test_x))

    def confusion(self) -> Array:
        """How many held-out pictures of each digit (row) are taken for each digit (column)."""
        return np.asarray(confusion_matrix(self.digits.test_y, self.predictions(), labels=CLASSES))

    def activations(self) -> Array:
        """What the hidden layer makes of each held-out picture."""
        return np.asarray(np.maximum(self.digits.test_x @ self._model.coefs_[0] + self._model.intercepts_[0], 0))

    def _measure(self, x: Array, y: Array) -> tuple[float, float]:
        probabilities = self._model.predict_proba(x)
        return float(log_loss(y, probabilities, labels=CLASSES)), float(accuracy_score(y, probabilities.argmax(axis=1)))

    def _shuffled_batches(self, rng: np.random.Generator) -> Iterator[Array]:
        count = len(self.digits.train_x)
        while True:
            order = rng.permutation(count)
            for start in range(0, count - self.plan.batch + 1, self.plan.batch):
                yield order[start : start + self.plan.batch]


def runs() -> Iterator[Run]:
    """One run after the other, without end. A run is trained a step further each time it is yielded."""
    digits = Digits()
    for number in itertools.count(1):
        run = Run(digits, number)
        while not run.steps or not run.finished:
            run.step()
            yield run


class Embedding:
    """The hidden layer in two dimensions: its first principal components.

    Each picture of it is turned to fit the one before, so that points do not jump.
    """

    def __init__(self) -> None:
        self._before: Array | None = None

    def of(self, run: Run) -> Array:
        """One point per held-out picture."""
        activations = run.activations()
        activations -= activations.mean(axis=0)
        _, components = np.linalg.eigh(activations.T @ activations)
        points = np.asarray(activations @ components[:, -2:])
        points /= points.std() or 1
        if self._before is not None:
            left, _, right = np.linalg.svd(points.T @ self._before)
            points = points @ left @ right
        self._before = points
        return points
