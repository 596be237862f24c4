"""Cross entropy and the negative log-likelihood of classes beside torch's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.parity import DTYPES, REDUCTIONS, Array, assert_close, sweep

CLASSES = 4

# Input shapes; 70 classes are laid out differently from few. The target of an unbatched input may
# be () or (1,).
CLASS_SHAPES = [
    (CLASSES,),
    (6, CLASSES),
    (6, 70),
    (5, CLASSES, 3),
    (5, CLASSES, 1),
    (0, CLASSES, 1),
    (2, CLASSES, 3, 2),
    (2, 70, 3),
    (2, CLASSES, 1, 2, 3),
    (0, CLASSES),
    (0, CLASSES, 3),
    (3, CLASSES, 0),
    (3, 1),
]
# (ignore_index, which labels are set to it)
IGNORED = {
    "ignore-nothing": (-100, "none"),
    "ignore--100": (-100, "first"),
    "ignore--1": (-1, "some"),
    "ignore-a-class": (0, "as they come"),
    "ignore-all": (-100, "all"),
}
WEIGHTS = [pytest.param(False, id="unweighted"), pytest.param(True, id="weighted")]
SMOOTHING = [0.0, 0.1, 1.0]


def labels_for(shape: tuple[int, ...], ignored: str) -> tuple[Array, int]:
    """Return labels for an input of `shape`, some of them ignored, and the ignore_index."""
    axis = min(1, len(shape) - 1)
    size = shape[:axis] + shape[axis + 1 :]
    labels = np.random.default_rng(7).integers(0, shape[axis], size)
    ignore_index, which = IGNORED[ignored]
    places = {"first": slice(0, 1), "some": slice(0, None, 2), "all": slice(None)}
    if which in places:
        labels.reshape(-1)[places[which]] = ignore_index
    return labels, ignore_index


def logits_for(shape: tuple[int, ...], dtype: type) -> Array:
    return np.random.default_rng(5).normal(size=shape).astype(dtype)


def class_weight(shape: tuple[int, ...], weighted: bool) -> dict[str, Callable[[type], Array]]:
    classes = shape[min(1, len(shape) - 1)]
    return {"weight": lambda t: np.linspace(0.25, 2, classes).astype(t)} if weighted else {}


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_cross_entropy_of_indices(
    shape: tuple[int, ...], ignored: str, weighted: bool, smoothing: float
) -> None:
    labels, ignore_index = labels_for(shape, ignored)
    sweep(
        F.cross_entropy,
        TF.cross_entropy,
        lambda dtype: (logits_for(shape, dtype), labels),
        class_weight(shape, weighted),
        ignore_index=ignore_index,
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_nll_loss(shape: tuple[int, ...], ignored: str, weighted: bool) -> None:
    labels, ignore_index = labels_for(shape, ignored)
    sweep(
        F.nll_loss,
        TF.nll_loss,
        lambda dtype: (-np.abs(logits_for(shape, dtype)), labels),
        class_weight(shape, weighted),
        ignore_index=ignore_index,
    )


@pytest.mark.parametrize("function", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("label", [0, 3, -100])
@pytest.mark.parametrize("weighted", WEIGHTS)
def test_one_label_of_an_unbatched_input(function: str, label: int, weighted: bool) -> None:
    # torch takes a target of shape (1,) beside (), but its backward pass then fails.
    ours, theirs = getattr(F, function), getattr(TF, function)
    for dtype, reduction in product(DTYPES, REDUCTIONS):
        logits = logits_for((CLASSES,), dtype)
        weight = np.linspace(0.25, 2, CLASSES).astype(dtype) if weighted else None
        options = {"weight": weight, "reduction": reduction}
        results = [
            npl.vjp(lambda x, y, k=options: ours(x, y, **k), logits, target)
            for target in (np.array(label), np.array([label]))
        ]
        options["weight"] = None if weight is None else torch.tensor(weight)
        expected = theirs(torch.tensor(logits), torch.tensor([label]), **options)
        for value, _ in results:
            assert_close(value, expected.reshape(()).numpy(), f"{function}, {options}")
        np.testing.assert_array_equal(*[pullback(1.0)[0] for _, pullback in results], strict=True)


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_cross_entropy_of_probabilities(
    shape: tuple[int, ...], weighted: bool, smoothing: float
) -> None:
    axis = min(1, len(shape) - 1)

    def make(dtype: type) -> tuple[Array, Array]:
        raw = np.random.default_rng(9).uniform(size=shape)
        raw.reshape(-1)[::3] = 0  # 0 log 0, and the exact one-hot among them
        total = np.maximum(raw.sum(axis, keepdims=True), 1e-30)
        return logits_for(shape, dtype), (raw / total).astype(dtype)

    sweep(
        F.cross_entropy,
        TF.cross_entropy,
        make,
        class_weight(shape, weighted),
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("function", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_mean_of_nothing(function: str, shape: tuple[int, ...]) -> None:
    # NaN and a gradient of zero, as torch: also asserted here, lest both change.
    labels, ignore_index = labels_for(shape, "ignore-all")
    smoothings: list[dict[str, float]] = [{}]
    if function == "cross_entropy":
        smoothings += [{"label_smoothing": s} for s in SMOOTHING]
    for dtype, options in product(DTYPES, smoothings):
        logits = logits_for(shape, dtype)
        loss = getattr(F, function)
        value, gradient = npl.value_and_grad(loss)(
            logits, labels, ignore_index=ignore_index, **options
        )
        assert np.isnan(value)
        np.testing.assert_array_equal(gradient, np.zeros_like(logits), strict=True)
