"""The loss of the overlap of masks."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

import npl
import npl.adapters.torch.functional as adapter_functional
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape, reduced

MASK_SIZES: tuple[Shape, ...] = ((16, 1, 32 * 32), (16, 1, 256 * 256), (64, 1, 256 * 256))


def logits_and_masks(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return logits of one class and masks of 0 and 1.

    The hard rows: all pixels right by 20, 40 and 60, wrong by 20, undecided, and an empty mask that is nearly
    found.
    """
    masks = (rng.random(shape) < 0.3).astype(dtype)
    logits = 3 * rng.standard_normal(shape, dtype) + 2 * masks - 1
    side = 2 * masks[:HARD_ROWS] - 1
    masks[5] = 0
    logits[:HARD_ROWS] = side * np.array([20, 40, 60, -20, 0, 0], dtype)[:, None, None]
    logits[5] = -30
    assert shape[0] > HARD_ROWS
    return logits, masks


def dice_in_torch(
    input: torch.Tensor, target: torch.Tensor, reduction: str = "mean"
) -> torch.Tensor:
    """Return what people write."""
    p = input.sigmoid()
    shared, both = (p * target).sum(-1), p.sum(-1) + target.sum(-1)
    return reduced(1 - (2 * shared[:, 0] + 1e-5) / (both[:, 0] + 1e-5), reduction)


def _of_one_class(function: Any, *arguments: Any, reduction: str = "mean") -> Any:
    """Return a loss of each sample, where it has one class."""
    value = function(*arguments, activation="sigmoid", reduction=reduction)
    return value[:, 0] if reduction == "none" else value


CASES: tuple[Case, ...] = (
    Case(
        "dice_loss",
        npl.DiceLoss,
        partial(_of_one_class, F.dice_loss),
        dice_in_torch,
        MASK_SIZES,
        logits_and_masks,
        exact.dice_loss,
        adapter=partial(_of_one_class, adapter_functional.dice_loss),
    ),
)
