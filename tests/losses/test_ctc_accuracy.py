"""Connectionist temporal classification against exact results: all alignments, and 200 time steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F
from benchmarks import exact
from npl import numerics
from tests.support.alignments import (
    DIGITS,
    ExactSample,
    exact_product,
    exact_sample,
    hvp,
    log_probs_of,
)
from tests.support.exact import relative_error

EPS = 16  # the bound, in eps
DTYPES = [np.float32, np.float64]
T, C = 5, 3
# Labels of the samples whose alignments are all gone through, and the blank.
SEQUENCES = [
    ([], 0),
    ([1], 0),
    ([1, 2], 0),
    ([2, 2], 0),
    ([1, 2, 1], 0),
    ([0, 1], 2),
    ([1, 1, 1], 0),
]
# How large log-probabilities are, and whether they come from a log-softmax.
KINDS = [
    (0.0, True),
    (1.0, True),
    (1.0, False),
    (10.0, True),
    (30.0, True),
    (100.0, False),
    (1e4, False),
]


@cache
def sample(labels: tuple[int, ...], blank: int, kind: Any, dtype: type) -> tuple[Any, ExactSample]:
    x = log_probs_of(kind, 3 + len(labels), T, C).astype(dtype)
    return x, exact_sample(x, list(labels), blank)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("labels", "blank"), SEQUENCES, ids=str)
def test_all_alignments_one_by_one(labels: list[int], blank: int, kind: Any, dtype: type) -> None:
    x, truth = sample(tuple(labels), blank, kind, dtype)
    loss = npl.CTCLoss(blank, reduction="sum")
    arguments = (x[:, None], np.array([labels], int), [T], [len(labels)])
    value, gradient = npl.value_and_grad(loss)(*arguments)
    assert relative_error(value, truth.value, truth.measure, dtype) <= EPS
    diagonal = npl.hessian_diag(loss)(*arguments)
    for k, (got, second) in enumerate(zip(gradient.flat, diagonal.flat, strict=True)):
        assert relative_error(got, truth.gradient[k], abs(truth.gradient[k]), dtype) <= EPS
        h = truth.hessian[k, k]
        assert relative_error(second, h, abs(h), dtype) <= EPS

    v = np.random.default_rng(5).normal(size=x.shape).astype(dtype)
    product = hvp(loss, arguments, v[:, None])
    with mp.workdps(DIGITS):
        moves = [mpf(float(e)) for e in v.flat]
        for k, got in enumerate(product.flat):
            terms = [h * m for h, m in zip(truth.hessian[k], moves, strict=True)]
            measure = mp.fsum(abs(term) for term in terms)
            assert relative_error(got, mp.fsum(terms), measure, dtype) <= EPS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [(0.0, True), (1.0, True), (3.0, True), (1.0, False)], ids=str)
@pytest.mark.parametrize(("classes", "count"), [(60, 30), (3, 60)])
def test_200_time_steps(kind: Any, classes: int, count: int, dtype: type) -> None:
    x = log_probs_of(kind, 1, 200, 1, classes).astype(dtype)
    labels = np.random.default_rng(2).integers(1, classes, (1, count))
    arguments = (x, labels, [200], [count])
    value, gradient = npl.value_and_grad(npl.CTCLoss(reduction="sum"))(*arguments)
    want, slope = exact.ctc_loss(x[:, 0], labels[0], 200, count)
    assert relative_error(value, want, abs(want), dtype) <= EPS
    # Nothing cancels, but the roundings of 200 steps add up: mostly to some 8 eps, at times to 17.
    limit = EPS + float(np.ptp(x))  # as `test_accuracy` has it
    for got, g in zip(gradient.flat, slope.flat, strict=True):
        assert relative_error(got, g, abs(g), dtype) <= limit


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("small", [1e-4, 1e-9, 1e-15, 1e-30])
def test_tiny_losses(small: float, dtype: type) -> None:
    # Nearly certain, and the other alignments a thousandfold less likely than what is missing.
    x = np.full((6, 3), np.log(1e-3 * small))
    for t, k in enumerate([0, 1, 0, 2, 2, 0]):
        x[t, k] = -small
    x = x.astype(dtype)
    truth = exact_sample(x, [1, 2])
    value = F.ctc_loss(x, [1, 2], 6, 2)
    assert relative_error(2 * value, truth.value, truth.measure, dtype) <= EPS
    assert 0 < value < 6 * small


def test_prefixes_far_behind_that_will_count() -> None:
    # Ten labels of exp(-1000) each: every way to the end starts more than 1e-4000 behind the blanks.
    x = np.full((25, 1, 3), -1000.0)
    x[:, :, 0] = 0
    labels = np.tile([1, 2], 5)[None]
    value, gradient = npl.value_and_grad(F.ctc_loss)(x, labels, [25], [10], reduction="sum")
    want, slope = exact.ctc_loss(x[:, 0], labels[0], 25, 10)
    np.testing.assert_allclose(value, float(want), rtol=4e-16)
    np.testing.assert_allclose(gradient[:, 0], slope.astype(float), rtol=3e-13)


def test_more_alignments_than_a_float_holds() -> None:
    x = np.full((3000, 1, 2), -np.log(2))
    labels = np.ones((1, 400), int)
    loss = npl.CTCLoss(reduction="sum")
    value, gradient = npl.value_and_grad(loss)(x, labels, [3000], [400])
    # Runs of labels with blanks between: of 3000 steps choose the 800 ends of 400 runs.
    count = mp.binomial(3001, 800)
    assert mp.log(count, 10) > 700
    np.testing.assert_allclose(value, float(3000 * mp.log(2) - mp.log(count)), rtol=1e-12)
    np.testing.assert_allclose(gradient.sum(-1), -1, rtol=1e-14)
    np.testing.assert_allclose(gradient, gradient[::-1], rtol=1e-11)  # the alignments backwards
    v = np.random.default_rng(0).normal(size=x.shape)
    product = hvp(loss, (x, labels, [3000], [400]), v)
    assert np.isfinite(product).all()
    np.testing.assert_allclose(product.sum(-1), 0, atol=1e-12)


@cache
def long_sample(kind: Any) -> tuple[Any, Any, Any]:
    """Return a sample of 200 time steps, and the absolute values in its Hessian."""
    x = log_probs_of(kind, 6, 200, 1, 3)
    labels = np.random.default_rng(7).integers(1, 3, (1, 25))
    hessian = npl.hessian(npl.CTCLoss(reduction="sum"))(x, labels, [200], [25])
    return x, labels, np.abs(hessian).reshape(x.size, x.size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [(1.0, True), (10.0, True)], ids=str)
def test_products_over_200_time_steps(kind: Any, dtype: type) -> None:
    x, labels, hessian = long_sample(kind)
    v = np.random.default_rng(8).normal(size=x.shape)
    # Relative to the absolute sum of the terms, for which the other dtype's Hessian is good enough.
    measure = hessian @ np.abs(v).ravel()
    x, v = x.astype(dtype), v.astype(dtype)
    product = hvp(npl.CTCLoss(reduction="sum"), (x, labels, [200], [25]), v)
    want = exact_product(x[:, 0], labels[0], v[:, 0])
    for got, h, m in zip(product.flat, want.flat, measure, strict=True):
        assert relative_error(got, h, mpf(m), dtype) <= EPS


# ---------------------------------------------------------------------- which way, and that they agree


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [(1.0, True), (1.0, False)], ids=str)
@pytest.mark.parametrize(("times", "classes", "count"), [(50, 20, 10), (1000, 60, 100)])
def test_common_batches_are_sure(
    times: int, classes: int, count: int, kind: Any, dtype: type
) -> None:
    x = log_probs_of(kind, 1, 3, times, classes).astype(dtype)
    labels = np.random.default_rng(2).integers(1, classes, (3, count))
    lengths = np.full(3, times), np.full(3, count)
    assert numerics.scaled_align(x, labels, *lengths, 0)[1].all()


SCALES = [0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hole", [None, -np.inf, -1e4, -740.0])
@pytest.mark.parametrize("seed", range(3))
def test_both_ways_agree_on_what_is_sure(seed: int, hole: float | None, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    times, classes, count = 80, (3, 9, 40)[seed], 15
    rows = 2 * len(SCALES)
    x = rng.normal(size=(rows, times, classes)) * np.repeat(SCALES, 2)[:, None, None]
    x[::2] -= np.logaddexp.reduce(x[::2], -1, keepdims=True)
    if hole is not None:
        x[rng.random(x.shape) < 0.03] = hole
    x = x.astype(dtype)
    labels = rng.integers(1, classes, (rows, count))
    own = rng.integers(times // 2, times + 1, rows)
    wanted = rng.integers(0, count + 1, rows)
    with np.errstate(all="ignore"):
        losses, sure, scaled = numerics.scaled_align(x, labels, own, wanted, 0)
        want, alignments = numerics.align(x, labels, own, wanted, 0)
        got, expected = np.empty((2, *x.shape))
        numerics.scaled_to_classes(scaled, got, np.ones(rows))
        occupancy = numerics.posterior(alignments).occupancy
        numerics.to_classes(alignments, occupancy, expected, np.ones(rows))
    # A factor below float64's range may matter to it.
    assert sure.sum() >= 4 or (dtype == np.float64 and hole in (-1e4, -740.0))
    np.testing.assert_allclose(losses[sure], want[sure], rtol=2 * np.finfo(dtype).eps)
    # What float32 is made of, or all but the last that float64 has, which the other way may lose.
    smallest = 2.0**-209 if dtype == np.float32 else 1e-250
    matters = np.maximum(got, expected)[sure] > smallest
    np.testing.assert_allclose(got[sure][matters], expected[sure][matters], rtol=1e-14)
