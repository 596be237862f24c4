"""The losses of a residual."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape, reduced


def predictions_and_values(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return predictions and values; the hard ones are nearly equal, tiny, and far apart."""
    predictions = rng.standard_normal(shape, dtype)
    values = rng.standard_normal(shape, dtype)
    predictions[:HARD_ROWS] = 1 + np.finfo(dtype).eps, 1e-30, 1e8, 1e15, -1e4, 1e-6
    values[:HARD_ROWS] = 1, 0, 1e8 + 64, -1e15, 3, 0
    return predictions, values


def _case(name: str, loss: type[npl.Loss], peer: Callable[..., Any] | None = None) -> Case:
    return Case(
        name,
        loss,
        getattr(F, name),
        peer or getattr(torch_functional, name),
        ELEMENTS_SIZES,
        predictions_and_values,
        exact.by_differences(getattr(exact, name)),
    )


def log_cosh_in_torch(
    input: torch.Tensor, target: torch.Tensor, reduction: str = "mean"
) -> torch.Tensor:
    """Return what people write: a form that does not overflow."""
    r = input - target
    losses = r + torch_functional.softplus(-2 * r) - math.log(2)
    return reduced(losses, reduction)


def quantile_in_torch(
    input: torch.Tensor, target: torch.Tensor, reduction: str = "mean"
) -> torch.Tensor:
    """Return what people write, for the median."""
    r = target - input
    return reduced(torch.maximum(0.5 * r, -0.5 * r), reduction)


CASES: tuple[Case, ...] = (
    _case("l1_loss", npl.L1Loss),
    _case("mse_loss", npl.MSELoss),
    _case("smooth_l1_loss", npl.SmoothL1Loss),
    _case("huber_loss", npl.HuberLoss),
    _case("log_cosh_loss", npl.LogCoshLoss, log_cosh_in_torch),
    _case("quantile_loss", npl.QuantileLoss, quantile_in_torch),
)
