"""Connectionist temporal classification."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.adapters.torch.functional as adapter_functional
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape

SEQUENCE_SIZES: tuple[Shape, ...] = ((40, 16, 20), (200, 32, 60))


def log_probabilities_and_sequences(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return log-probabilities, labels and lengths.

    The hard rows: classes are improbable by up to 1e-30, 1e-300 and more, so that prefixes that will
    not count leave others far behind; one of few labels; a short one; and one certain of the blank.
    """
    times, rows, classes = shape
    scale = np.ones(rows)
    scale[: min(rows, 3)] = 10, 100, 1000
    logits = rng.standard_normal(shape) * scale[:, None]
    logits[:, 5, 0] += 15
    log_p = logits - np.logaddexp.reduce(logits, -1, keepdims=True)
    labels = rng.integers(1, classes, (rows, times // 7))
    own = rng.integers(times // 2, times + 1, rows)
    wanted = rng.integers(1, times // 7 + 1, rows)
    wanted[3], own[4], wanted[5] = 1, times // 3, 2
    assert rows > HARD_ROWS
    return log_p.astype(dtype), labels, own, wanted


def torch_ctc_loss(*arguments: Any, reduction: str = "batchmean") -> Any:
    """Return torch's loss, also as the sum divided by the number of samples.

    Its gradient is right behind a log-softmax only, so that its errors say nothing here.
    """
    if reduction == "batchmean":
        return torch_functional.ctc_loss(*arguments, reduction="sum") / arguments[0].shape[1]
    return torch_functional.ctc_loss(*arguments, reduction=reduction)


def _batchmean(function: Any) -> Any:
    """Return a function that, as the other cases', divides by the number of samples alone."""
    return partial(function, reduction="batchmean")


CASES: tuple[Case, ...] = (
    Case(
        "ctc_loss",
        npl.CTCLoss,
        _batchmean(F.ctc_loss),
        torch_ctc_loss,
        SEQUENCE_SIZES,
        log_probabilities_and_sequences,
        exact.ctc_loss,
        adapter=_batchmean(adapter_functional.ctc_loss),
        sample_axis=1,
    ),
)
