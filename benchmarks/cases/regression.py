"""The losses of a residual."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape


def predictions_and_values(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return predictions and values; the hard ones are nearly equal, tiny, and far apart."""
    predictions = rng.standard_normal(shape, dtype)
    values = rng.standard_normal(shape, dtype)
    predictions[:HARD_ROWS] = 1 + np.finfo(dtype).eps, 1e-30, 1e8, 1e15, -1e4, 1e-6
    values[:HARD_ROWS] = 1, 0, 1e8 + 64, -1e15, 3, 0
    return predictions, values


def _case(name: str, loss: type[npl.Loss]) -> Case:
    return Case(
        name,
        loss,
        getattr(F, name),
        getattr(torch_functional, name),
        ELEMENTS_SIZES,
        predictions_and_values,
        exact.by_differences(getattr(exact, name)),
    )


CASES: tuple[Case, ...] = (
    _case("l1_loss", npl.L1Loss),
    _case("mse_loss", npl.MSELoss),
    _case("smooth_l1_loss", npl.SmoothL1Loss),
    _case("huber_loss", npl.HuberLoss),
)
