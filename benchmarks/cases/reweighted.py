"""Losses that weigh samples, against what people write out of torch's operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.adapters.torch.functional as adapter_functional
import npl.functional as F
from benchmarks.cases.case import ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape
from benchmarks.cases.classification import logits_and_labels
from benchmarks.exact import ROW_BITS, by_differences, numbers

SIZES: tuple[Shape, ...] = ((128, 10), (65536, 10), (8192, 1000))


def logits_labels_and_widths(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits, labels and, once for each row, the number of classes, of which costs are made."""
    logits, labels = logits_and_labels(rng, shape, dtype)
    return logits, labels, np.full(shape[0], shape[1], dtype)


def costs(width: float, dtype: Any) -> Array:
    """Return what answers cost where another one is right: nothing where it is, else 1, 2, ... by class."""
    classes = int(width)
    cost: Array = np.outer(1 + np.arange(classes), np.ones(classes)).astype(dtype)
    np.fill_diagonal(cost, 0)
    return cost


def cost_sensitive(logits: Any, labels: Any, widths: Any, reduction: Any = "mean") -> Any:
    """Return NPL's expected cost."""
    return F.cost_sensitive_loss(
        logits, labels, costs(widths[0], widths.dtype), reduction=reduction
    )


def cost_sensitive_on_tensors(
    logits: Any, labels: Any, widths: Any, reduction: str = "mean"
) -> Any:
    """Return the same of tensors."""
    cost = _costs_like(logits)
    return adapter_functional.cost_sensitive_loss(logits, labels, cost, reduction=reduction)


def cost_sensitive_in_torch(logits: Any, labels: Any, widths: Any, reduction: str = "mean") -> Any:
    """Return the sum of the probabilities times the label's costs."""
    losses = (torch_functional.softmax(logits, -1) * _costs_like(logits)[labels]).sum(-1)
    return losses if reduction == "none" else getattr(losses, reduction)()


def _costs_like(logits: Any) -> Any:
    classes = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (1 + classes[:, None]) * (classes[:, None] != classes)


def exact_cost(logits: Array, label: int, width: float) -> tuple[Any, Array]:
    """Return the expected cost, and the probabilities times the excess of their costs over it."""
    with mp.workprec(ROW_BITS):
        xs = numbers(logits)
        shares = [mp.exp(x - max(xs)) for x in xs]
        total = mp.fsum(shares)
        p = np.array([share / total for share in shares], object)
        cost = np.array([mpf(int(label) + 1)] * int(width), object)
        cost[label] = mpf(0)
        expected = mp.fsum(p * cost)
        return expected, p * (cost - expected)


def logits_and_right_answers(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits and answers, all of them right: the first bin holds all, and a weight is 1.

    So a row's exact result is its own. The work is the same wherever elements lie.
    """
    answers: Array = rng.integers(0, 2, shape).astype(dtype)
    margins = 2.5 + rng.standard_exponential(shape, dtype)
    margins[:HARD_ROWS] = 20, 40, 80, 2.5, 16, 3
    return (2 * answers - 1) * margins, answers


def numbers_and_near_ones(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return predictions and numbers so near that the first bin holds all, and a weight is 1."""
    targets = rng.standard_normal(shape, dtype)
    targets[:HARD_ROWS] = 0, 0, 0, 1, 1, 1e-3
    residuals: Array = (0.001 * rng.uniform(0.1, 1, shape)).astype(dtype)
    residuals[:HARD_ROWS] = 1e-30, 1e-10, -1e-6, 2.0**-20, -(2.0**-12), 1e-9
    return targets + residuals, targets


def exact_ghmc(x: Any, y: Any) -> Any:
    """Return the binary cross entropy: the weight is 1."""
    return y * mp.log(1 + mp.exp(-x)) + (1 - y) * mp.log(1 + mp.exp(x))


def exact_ghmr(x: Any, y: Any) -> Any:
    """Return the authentic smooth L1 loss: the weight is 1."""
    mu = mpf(0.02)
    return mp.sqrt((x - y) ** 2 + mu**2) - mu


def harmony(norms: Any) -> Any:
    """Return the weights as the authors' code has them, bin by bin."""
    weights, full = torch.zeros_like(norms), 0
    for b in range(10):
        inside = (norms >= b / 10) & (norms < (b + 1) / 10 + (b == 9))
        count = inside.sum().item()
        if count > 0:
            weights[inside] = norms.numel() / count
            full += 1
    return weights / full


def ghmc_in_torch(x: Any, y: Any, reduction: str = "mean") -> Any:
    """Return the loss as its authors have it."""
    weights = harmony((x.detach().sigmoid() - y).abs())
    return torch_functional.binary_cross_entropy_with_logits(x, y, weights, reduction=reduction)


def ghmr_in_torch(x: Any, y: Any, reduction: str = "mean") -> Any:
    """Return the loss as its authors have it."""
    difference = x - y
    length = torch.sqrt(difference * difference + 0.02**2)
    losses = (length - 0.02) * harmony((difference / length).detach().abs())
    return losses if reduction == "none" else getattr(losses, reduction)()


CASES: tuple[Case, ...] = (
    Case(
        "cost_sensitive_loss",
        npl.CostSensitiveLoss,
        cost_sensitive,
        cost_sensitive_in_torch,
        SIZES,
        logits_labels_and_widths,
        exact_cost,
        cost_sensitive_on_tensors,
    ),
    Case(
        "ghmc_loss",
        npl.GHMCLoss,
        F.ghmc_loss,
        ghmc_in_torch,
        ELEMENTS_SIZES,
        logits_and_right_answers,
        by_differences(exact_ghmc),
    ),
    Case(
        "ghmr_loss",
        npl.GHMRLoss,
        F.ghmr_loss,
        ghmr_in_torch,
        ELEMENTS_SIZES,
        numbers_and_near_ones,
        by_differences(exact_ghmr),
    ),
)
