"""What is measured: one row per loss, with its sizes, its inputs and its exact result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch.nn.functional as torch_functional
from numpy.typing import NDArray

import npl
import npl.functional as F
from benchmarks import exact

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

CLASSES_SIZES: tuple[Shape, ...] = ((128, 10), (65536, 10), (8192, 1000), (1024, 32000))
ELEMENTS_SIZES: tuple[Shape, ...] = ((10**3,), (10**5,), (10**7,))
HARD_ROWS = 6  # the first rows of all inputs, where digits are easily lost


@dataclass(frozen=True)
class Case:
    """A loss to measure.

    Attributes
    ----------
    name : str
        Of the function, in `npl.adapters.torch.functional` too.
    loss : type
        The class of the same loss.
    npl, torch : callable
        The functions, `(*inputs, reduction=...)`, on arrays and on tensors. Where torch has no such loss,
        what people write instead, out of torch's operations.
    sizes : tuple of shapes
        Of the first input.
    inputs : callable
        `(rng, shape, dtype) -> arrays`; the first one is differentiated. The first `HARD_ROWS` rows are
        hard ones.
    exact : callable
        `(*row) -> (loss, gradient)` of one row of the inputs, in mpmath's numbers.
    """

    name: str
    loss: type[npl.Loss]
    npl: Callable[..., Any]
    torch: Callable[..., Any]
    sizes: tuple[Shape, ...]
    inputs: Callable[[np.random.Generator, Shape, type[Any]], tuple[Array, ...]]
    exact: Callable[..., tuple[Any, Array]]


# ---------------------------------------------------------------------- inputs


def logits_and_labels(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return random logits and labels.

    The hard rows: right with a margin of 20, 40 and 80, wrong by 20, undecided, and far from zero. A margin
    of 80 is as far as errors in eps say something of float32: of exp(-100) it holds five bits.
    """
    logits = 3 * rng.standard_normal(shape, dtype)
    labels = rng.integers(0, shape[1], shape[0])
    labels[:HARD_ROWS] = 0
    logits[:HARD_ROWS] = 0
    logits[:3, 0] = 20, 40, 80
    logits[3, 1] = 20
    logits[5, :2] = 10000, 9999
    return logits, labels


def log_probabilities_and_labels(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return log-probabilities (of no common sum, which the loss does not read) and labels."""
    log_p = -3 * rng.standard_exponential(shape, dtype)
    labels = rng.integers(0, shape[1], shape[0])
    labels[:HARD_ROWS] = 0
    log_p[:HARD_ROWS, 0] = -1e-30, -1e-9, -0.5, -20, -100, -1e4
    return log_p, labels


def probabilities_and_answers(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return probabilities and answers 0 or 1; the hard ones are next to 0 and 1, right and wrong."""
    info = np.finfo(dtype)
    p = np.clip(rng.random(shape, dtype), info.eps, 1 - info.epsneg)
    answers: Array = rng.integers(0, 2, shape).astype(dtype)
    p[:HARD_ROWS] = 1e-30, 1e-30, 1e-6, 1e-6, 1 - info.epsneg, 1 - info.epsneg
    answers[:HARD_ROWS] = 0, 1, 0, 1, 0, 1
    return p, answers


def logits_and_answers(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits and answers 0 or 1; the hard ones are far from 0, and next to it."""
    logits = 3 * rng.standard_normal(shape, dtype)
    answers: Array = rng.integers(0, 2, shape).astype(dtype)
    logits[:HARD_ROWS] = 20, -40, 100, -100, 40, 1e-8
    answers[:HARD_ROWS] = 1, 0, 1, 1, 0, 1
    return logits, answers


# ---------------------------------------------------------------------- the table

CASES: tuple[Case, ...] = (
    Case(
        "cross_entropy",
        npl.CrossEntropyLoss,
        F.cross_entropy,
        torch_functional.cross_entropy,
        CLASSES_SIZES,
        logits_and_labels,
        exact.cross_entropy,
    ),
    Case(
        "nll_loss",
        npl.NLLLoss,
        F.nll_loss,
        torch_functional.nll_loss,
        CLASSES_SIZES,
        log_probabilities_and_labels,
        exact.nll_loss,
    ),
    Case(
        "binary_cross_entropy",
        npl.BCELoss,
        F.binary_cross_entropy,
        torch_functional.binary_cross_entropy,
        ELEMENTS_SIZES,
        probabilities_and_answers,
        exact.by_differences(exact.binary_cross_entropy),
    ),
    Case(
        "binary_cross_entropy_with_logits",
        npl.BCEWithLogitsLoss,
        F.binary_cross_entropy_with_logits,
        torch_functional.binary_cross_entropy_with_logits,
        ELEMENTS_SIZES,
        logits_and_answers,
        exact.by_differences(exact.binary_cross_entropy_with_logits),
    ),
)
