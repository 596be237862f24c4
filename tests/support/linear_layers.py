"""Samples for a linear layer whose output a loss is taken of."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
ALL = (0, 1, 3)  # input, weight and bias, of a call with a target of indices


def whole_numbers(dtype: type) -> tuple[Array, ...]:
    """Small integers, of which every logit is exact: what is left is the error of the loss itself.

    Right by a margin of 40 and of 2, wrong by 40, and undecided.
    """
    x = np.array([[20, 0], [1, 0], [-20, 1], [0, 0]], dtype)
    weight = np.array([[1, 2], [-1, 1], [0, -3]], dtype)
    return x, weight, np.array([0, 0, 0, 2]), np.array([1, 0, -1], dtype)


def layer(dtype: type, n: int = 5, classes: int = 4, features: int = 3) -> tuple[Array, ...]:
    rng = np.random.default_rng(4)
    x, weight = rng.normal(size=(n, features)), rng.normal(size=(classes, features))
    bias = rng.normal(size=classes)
    labels = rng.integers(0, classes, n)
    return x.astype(dtype), weight.astype(dtype), labels, bias.astype(dtype)


def layer_with_places(
    dtype: type, batch: tuple[int, ...], places: tuple[int, ...], soft: bool, bias: bool
) -> tuple[Array, ...]:
    rng = np.random.default_rng(7)
    classes, features = 4, 3
    x = rng.normal(size=(*batch, features)).astype(dtype)
    weight = rng.normal(size=(classes, *places, features)).astype(dtype)
    target = rng.integers(0, classes, (*batch, *places))
    if soft:
        target = rng.dirichlet(np.ones(classes), (*batch, *places))
        target = np.moveaxis(target, -1, len(batch)).astype(dtype).copy()
    made = (x, weight, target)
    return (*made, rng.normal(size=(classes, *places)).astype(dtype)) if bias else made
