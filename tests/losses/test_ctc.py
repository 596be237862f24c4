"""Connectionist temporal classification, whose samples are not rows of its arguments.

`F.ctc_loss` and `npl.CTCLoss` in the tests that every loss has, made for their shapes.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.alignments import exact_sample, hvp, log_probs_of

DTYPES = [np.float32, np.float64]


def batch(
    n: int = 4, dtype: Any = np.float64, seed: int = 0, times: int = 7, classes: int = 4
) -> tuple[np.ndarray, ...]:
    """Return `n` samples of several lengths, each with an alignment."""
    rng = np.random.default_rng(seed)
    x = log_probs_of((1.0, True), seed, times, n, classes).astype(dtype)
    targets = rng.integers(1, classes, (n, 3))
    own = rng.integers(times - 2, times + 1, n)
    return x, targets, own, rng.integers(0, min(3, times // 2) + 1, n)


def take(arguments: tuple[np.ndarray, ...], rows: Any) -> tuple[np.ndarray, ...]:
    """Return some of the samples of a batch."""
    x, targets, own, wanted = arguments
    return x[:, rows], targets[rows], own[rows], wanted[rows]


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
def test_masked_classes(dtype: type) -> None:
    x = np.array([[0, -1, -np.inf], [-np.inf, 0, -2], [-1, -np.inf, 0], [0, -1, -1]], dtype)
    truth = exact_sample(x.astype(np.float64), [1, 2])
    value, gradient = npl.value_and_grad(F.ctc_loss)(x, [1, 2], 4, 2, reduction="sum")
    np.testing.assert_allclose(value, float(truth.value), rtol=np.finfo(dtype).eps)
    expected = np.array(truth.gradient, float).reshape(x.shape)
    np.testing.assert_allclose(gradient, expected, rtol=2 * np.finfo(dtype).eps)
    assert not gradient[np.isinf(x)].any()
    assert not np.isnan(hvp(npl.CTCLoss(), (x, [1, 2], 4, 2), np.ones_like(x))).any()


IMPOSSIBLE = [
    pytest.param(np.zeros((2, 3)), [1, 2, 1], 2, id="too short"),
    pytest.param(np.zeros((2, 3)), [1, 1], 2, id="too short for the blank between equal labels"),
    pytest.param(np.zeros((4, 3)), [1], 0, id="no time step"),
    pytest.param(np.array([[0, -np.inf, 0]] * 3), [1], 3, id="masked"),
    pytest.param(np.full((3, 3), -np.inf), [], 3, id="all masked"),
]


@pytest.mark.parametrize(("x", "labels", "times"), IMPOSSIBLE)
def test_no_alignment(x: np.ndarray, labels: list[int], times: int) -> None:
    for zero_infinity, expected in ((False, np.inf), (True, 0.0)):
        loss = npl.CTCLoss(zero_infinity=zero_infinity, reduction="sum")
        value, gradient = npl.value_and_grad(loss)(x, labels, times, len(labels))
        assert value == expected
        np.testing.assert_array_equal(gradient, np.zeros_like(x))
        product = hvp(loss, (x, labels, times, len(labels)), np.ones_like(x))
        np.testing.assert_array_equal(product, np.zeros_like(x))
        # Beside a sample that has some, it leaves that one alone.
        both = np.stack([x, log_probs_of((1.0, True), 0, *x.shape)], 1)
        table = np.array([[*labels, 1, 1, 1][:3], [1, 0, 0]])
        lengths = ([times, len(x)], [len(labels), 1])
        alone = npl.grad(loss)(both[:, 1], [1], len(x), 1)
        np.testing.assert_array_equal(npl.grad(loss)(both, table, *lengths)[:, 1], alone)


def test_empty_targets_are_all_blanks() -> None:
    x, _, own, _ = batch()
    for targets in (np.zeros((4, 0), int), np.zeros(0, int), np.full((4, 2), -1)):
        losses = F.ctc_loss(x, targets, own, [0] * 4, reduction="none")
        expected = [-x[:n, i, 0].sum() for i, n in enumerate(own)]
        np.testing.assert_allclose(losses, expected, rtol=1e-15)
    assert F.ctc_loss(x[:, 0], [], 0, 0) == 0  # nothing, and nothing to say


@pytest.mark.parametrize("wild", [np.nan, np.inf, 1e3, -1e3, -1e4, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_leave_each_other_alone(wild: float, dtype: type) -> None:
    arguments = batch(6, dtype, times=30, classes=9)
    expected = npl.grad(F.ctc_loss)(*arguments)
    v = np.random.default_rng(0).normal(size=expected.shape).astype(dtype)
    products = hvp(npl.CTCLoss(), arguments, v)
    for own in (slice(None), slice(3, 5)):
        for i in range(6):
            x = arguments[0].copy()
            x[own, i] = wild
            others = np.arange(6) != i
            gradient = npl.grad(F.ctc_loss)(x, *arguments[1:])
            np.testing.assert_array_equal(gradient[:, others], expected[:, others])
            along = v.copy()
            along[own, i] = wild
            for hard in ((x, v), (arguments[0], along)):
                product = hvp(npl.CTCLoss(), (hard[0], *arguments[1:]), hard[1])
                np.testing.assert_array_equal(product[:, others], products[:, others])


def test_padding_may_hold_anything() -> None:
    arguments = batch()
    x, targets, own, wanted = (a.copy() for a in arguments)
    for i in range(4):
        x[own[i] :, i] = np.nan
        targets[i, wanted[i] :] = [-7, 99, 0][: 3 - wanted[i]]
    loss = npl.CTCLoss()
    v = np.ones_like(x)
    for got, expected in (
        (loss(x, targets, own, wanted), loss(*arguments)),
        (npl.grad(loss)(x, targets, own, wanted), npl.grad(loss)(*arguments)),
        (hvp(loss, (x, targets, own, wanted), v), hvp(loss, arguments, v)),
    ):
        np.testing.assert_array_equal(got, expected)
    past = np.arange(len(x))[:, None] >= own
    assert not npl.grad(loss)(*arguments)[past].any()


# ---------------------------------------------------------------------- algebra


def test_reductions_agree() -> None:
    arguments = batch(9)
    losses = F.ctc_loss(*arguments, reduction="none")
    np.testing.assert_allclose(F.ctc_loss(*arguments, reduction="sum"), losses.sum(), rtol=1e-15)
    mean = (losses / np.maximum(arguments[3], 1)).mean()
    np.testing.assert_allclose(F.ctc_loss(*arguments), mean, rtol=1e-15)
    batchmean = F.ctc_loss(*arguments, reduction="batchmean")
    np.testing.assert_allclose(batchmean, losses.sum() / 9, rtol=1e-15)
    np.testing.assert_allclose(F.ctc_loss(*arguments, normalizer=7.0), mean * 9 / 7, rtol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean"])
def test_weights(reduction: str) -> None:
    arguments = batch(6)
    loss = npl.CTCLoss(reduction=reduction)
    weight = np.array([1, 2, 1, 3, 1, 1])
    repeated = take(arguments, np.repeat(np.arange(6), weight))
    np.testing.assert_allclose(loss(*arguments, sample_weight=weight), loss(*repeated), rtol=1e-14)
    kept = np.array([True, False, True, True, False, True])
    x, targets, own, wanted = (a.copy() for a in arguments)
    x[:, ~kept], targets[~kept], own[~kept], wanted[~kept] = np.nan, 10**6, -5, 10**6
    poisoned, few = (x, targets, own, wanted), take(arguments, kept)
    value, gradient = npl.value_and_grad(loss)(*poisoned, sample_weight=kept)
    assert value == pytest.approx(loss(*few), rel=1e-15)
    v = np.random.default_rng(0).normal(size=x.shape)
    for got, expected in (
        (gradient, npl.grad(loss)(*few)),
        (hvp(loss, poisoned, v, sample_weight=kept), hvp(loss, few, v[:, kept])),
    ):
        np.testing.assert_allclose(got[:, kept], expected, rtol=1e-14)
        assert not got[:, ~kept].any()


def test_permutation() -> None:
    arguments = batch(9)
    order = np.random.default_rng(1).permutation(9)
    losses = F.ctc_loss(*arguments, reduction="none")
    shuffled = take(arguments, order)
    np.testing.assert_array_equal(F.ctc_loss(*shuffled, reduction="none"), losses[order])
    gradient = npl.grad(F.ctc_loss)(*arguments)
    np.testing.assert_array_equal(npl.grad(F.ctc_loss)(*shuffled), gradient[:, order])


def test_hvp_is_symmetric_and_linear() -> None:
    arguments = batch(5)
    loss = npl.CTCLoss()
    u, v = np.random.default_rng(1).normal(size=(2, *arguments[0].shape))
    hu, hv = hvp(loss, arguments, u), hvp(loss, arguments, v)
    assert np.vdot(u, hv) == pytest.approx(np.vdot(v, hu), rel=1e-12)
    np.testing.assert_allclose(
        hvp(loss, arguments, 2 * u - 3 * v), 2 * hu - 3 * hv, rtol=1e-10, atol=1e-14
    )
    # The occupancies of a time step add up to one, whatever the log-probabilities.
    np.testing.assert_allclose(hu.sum(-1), 0, atol=1e-15)


@pytest.mark.parametrize("exponent", [-1060, -1030, -900, 900, 1020])
def test_hvp_along_vectors_of_any_size(exponent: int) -> None:
    arguments = batch()
    loss = npl.CTCLoss(reduction="sum")
    v = np.random.default_rng(1).normal(size=arguments[0].shape)
    product = hvp(loss, arguments, np.ldexp(v, exponent))
    smallest = float(np.finfo(np.float64).smallest_subnormal)
    expected = np.ldexp(hvp(loss, arguments, v), exponent)
    np.testing.assert_allclose(product, expected, rtol=1e-12, atol=8 * smallest)


def test_hessian_and_tangents() -> None:
    arguments = batch(2, times=4)
    loss = npl.CTCLoss()
    size = arguments[0].size
    hessian = npl.hessian(loss)(*arguments).reshape(size, size)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-16)
    diagonal = npl.hessian_diag(loss)(*arguments)
    np.testing.assert_allclose(hessian.diagonal(), diagonal.ravel(), rtol=1e-12)
    v = np.random.default_rng(0).normal(size=arguments[0].shape)
    _, change = npl.jvp(loss, arguments, (v, None, None, None))
    assert change == pytest.approx(np.vdot(v, npl.grad(loss)(*arguments)), rel=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_finite_differences(reduction: str) -> None:
    npl.check_grads(npl.CTCLoss(reduction=reduction), batch(3), argnums=(0,))


def test_class_and_function_are_one() -> None:
    arguments = batch(5)
    weight = np.linspace(0, 1, 5)
    loss = npl.CTCLoss(reduction="batchmean")
    value = F.ctc_loss(*arguments, reduction="batchmean", sample_weight=weight)
    assert loss(*arguments, sample_weight=weight) == value
    for other in (
        pickle.loads(pickle.dumps(loss)),
        copy.deepcopy(loss),
        eval(repr(loss), vars(npl)),
    ):
        assert other(*arguments) == loss(*arguments)


# ---------------------------------------------------------------------- hygiene


@pytest.mark.parametrize("dtype", [np.float16, *DTYPES])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "batchmean"])
def test_dtype_in_is_dtype_out(dtype: type, reduction: str) -> None:
    arguments = batch(4, dtype)
    value, pullback = npl.vjp(npl.CTCLoss(reduction=reduction), *arguments)
    assert value.dtype == dtype
    gradient, *others = pullback(np.ones_like(value))
    assert (gradient.dtype, gradient.shape) == (dtype, arguments[0].shape)
    assert others == [None] * 3
    assert hvp(npl.CTCLoss(), arguments, np.ones_like(arguments[0])).dtype == dtype
    wide = npl.CTCLoss(reduction=reduction)(arguments[0].astype(float), *arguments[1:])
    np.testing.assert_array_equal(value, wide.astype(dtype))


def test_inputs_are_not_written_and_may_lie_anyhow() -> None:
    arguments = batch(5)
    x, targets, own, wanted = arguments
    ends = np.concatenate([row[:n] for row, n in zip(targets, wanted, strict=True)])
    loss = npl.CTCLoss()
    expected = (loss(*arguments), npl.grad(loss)(*arguments))
    strided = np.repeat(x, 2, -1)[..., ::2]
    backwards = (strided[::-1].copy()[::-1], ends[::-1].copy()[::-1], own[::-1].copy()[::-1])
    spaced = (np.asfortranarray(x), np.repeat(ends, 2)[::2], own.astype(">i4"))
    for first, labels, lengths in ((x, targets, own), (strided, ends, own), backwards, spaced):
        given = (first, labels, lengths, wanted)
        for a in given:
            a.flags.writeable = False
        before = [a.tobytes() for a in given]
        value, gradient = npl.value_and_grad(loss)(*given)
        assert value == expected[0]
        np.testing.assert_array_equal(gradient, expected[1])
        hvp(loss, given, x)
        assert [a.tobytes() for a in given] == before
        assert not np.shares_memory(gradient, first)
    lists = (x.tolist(), targets.tolist(), own.tolist(), tuple(wanted.tolist()))
    assert loss(*lists) == expected[0]


def test_no_sample() -> None:
    x, targets, own, wanted = take(batch(), slice(0))
    for labels in (targets, np.zeros(0, int)):
        arguments = (x, labels, own, wanted)
        value, gradient = npl.value_and_grad(npl.CTCLoss())(*arguments)
        assert np.isnan(value)
        assert gradient.shape == x.shape
        assert npl.CTCLoss(empty="zero")(*arguments) == 0
        assert npl.CTCLoss(reduction="none")(*arguments).shape == (0,)
        with pytest.raises(ValueError, match="mean of nothing"):
            npl.CTCLoss(empty="raise")(*arguments)
    x, targets, own, wanted = batch()
    value, gradient = npl.value_and_grad(F.ctc_loss)(x, targets, own, wanted, sample_weight=0.0)
    assert np.isnan(value)
    assert not gradient.any()


def test_threads_and_blocks_do_not_change_a_bit() -> None:
    few = batch(40, np.float32, times=60, classes=9)
    arguments = take(few, np.tile(np.arange(40), 180))  # several blocks
    loss = npl.CTCLoss(reduction="sum")
    v = np.ones_like(arguments[0])
    threads = npl.get_num_threads()
    seen = set()
    try:
        for count in (1, 2, 5):
            npl.set_num_threads(count)
            value, gradient = npl.value_and_grad(loss)(*arguments)
            seen.add((value.tobytes(), gradient.tobytes(), hvp(loss, arguments, v).tobytes()))
    finally:
        npl.set_num_threads(threads)
    assert len(seen) == 1
    np.testing.assert_array_equal(gradient, np.tile(npl.grad(loss)(*few), (1, 180, 1)))
