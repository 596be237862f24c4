"""Kullback-Leibler divergence, and Poisson and Gaussian likelihoods."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape

# Means are what is measured here, and what torch and NPL warn of.
warnings.filterwarnings("ignore", "reduction: 'mean' divides", UserWarning)


def log_probabilities_and_probabilities(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return predictions, as logarithms, and targets above them.

    The hard ones: nearly certain and nearly impossible answers, foreseen and not.
    """
    log_p = -1 - 3 * rng.standard_exponential(shape, dtype)
    targets: Array = 0.5 + rng.random(shape, dtype) / 2
    log_p[:HARD_ROWS] = -1e-30, -1e4, -90, -0.5, -100, -6
    targets[:HARD_ROWS] = 0.5, 1, 1e-20, 0.78, 1e-30, 0.05
    return log_p, targets


def log_rates_and_counts(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logarithms of expected counts, below 0, and counts; the hard ones are tiny and huge."""
    log_rates = -0.5 - 3 * rng.standard_exponential(shape, dtype)
    counts: Array = rng.poisson(2, shape).astype(dtype)
    log_rates[:HARD_ROWS] = -80, -80, 80, 1e-30, -1e4, 10
    counts[:HARD_ROWS] = 0, 3, 5, 0, 1, 1
    return log_rates, counts


def means_numbers_and_variances(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return means, numbers and variances above 1; the hard ones are tiny and huge."""
    means, numbers = rng.standard_normal((2, *shape), dtype)
    variances: Array = 1 + rng.standard_exponential(shape, dtype)
    means[:HARD_ROWS] = 1e10, 1 + 2.0**-20, 1e-30, 3, 0, 1e-10
    numbers[:HARD_ROWS] = 0, 1, 0, 3, 1, 0
    variances[:HARD_ROWS] = 1e-6, 2, 1e30, 1e-5, 1e30, 3
    return means, numbers, variances


CASES: tuple[Case, ...] = (
    Case(
        "kl_div",
        npl.KLDivLoss,
        F.kl_div,
        torch_functional.kl_div,
        ELEMENTS_SIZES,
        log_probabilities_and_probabilities,
        exact.by_differences(exact.kl_div),
    ),
    Case(
        "poisson_nll_loss",
        npl.PoissonNLLLoss,
        F.poisson_nll_loss,
        torch_functional.poisson_nll_loss,
        ELEMENTS_SIZES,
        log_rates_and_counts,
        exact.by_differences(exact.poisson_nll_loss),
    ),
    Case(
        "gaussian_nll_loss",
        npl.GaussianNLLLoss,
        F.gaussian_nll_loss,
        torch_functional.gaussian_nll_loss,
        ELEMENTS_SIZES,
        means_numbers_and_variances,
        exact.by_differences(exact.gaussian_nll_loss),
    ),
)
