"""The gradient-harmonized losses, whose elements weigh by all others: exactness, bins, weights, counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests import test_algebra as algebra
from tests import test_hygiene as hygiene
from tests.support.cases import Case
from tests.support.checks import vectors_like
from tests.support.exact import DIGITS, exact_row, relative_error

Array = np.ndarray
EPS = 16  # the bound, in eps
INF = float("inf")

# ---------------------------------------------------------------------- exact formulas


def _cross_entropy(options: dict[str, Any], x: Any, y: Any) -> Any:
    return options["w"] * (y * mp.log(1 + mp.exp(-x)) + (1 - y) * mp.log(1 + mp.exp(x)))


def _cross_entropy_terms(options: dict[str, Any], x: Any, y: Any) -> list[Any]:
    w = options["w"]
    return [w * ((1 - y) / (1 + mp.exp(-x)) + y / (1 + mp.exp(x))), w * abs(x)]


def _smooth(options: dict[str, Any], x: Any, y: Any) -> Any:
    mu = mpf(float(options.get("mu", 0.02)))
    return options["w"] * (mp.sqrt((x - y) ** 2 + mu**2) - mu)


def _norm(case: Case, x: Any, y: Any) -> Any:
    """Return the norm of one element's gradient without its weight."""
    if case.loss is npl.GHMCLoss:
        return abs(1 / (1 + mp.exp(-x)) - y)
    mu = mpf(float(case.options.get("mu", 0.02)))
    return abs(x - y) / mp.sqrt((x - y) ** 2 + mu**2)


def _bins(case: Case, x: Array, y: Array) -> list[int]:
    bins = case.options.get("bins", 10)
    with mp.workdps(DIGITS):
        norms = [_norm(case, mpf(float(a)), mpf(float(b))) for a, b in zip(x, y, strict=True)]
        return [min(int(mp.floor(norm * bins)), bins - 1) for norm in norms]


def _weights(case: Case, x: Array, y: Array) -> list[Any]:
    """Return the exact weight of each element."""
    own = _bins(case, x, y)
    momentum = mpf(float(case.options.get("momentum", 0)))
    earlier = case.options.get("bin_counts", [0] * case.options.get("bins", 10))
    with mp.workdps(DIGITS):
        running = {
            b: momentum * mpf(float(earlier[b])) + (1 - momentum) * own.count(b) for b in set(own)
        }
        return [len(own) / (len(running) * running[b]) for b in own]


# ---------------------------------------------------------------------- samples


def _logits(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 4).astype(dtype), rng.integers(0, 2, n).astype(dtype)


def _soft_logits(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 4).astype(dtype), rng.uniform(size=n).astype(dtype)


def _far_logits(dtype: type) -> tuple[Array, ...]:
    far = 80.0 if dtype == np.float32 else 700.0
    x = [far, -far, far, -far, 40, -40, 0.125, 1e-30, -1e-30, 1e4, -1e4, INF, -INF]
    y = [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 0]
    return np.array(x, dtype), np.array(y, dtype)


def _numbers(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    x = rng.normal(size=n)
    return x.astype(dtype), (x + rng.normal(size=n) * rng.choice([0.01, 1.0], n)).astype(dtype)


def _far_numbers(dtype: type) -> tuple[Array, ...]:
    far = 1e30 if dtype == np.float32 else 1e80
    x = [1e-6, 1e-30, 0.0, 3.0, far, -far, 1 / far, 1e5, 0.02, 0.5, 1e-3]
    y = [0, 0, 1e-12, 3 + 2.0**-20, 0, far, 0, -1e5, 1e-9, 0, 0]
    return np.array(x, dtype), np.array(y, dtype)


def _classifying(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"ghmc-{name}",
        npl.GHMCLoss,
        F.ghmc_loss,
        ghmc_in_torch,
        _soft_logits if soft else _logits,
        _far_logits,
        _cross_entropy,
        options,
        _cross_entropy_terms,
        (0, 1),
        edge=() if soft else (1,),
        poison=0.5,
    )


def _regressing(name: str, **options: Any) -> Case:
    return Case(
        f"ghmr-{name}",
        npl.GHMRLoss,
        F.ghmr_loss,
        ghmr_in_torch,
        _numbers,
        _far_numbers,
        _smooth,
        options,
        None,
        (0, 1),
    )


# ---------------------------------------------------------------------- what its authors compute


def _harmonized(norms: Any, mask: Any, bins: int, momentum: float, running: Any) -> Any:
    """Return the weights of the published code, and write to its running counts."""
    edges = [b / bins for b in range(bins)] + [1e3]
    valid = mask > 0
    total = max(valid.sum().item(), 1)
    weights, full = torch.zeros_like(norms), 0
    for b in range(bins):
        inside = (norms >= edges[b]) & (norms < edges[b + 1]) & valid
        count = inside.sum().item()
        if count > 0:
            full += 1
            if momentum > 0:
                running[b] = momentum * running[b] + (1 - momentum) * count
            weights[inside] = total / (running[b] if momentum > 0 else count)
    return weights / max(full, 1), total


def ghmc_in_torch(x: Any, y: Any, mask: Any, bins: int, momentum: float, running: Any) -> Any:
    weights, total = _harmonized((x.detach().sigmoid() - y).abs(), mask, bins, momentum, running)
    return (
        torch.nn.functional.binary_cross_entropy_with_logits(x, y, weights, reduction="sum") / total
    )


def ghmr_in_torch(x: Any, y: Any, mask: Any, bins: int, momentum: float, running: Any) -> Any:
    difference = x - y
    length = (difference * difference + 0.02**2).sqrt()
    norms = (difference / length).detach().abs()
    weights, total = _harmonized(norms, mask, bins, momentum, running)
    return ((length - 0.02) * weights).sum() / total


CASES = [
    _classifying("plain"),
    _classifying("soft", soft=True),
    _classifying("bins", bins=3),
    _classifying("many-bins", bins=300),
    _classifying("momentum", momentum=0.75, bins=4, bin_counts=[2.5, 1.0, 0.0, 20.0]),
    _regressing("plain"),
    _regressing("mu", mu=0.5, bins=7),
    _regressing("momentum", momentum=0.25, bins=2, bin_counts=[8.0, 3.0]),
]
ALL = pytest.mark.parametrize("case", CASES, ids=str)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# ---------------------------------------------------------------------- exactness


@ALL
@DTYPES
def test_exact(case: Case, dtype: type) -> None:
    random, far = case.sample(np.random.default_rng(20), dtype, 9), case.extremes(dtype)
    x, y = (np.concatenate(pair) for pair in zip(random, far, strict=True))
    loss = case.make(dtype, reduction="sum")
    losses = case.make(dtype, reduction="none")(x, y)
    gradients = npl.grad(loss, (0, 1))(x, y)
    vectors = vectors_like(case, (x, y))
    products = npl.hvp(loss, (x, y), vectors)
    diagonals = npl.hessian_diag(loss, (0, 1))(x, y)
    for i, w in enumerate(_weights(case, x, y)):
        exact = exact_row(case, {**case.options, "w": w}, (x[i], y[i]))

        def check(what: str, got: Any, want: Any, measure: Any, i: int = i) -> None:
            error = relative_error(got, want, measure, dtype)
            assert error <= EPS, f"{what} of element {i}: {got!r}, {mp.nstr(want, 20)}, {error} eps"

        check("loss", losses[i], exact.value, exact.value_measure)
        for n in range(2):
            check(f"gradient {n}", gradients[n][i], exact.gradient[n], exact.measure[n])
            check(f"diagonal {n}", diagonals[n][i], exact.hessian[n][n], exact.bend[n])
            with mp.workdps(DIGITS):
                terms = [
                    h * mpf(float(v[i])) for h, v in zip(exact.hessian[n], vectors, strict=True)
                ]
                total, measure = mp.fsum(terms), mp.fsum(abs(t) for t in terms)
            check(f"product {n}", products[n][i], total, measure)


@ALL
@pytest.mark.parametrize(
    "check",
    [
        algebra.test_reductions_agree,
        algebra.test_permutation,
        algebra.test_hvp_is_symmetric_and_linear,
        algebra.test_hessian_is_all_products,
        algebra.test_jvp_is_gradient_times_tangent,
        algebra.test_finite_differences,
        algebra.test_class_and_function_are_one,
        hygiene.test_lists_are_float64,
        hygiene.test_inputs_are_not_written_and_not_aliased,
        hygiene.test_no_sample,
        hygiene.test_all_removed,
        hygiene.test_a_loss_is_a_value,
        *[
            lambda case, dtype=dtype: hygiene.test_threads_do_not_change_a_bit(case, dtype)
            for dtype in (np.float32, np.float64)
        ],
        *[
            lambda case, dtype=dtype, r=r: hygiene.test_dtype_in_is_dtype_out(case, dtype, r)
            for dtype in (np.float16, np.float32, np.float64)
            for r in ("none", "mean", "sum", "batchmean")
        ],
        *[
            lambda case, r=r: algebra.test_weight_two_duplicates(case, r)
            for r in ("mean", "sum", "batchmean")
        ],
        *[
            lambda case, r=r, p=p: algebra.test_weight_zero_deletes(case, r, p)
            for r in ("mean", "sum", "batchmean")
            for p in (np.nan, np.inf, -np.inf)
        ],
    ],
)
def test_what_every_loss_does(case: Case, check: Callable[..., None]) -> None:
    check(case)


# ---------------------------------------------------------------------- bins


@pytest.mark.parametrize("bins", [1, 2, 3, 10, 30, 100])
def test_bins_are_exact_next_to_their_edges(bins: int) -> None:
    edges = [float(np.log(b / (bins - b))) for b in range(1, bins)]
    near = [edges, np.nextafter(edges, INF), np.nextafter(edges, -INF), -np.array(edges)]
    x = np.concatenate([*near, [0.0, -0.0, 1e-300, INF, -INF]])
    case = CASES[0]
    for dtype in (np.float32, np.float64):
        z = x.astype(dtype)
        for target in (0.0, 1.0):
            y = np.full_like(z, target)
            own = _bins(replace(case, options={"bins": bins}), z, y)
            for shift in range(
                0, len(z), 7
            ):  # a few at a time, so that no error makes up for another
                part = slice(shift, shift + 7)
                counts = npl.GHMCLoss(bins).updated_counts(z[part], y[part])
                assert counts.tolist() == [own[part].count(b) for b in range(bins)]


@pytest.mark.parametrize("mu", [0.02, 1.0, 1e-30, 3e20])
def test_bins_of_residuals_are_exact_next_to_their_edges(mu: float) -> None:
    edges = np.array([mu * b / np.sqrt(100 - b * b) for b in range(1, 10)])
    x = np.concatenate([edges, np.nextafter(edges, INF), -np.nextafter(edges, 0), [0.0, INF, -INF]])
    y = np.zeros_like(x)
    case = _regressing("", mu=mu)
    own = [
        9 if np.isinf(a) else b for a, b in zip(x, _bins(case, np.nan_to_num(x), y), strict=True)
    ]
    for i in range(len(x)):
        counts = npl.GHMRLoss(mu).updated_counts(x[i : i + 1], y[i : i + 1])
        assert counts[own[i]] == 1, f"{x[i]} lies in {np.argmax(counts)}, not in {own[i]}"


def test_an_edge_belongs_to_the_bin_above() -> None:
    halves = npl.GHMCLoss(2).updated_counts(np.zeros(1), np.zeros(1))
    assert halves.tolist() == [0, 1]
    soft = npl.GHMCLoss(4).updated_counts(np.zeros(4), np.array([0.25, 0.5, 0.75, 1.0]))
    assert soft.tolist() == [1, 2, 1, 0]


def test_precisions_agree_on_the_bins() -> None:
    rng = np.random.default_rng(5)
    x, y = (4 * rng.normal(size=100_000)).astype(np.float32), rng.integers(0, 2, 100_000)
    for loss in (npl.GHMCLoss(), npl.GHMRLoss(0.3)):
        counts = loss.updated_counts(x, y)
        assert counts.sum() == 100_000
        np.testing.assert_array_equal(counts, loss.updated_counts(x.astype(float), y.astype(float)))


def test_nan_lies_in_no_bin_and_is_let_through() -> None:
    x, y = np.array([np.nan, 3.0, -1.0]), np.array([0.0, 1.0, 1.0])
    for function in (F.ghmc_loss, F.ghmr_loss):
        losses = function(x, y, reduction="none")
        assert np.isnan(losses).tolist() == [True, False, False]
        assert np.isnan(function(x, y))
    assert npl.GHMCLoss().updated_counts(x, y).sum() == 2


# ---------------------------------------------------------------------- weights and counts


@pytest.mark.parametrize("momentum", [0.0, 0.75])
@pytest.mark.parametrize(
    ("loss", "theirs"), [(npl.GHMCLoss, ghmc_in_torch), (npl.GHMRLoss, ghmr_in_torch)]
)
def test_as_its_authors_have_it(loss: Any, theirs: Any, momentum: float) -> None:
    rng = np.random.default_rng(1)
    running, counts = [0.0] * 10, None
    for _ in range(4):
        x, y = 3 * rng.normal(size=(12, 5)), rng.integers(0, 2, (12, 5)).astype(float)
        mask = rng.integers(0, 2, (12, 5)).astype(float)
        own = loss(momentum=momentum, bin_counts=counts)
        value, gradient = npl.value_and_grad(own)(x, y, sample_weight=mask)
        tensor = torch.tensor(x, requires_grad=True)
        other = theirs(tensor, torch.tensor(y), torch.tensor(mask), 10, momentum, running)
        other.backward()
        np.testing.assert_allclose(value, other.item(), rtol=1e-12)
        np.testing.assert_allclose(gradient, tensor.grad, rtol=1e-10, atol=1e-14)
        counts = own.updated_counts(x, y, sample_weight=mask)
        if momentum:
            np.testing.assert_allclose(counts, running, rtol=1e-14)
        else:
            assert counts.sum() == mask.sum()


def test_every_bin_weighs_the_same() -> None:
    rng = np.random.default_rng(3)
    x, y = 3 * rng.normal(size=500), rng.integers(0, 2, 500)
    plain = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    weights = F.ghmc_loss(x, y, reduction="none") / plain
    norms = np.abs(1 / (1 + np.exp(-x)) - y)
    sums = [weights[(norms >= b / 10) & (norms < (b + 1) / 10)].sum() for b in range(10)]
    np.testing.assert_allclose(sums, 50, rtol=1e-12)
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-12)


def test_one_bin_is_no_harmony() -> None:
    x, y = np.random.default_rng(3).normal(size=(2, 50))
    np.testing.assert_allclose(
        F.ghmc_loss(x, y > 0, bins=1), F.binary_cross_entropy_with_logits(x, y > 0), rtol=1e-15
    )


def test_weights_are_constants_of_the_derivative() -> None:
    x, y = np.array([3.0, 2.9, -3.0, 0.1]), np.array([1.0, 1.0, 1.0, 0.0])
    plain = npl.grad(lambda x: F.binary_cross_entropy_with_logits(x, y, reduction="sum"))(x)
    whole = npl.grad(lambda x: F.ghmc_loss(x, y, reduction="sum"))(x)
    np.testing.assert_allclose(whole, plain * np.array([2 / 3, 2 / 3, 4 / 3, 4 / 3]), rtol=1e-15)


def test_arguments_that_broadcast() -> None:
    x, y = np.random.default_rng(3).normal(size=(6, 3)), np.array([[1.0, 0.0, 1.0]])
    whole = np.repeat(y, 6, 0)
    for function in (F.ghmc_loss, F.ghmr_loss):
        assert function(x, y) == function(x, whole)
        assert function(x, 1.0) == function(x, np.ones_like(x))
        along = npl.grad(function, 1)(x, y)
        np.testing.assert_allclose(
            along, npl.grad(function, 1)(x, whole).sum(0, keepdims=True), rtol=1e-13
        )
        assert function(2.0, 1.0, reduction="none").shape == ()


def test_empty_bins_keep_their_counts() -> None:
    loss = npl.GHMCLoss(2, 0.5, bin_counts=[6.0, 8.0])
    assert loss.updated_counts(np.array([-5.0, -4.0]), np.zeros(2)).tolist() == [4, 8]
    nothing = loss.updated_counts(np.zeros(0), np.zeros(0))
    assert nothing.tolist() == [6, 8]


def test_limits() -> None:
    x, y = np.array([INF, -INF, INF, -INF]), np.array([1.0, 0.0, 0.0, 1.0])
    for dtype in (np.float32, np.float64):
        z, t = x.astype(dtype), y.astype(dtype)
        value, pullback = npl.vjp(npl.GHMCLoss(reduction="none"), z, t)
        assert value.tolist() == [0, 0, INF, INF]
        assert pullback(np.ones_like(value))[0].tolist() == [0, 0, 1, -1]
        value, pullback = npl.vjp(npl.GHMRLoss(reduction="none"), z[:2], t[:2])
        assert value.tolist() == [INF, INF]
        assert pullback(np.ones_like(value))[0].tolist() == [1, -1]


def test_where_the_authors_code_differs() -> None:
    x = np.array([100.0, -3.0, 3e-5], np.float32)
    y, ones = np.array([1, 1, 0], np.float32), torch.ones(3)
    tensor = torch.tensor(x, requires_grad=True)
    ghmc_in_torch(tensor, torch.tensor(y), ones, 10, 0.0, None).backward()
    gradient = npl.grad(F.ghmc_loss)(x, y)
    assert tensor.grad is not None
    assert tensor.grad[0] == 0
    np.testing.assert_allclose(gradient[0], -np.exp(-100) / 3, rtol=1e-6, atol=2e-45)

    x = np.full(3, 1e-6, np.float32)
    assert ghmr_in_torch(torch.tensor(x), torch.zeros(3), ones, 10, 0.0, None) == 0
    np.testing.assert_allclose(F.ghmr_loss(x, np.zeros(3, np.float32)), 2.5e-11, rtol=1e-6)

    infinite = torch.tensor([INF, 1.0]), torch.ones(2)
    assert torch.isnan(ghmc_in_torch(*infinite, torch.ones(2), 10, 0.0, None))
    assert np.isfinite(F.ghmc_loss(infinite[0].numpy(), np.ones(2)))

    assert ghmc_in_torch(*infinite, torch.zeros(2), 10, 0.0, None).isnan()
    assert ghmr_in_torch(torch.ones(2), torch.ones(2), torch.zeros(2), 10, 0.0, None) == 0
    assert np.isnan(F.ghmr_loss(np.ones(2), np.ones(2), sample_weight=0.0))

    x = np.array([0.8472977], np.float32)  # a norm of 0.7 less a hair, which float32 rounds up
    assert torch.tensor(x).sigmoid() >= 0.7
    assert npl.GHMCLoss().updated_counts(x, np.zeros(1)).argmax() == 6


def test_residuals_of_all_sizes() -> None:
    x, zero = np.array([1e200, 1e-100, 1e-150]), np.zeros(3)
    loss = npl.GHMRLoss(1e-3, bins=1, reduction="sum")
    losses = replace(loss, reduction="none")(x, zero)
    np.testing.assert_allclose(losses, [1e200, 5e-198, 5e-298], rtol=1e-13)
    np.testing.assert_allclose(npl.grad(loss)(x, zero), [1, 1e-97, 1e-147], rtol=1e-15)
    np.testing.assert_allclose(npl.hessian_diag(loss)(x, zero), [0, 1e3, 1e3], rtol=1e-15)
    tiny = npl.GHMRLoss(1e-200, bins=1, reduction="none")
    np.testing.assert_allclose(tiny(x, zero), x, rtol=1e-15)
    narrow = npl.GHMRLoss(1e-30, bins=1)  # in float32, where 1e-30 has no square
    value = narrow(np.array([1e-30], np.float32), np.zeros(1, np.float32), normalizer=1e-30)
    np.testing.assert_allclose(value, 2**0.5 - 1, rtol=1e-6)


def test_memory_beside_the_gradient_is_a_weight_per_element() -> None:
    import tracemalloc

    x, y = np.ones(2_000_000, np.float32), np.zeros(2_000_000, np.float32)
    threads = npl.get_num_threads()
    npl.set_num_threads(1)  # each has a block of its own at work
    try:
        for function in (F.ghmc_loss, F.ghmr_loss):
            step = npl.value_and_grad(function)
            step(x, y)
            tracemalloc.start()
            try:
                step(x, y)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < 2.5 * x.nbytes
    finally:
        npl.set_num_threads(threads)


@pytest.mark.parametrize("loss", [npl.GHMCLoss, npl.GHMRLoss])
def test_a_float32_of_the_callers_keeps_the_arithmetic_in_float64(loss: Any) -> None:
    x, y = np.array([0.3, -2.0, 1.0]), np.array([0.0, 1.0, 1.0])
    momentum = np.float32(0.1)
    got, exact = (
        loss(momentum=m, bin_counts=np.arange(10.0), reduction="none")(x, y)
        for m in (momentum, float(momentum))
    )
    np.testing.assert_array_equal(got, exact)
