"""Cases of the losses that weigh samples by what their mistakes cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import Case
from tests.support.cases.classification import (
    CLASSES,
    _extreme_labels,
    _log_softmax,
    _logits_and_labels,
)

PER_CLASS = [0.25, 1.5, 30.0, 0.7]
PER_PAIR = [
    [0.0, 1.0, 5.0, 0.25],
    [3.0, 0.0, 0.5, 40.0],
    [1.0, 9.0, 0.0, 2.0],
    [1.0, 7.0, 2.0, 0.0],
]
# What a right answer costs too, and a row of costs that differ by little.
OFFSET = [
    [1.0, 1.5, 3.0, 1.25],
    [31.0, 30.0, 30.5, 34.0],
    [1.0, 9.0, 0.5, 2.0],
    [1.0, 7.0, 2.0, 4.0],
]


def _cost(options: Mapping[str, Any], logits: list[Any], target: int) -> Any:
    cost = np.asarray(options["cost"])
    log_p = _log_softmax(logits)
    if cost.ndim == 1:
        return -mpf(float(cost[target])) * log_p[target]
    return mp.fsum(
        mpf(float(k)) * mp.exp(lp) for k, lp in zip(cost[target], log_p, strict=True) if k != 0
    )


def _terms(options: Mapping[str, Any], logits: list[Any], target: int) -> list[Any]:
    p = [mp.exp(lp) for lp in _log_softmax(logits)]
    k = [mpf(float(k)) for k in options["cost"][target]]
    return [
        [
            p[c] * mp.fsum(p[j] * abs(k[c] - k[j]) for j in range(CLASSES) if j != c)
            for c in range(CLASSES)
        ]
    ]


def cost_in_torch(
    input: torch.Tensor,
    target: torch.Tensor,
    cost: torch.Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> torch.Tensor:
    """Return the loss in torch's operations."""
    valid = target != ignore_index
    labels = torch.where(valid, target, 0)
    if cost.ndim == 1:
        losses = cost[labels] * torch_functional.cross_entropy(input, labels, reduction="none")
    else:
        p = input.softmax(min(1, input.ndim - 1)).movedim(min(1, input.ndim - 1), -1)
        losses = (p * cost[labels]).sum(-1)
    losses = losses * valid
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / valid.sum()


def _case(name: str, cost: list[Any]) -> Case:
    is_matrix = isinstance(cost[0], list)
    return Case(
        f"cost_sensitive-{name}",
        npl.CostSensitiveLoss,
        F.cost_sensitive_loss,
        cost_in_torch,
        _logits_and_labels,
        _extreme_labels,
        _cost,
        {"cost": cost},
        _terms if is_matrix else None,
        curvature_terms=_terms if is_matrix else None,
    )


CASES: list[Case] = [
    _case("class", PER_CLASS),
    _case("pair", PER_PAIR),
    _case("pair-offset", OFFSET),
]
