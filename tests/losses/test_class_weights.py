"""Weights of classes against exact arithmetic, in their limits, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F

COUNTS = [
    [5000, 1, 17, 300],
    [1, 1, 1],
    [10**15, 1, 3],
    [7],
    [0.5, 2.25, 1e-9],
    [3, 10**150],
]
BETAS = [0, 1e-300, 1e-9, 0.25, 0.5, 0.9, 0.999, 1 - 1e-12, 1 - 2.0**-53, 1, np.float32(0.99)]
EPS = np.finfo(float).eps


def assert_exact(got: np.ndarray, exact: list[Any]) -> None:
    assert got.dtype == np.float64
    for own, want in zip(got, exact, strict=True):
        if want < mpf(float(np.finfo(float).tiny)):
            assert own == pytest.approx(float(want), abs=1e-320)
        else:
            assert abs(mpf(float(own)) - want) <= 16 * EPS * want


def scaled(weights: list[Any], counts: list[Any], mean: str) -> list[Any]:
    shares = [1] * len(counts) if mean == "class" else [mpf(n) for n in counts]
    whole = mp.fsum(w * s for w, s in zip(weights, shares, strict=True)) / mp.fsum(shares)
    return [w / whole for w in weights]


@pytest.mark.parametrize("mean", ["class", "sample"])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("counts", COUNTS, ids=str)
def test_class_balanced_weights(counts: list[float], beta: float, mean: Any) -> None:
    with mp.workdps(400):
        b = mpf(float(beta))
        effective = [mpf(n) if b == 1 else (1 - b ** mpf(n)) / (1 - b) for n in counts]
        exact = scaled([1 / e for e in effective], counts, mean)
        assert_exact(npl.class_balanced_weights(counts, beta, mean=mean), exact)


@pytest.mark.parametrize("mean", ["class", "sample"])
@pytest.mark.parametrize("power", [0, 0.5, 1, 2])
@pytest.mark.parametrize("counts", COUNTS, ids=str)
def test_inverse_frequency_weights(counts: list[float], power: float, mean: Any) -> None:
    with mp.workdps(400):
        exact = scaled([mpf(n) ** -mpf(power) for n in counts], counts, mean)
        assert_exact(npl.inverse_frequency_weights(counts, power, mean=mean), exact)


def test_as_those_who_came_first() -> None:
    counts = np.array([5000, 20, 300])
    effective = 1 - 0.9**counts  # the code of Cui et al.
    weights = (1 - 0.9) / effective
    np.testing.assert_allclose(
        npl.class_balanced_weights(counts, 0.9), weights / weights.sum() * 3, rtol=1e-14
    )
    labels = np.repeat(np.arange(3), counts)
    balanced = len(labels) / (3 * np.bincount(labels))  # scikit-learn's class_weight="balanced"
    np.testing.assert_allclose(npl.inverse_frequency_weights(counts), balanced, rtol=1e-15)


def test_a_class_without_samples_is_as_if_it_were_not_there() -> None:
    for function in (npl.class_balanced_weights, npl.inverse_frequency_weights):
        for mean in ("class", "sample"):
            whole = function([4, 0, 9], mean=mean)
            np.testing.assert_array_equal(whole[[0, 2]], function([4, 9], mean=mean))
            assert whole[1] == 0
            assert function([0, 0], mean=mean).tolist() == [0, 0]
            assert function(np.zeros(0, int), mean=mean).shape == (0,)


def test_losses_take_them() -> None:
    x, y = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 0, 0, 1, 1, 2])
    weight = npl.inverse_frequency_weights(np.bincount(y))
    losses = F.cross_entropy(x, y, reduction="none")
    by_class = np.mean([losses[y == c].mean() for c in range(3)])
    np.testing.assert_allclose(F.cross_entropy(x, y, weight=weight), by_class, rtol=1e-14)
    np.testing.assert_allclose(F.cost_sensitive_loss(x, y, weight), by_class, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: npl.class_balanced_weights(np.ones((2, 2))),
            ValueError,
            "class_balanced_weights: counts has shape (2, 2); it must be (C,). Did you mean "
            "np.bincount(labels, minlength=C)?",
        ),
        (
            lambda: npl.inverse_frequency_weights([3, -1]),
            ValueError,
            "inverse_frequency_weights: counts[1] is -1.0; it must be finite, 0 or above.",
        ),
        (
            lambda: npl.class_balanced_weights(np.array([np.nan])),
            ValueError,
            "class_balanced_weights: counts[0] is nan; it must be finite, 0 or above.",
        ),
        (
            lambda: npl.class_balanced_weights([1, 2], 1.5),
            ValueError,
            "class_balanced_weights: beta is 1.5; it must lie in [0, 1].",
        ),
        (
            lambda: npl.inverse_frequency_weights([1, 2], -1),
            ValueError,
            "inverse_frequency_weights: power is -1; it must lie in [0, inf].",
        ),
        (
            lambda: npl.class_balanced_weights([1, 2], mean="classes"),  # type: ignore[arg-type]
            ValueError,
            "class_balanced_weights: mean is 'classes'; it must be one of 'class', 'sample'. Did you mean "
            "'class'?",
        ),
        (
            lambda: npl.class_balanced_weights(["a"]),
            TypeError,
            "class_balanced_weights: counts (list) is no array of real numbers: could not convert string "
            "to float: 'a'.",
        ),
    ],
)
def test_refused(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text
