"""A multilayer perceptron in plain NumPy, the digits it reads, and SciPy's L-BFGS to train it.

Parameters are a list of layers, each a dict of its weights and biases: `npl.value_and_grad` returns
the gradient in the same form.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

import npl

Array = NDArray[np.float64]
Parameters = list[dict[str, Array]]

SIDE = 8  # of an image, in pixels
CLASSES = 10


def digits() -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Return scikit-learn's 1797 digits: training images and labels, then those of the test.

    Images are rows of 64 pixels from 0 to 1. The split is always the same.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        images / 16, labels.astype(np.int64), test_size=0.2, stratify=labels, random_state=0
    )
    return train, train_labels, test, test_labels


def initial(sizes: Sequence[int], seed: int) -> Parameters:
    """Return random parameters of layers between the given numbers of units (Glorot's)."""
    rng = np.random.default_rng(seed)
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        limit = np.sqrt(6 / (fan_in + fan_out))
        layers.append({"w": rng.uniform(-limit, limit, (fan_in, fan_out)), "b": np.zeros(fan_out)})
    return layers


def scores(parameters: Parameters, x: Array) -> Array:
    """Return the logits of images (n, 64): plain NumPy, which NPL's tape follows."""
    for layer in parameters[:-1]:
        x = np.tanh(x @ layer["w"] + layer["b"])
    return x @ parameters[-1]["w"] + parameters[-1]["b"]


def accuracy(parameters: Parameters, x: Array, labels: NDArray[np.int64]) -> float:
    """Return the share of images whose highest score is that of their label."""
    return float((scores(parameters, x).argmax(-1) == labels).mean())


def to_vector(parameters: Parameters) -> Array:
    """Return all parameters end to end, as SciPy's optimisers want them."""
    return np.concatenate([array.ravel() for layer in parameters for array in layer.values()])


def from_vector(vector: Array, like: Parameters) -> Parameters:
    """Return parameters of the form of `like`, as views of a vector."""
    start, layers = 0, []
    for layer in like:
        own = {}
        for name, array in layer.items():
            own[name] = vector[start : start + array.size].reshape(array.shape)
            start += array.size
        layers.append(own)
    return layers


def fit(
    objective: Callable[..., Any],
    parameters: Parameters,
    *args: Any,
    iterations: int,
    each: Callable[[Parameters, dict[str, float]], None] | None = None,
) -> Parameters:
    """Minimise an objective by L-BFGS, from the given parameters on.

    `each` is called with the parameters after each iteration, and with the terms of the objective there.
    """
    value_and_grad = npl.value_and_grad(objective)
    seen: dict[bytes, dict[str, float]] = {}

    def of_vector(vector: Array) -> tuple[float, Array]:
        terms: dict[str, Any] = {}
        value, gradient = value_and_grad(from_vector(vector, parameters), *args, log=terms)
        seen[vector.tobytes()] = {name: float(own) for name, own in terms.items()}
        return float(value), to_vector(gradient)

    def callback(vector: Array) -> None:
        terms = seen[vector.tobytes()]
        seen.clear()
        if each is not None:
            each(from_vector(vector, parameters), terms)

    found = scipy.optimize.minimize(
        of_vector,
        to_vector(parameters),
        method="L-BFGS-B",
        jac=True,
        callback=callback,
        options={"maxiter": iterations},
    )
    return from_vector(found.x, parameters)


def strength(text: str) -> float:
    """Return a number of the command line that is finite, and 0 or above."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number, 0 or above")
    return number


def count(text: str, least: int = 1) -> int:
    """Return a whole number of the command line."""
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return number
