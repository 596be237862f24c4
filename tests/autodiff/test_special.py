"""`npl.special` against SciPy: values, options, limits, dtypes; and more digits where SciPy's are few."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import npl

INF = np.inf
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)) * 3
NAMES = ("logsumexp", "softmax", "log_softmax")
VALUES: dict[str, Any] = {
    "cube": X,
    "large": X * 1e3,
    "float32": X.astype(np.float32),
    "integers": np.arange(24).reshape(2, 3, 4),
    "booleans": np.arange(24).reshape(2, 3, 4) % 2 == 0,
    "minus infinity": np.where(X > 1, -INF, X),
    "infinity": np.where(X > 5, INF, X),
    "one class": X[:, :1, :1],
    "empty rows": np.zeros((0, 3, 4)),
    "fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=2)[:, :, ::2],
}


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1), (1, 2), (0, -1), (2, 0, 1)])
@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, kind: str, axis: Any) -> None:
    x = VALUES[kind]
    if not x.size:  # SciPy's own softmax raises there
        shape = np.sum(x, axis).shape if name == "logsumexp" else x.shape
        assert getattr(npl.special, name)(x, axis).shape == shape
        return
    with np.errstate(all="ignore"):
        expected = getattr(scipy.special, name)(x * 1.0 if kind == "booleans" else x, axis=axis)
    got = getattr(npl.special, name)(x, axis)
    assert got.shape == np.shape(expected)
    assert got.dtype == (np.float32 if kind == "float32" else np.float64)
    assert isinstance(got, np.generic) == isinstance(expected, np.generic)
    eps = np.finfo(got.dtype).eps
    if kind == "infinity":  # SciPy's softmax is NaN there; the limit is what NPL has
        finite = np.isfinite(expected)
        np.testing.assert_allclose(got[finite], expected[finite], rtol=64 * eps, atol=16 * eps)
        assert not np.isnan(got).any()
        return
    np.testing.assert_allclose(got, expected, rtol=64 * eps, atol=16 * eps)


@pytest.mark.parametrize("options", [
    {"b": 2.0}, {"b": RNG.uniform(0.5, 2, (2, 3, 4))}, {"b": RNG.normal(size=4)},
    {"b": RNG.normal(size=(2, 1, 1))},
    {"b": np.array([1.0, 0, 2, 0])}, {"b": np.array([1, 0, 2, 1])}, {"b": np.zeros(4)},
    {"return_sign": True}, {"b": RNG.normal(size=(2, 3, 4)), "return_sign": True},
    {"b": -1.0, "return_sign": True},
])  # fmt: skip
@pytest.mark.parametrize("axis", [None, 1, (0, 2), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_options_of_logsumexp(options: dict[str, Any], axis: Any, keepdims: bool) -> None:
    with np.errstate(all="ignore"):
        expected = scipy.special.logsumexp(X, axis=axis, keepdims=keepdims, **options)
    got = npl.special.logsumexp(X, axis=axis, keepdims=keepdims, **options)
    pairs = (
        [(got, expected)] if not isinstance(expected, tuple) else zip(got, expected, strict=True)
    )
    for own, theirs in pairs:
        assert np.shape(own) == np.shape(theirs)
        assert np.asarray(own).dtype == np.float64
        np.testing.assert_allclose(own, theirs, rtol=1e-13, atol=1e-14)


def test_nothing_to_sum() -> None:
    assert npl.special.logsumexp(np.zeros(0)) == -INF
    np.testing.assert_array_equal(npl.special.logsumexp(np.zeros((2, 0)), 1), [-INF, -INF])
    assert npl.special.logsumexp(np.zeros((0, 3)), 1).shape == (0,)
    np.testing.assert_array_equal(npl.special.logsumexp(np.zeros((0, 3)), 0), [-INF] * 3)
    assert npl.special.softmax(np.zeros((2, 0)), 1).shape == (2, 0)


def test_scalars_and_lists() -> None:
    assert npl.special.logsumexp(2.0) == 2.0
    assert npl.special.logsumexp([0, 0]) == np.log(2)
    np.testing.assert_allclose(npl.special.softmax([0, 0]), [0.5, 0.5])
    assert npl.special.softmax(3.0) == 1.0
    assert npl.special.log_softmax(3.0) == 0.0
    assert npl.special.logsumexp(-INF) == -INF
    assert npl.special.logsumexp([-INF, -INF]) == -INF
    assert npl.special.logsumexp([INF, 1.0]) == INF
    assert npl.special.logsumexp([INF, -INF]) == INF
    assert np.isnan(npl.special.logsumexp([np.nan, 1.0]))


def test_infinite_logits_give_the_limit() -> None:
    np.testing.assert_array_equal(npl.special.softmax([INF, 0.0]), [1, 0])
    np.testing.assert_array_equal(npl.special.log_softmax([0.0, -INF]), [0, -INF])
    np.testing.assert_array_equal(npl.special.softmax([-INF, 0.0]), [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_dtype_stays(dtype: Any) -> None:
    x = X.astype(dtype)
    for name in NAMES:
        got = getattr(npl.special, name)(x, 1)
        assert got.dtype == dtype
        exact = getattr(scipy.special, name)(x.astype(np.float64), axis=1)
        eps = float(np.finfo(dtype).eps)
        np.testing.assert_allclose(
            got, exact, rtol=8 * eps, atol=float(np.finfo(dtype).smallest_subnormal)
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_digits_where_one_class_is_all(dtype: Any) -> None:
    """Next to certainty, where SciPy's are few: 16 units of roundoff of value, gradient and product."""
    x = np.array([40.0, 0.0, -3.0, 5.0], dtype)
    eps = 16 * float(np.finfo(dtype).eps)
    with mp.workdps(60):
        exps = [mp.exp(mp.mpf(float(v))) for v in x]
        total = sum(exps)
        p = [e / total for e in exps]
        log_p = [float(mp.log(v)) for v in p]
        lse_of_others = float(mp.log(total) - 40)
        ct = [1, 2, -1, 3]
        residual = [float(c - p_k * sum(ct)) for c, p_k in zip(ct, p, strict=True)]
        mean = sum(p_k * c for p_k, c in zip(p, ct, strict=True))
        product = [float(p_k * (c - mean)) for p_k, c in zip(p, ct, strict=True)]
        probabilities = [float(v) for v in p]
    np.testing.assert_allclose(npl.special.log_softmax(x), log_p, rtol=eps)
    assert abs(npl.special.logsumexp(x - x[0]) / lse_of_others - 1) < eps
    cotangent = np.array(ct, dtype)
    (got,) = npl.vjp(npl.special.log_softmax, x)[1](cotangent)
    # c - p sum(c) of the largest entry: 1 - 5 p, which has no cancellation left.
    np.testing.assert_allclose(got, residual, rtol=eps)
    (got,) = npl.vjp(npl.special.softmax, x)[1](cotangent)
    np.testing.assert_allclose(got, product, rtol=eps)
    np.testing.assert_allclose(npl.grad(npl.special.logsumexp)(x), probabilities, rtol=eps)
    np.testing.assert_allclose(npl.hvp(npl.special.logsumexp, (x,), cotangent), product, rtol=eps)


def test_a_sum_below_zero() -> None:
    assert np.isnan(npl.special.logsumexp([0.0, 1.0], b=[1.0, -1.0]))
    size, sign = npl.special.logsumexp([0.0, 1.0], b=[1.0, -1.0], return_sign=True)
    np.testing.assert_allclose(size, np.log(np.e - 1))
    assert sign == -1
    got = npl.grad(lambda a: npl.special.logsumexp(a, b=[1.0, -1.0], return_sign=True)[0])(
        np.array([0.0, 1])
    )
    np.testing.assert_allclose(got, [-1 / (np.e - 1), np.e / (np.e - 1)])


def test_weights_of_zero_remove() -> None:
    a, b = np.array([0.0, np.nan, INF, 1.0]), np.array([1.0, 0.0, 0.0, 2.0])
    exact = np.log(1 + 2 * np.e)
    np.testing.assert_allclose(npl.special.logsumexp(a, b=b), exact)
    got = npl.grad(lambda a: npl.special.logsumexp(a, b=b))(a)
    np.testing.assert_allclose(got, [1 / (1 + 2 * np.e), 0, 0, 2 * np.e / (1 + 2 * np.e)])


def test_large_cotangents_and_memory() -> None:
    x = RNG.normal(size=(300, 400))
    kept = x.copy()
    first = npl.special.softmax(x, 1)
    copy = first.copy()
    npl.special.softmax(x + 1, 1)
    npl.grad(lambda x: np.sum(npl.special.log_softmax(x, 1)[:, 0]))(x)
    np.testing.assert_array_equal(first, copy)
    np.testing.assert_array_equal(x, kept)
