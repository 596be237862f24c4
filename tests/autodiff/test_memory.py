"""Results are of their own memory, whatever is used again inside; threads; errors inside a function."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any, NamedTuple

import numpy as np
import pytest

import npl
from npl.autodiff import buffers, trace

X = np.array([1.0, -2.0, 3.0])


def test_a_pullback_called_twice() -> None:
    value, pullback = npl.vjp(lambda x: np.tanh(x) * x, X)
    first = pullback(np.ones(3))[0]
    kept = first.copy()
    second = pullback(np.full(3, 2.0))[0]
    np.testing.assert_allclose(second, 2 * kept)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(value, np.tanh(X) * X)


def test_results_share_no_memory_and_may_be_written_to() -> None:
    x, y = np.ones((3, 3)), np.ones((3, 3))
    functions = [
        lambda x, y: np.sum(x) + np.sum(y),
        lambda x, y: np.sum(x + y),
        lambda x, y: np.sum((x + y) ** 2),
        lambda x, y: np.sum(x * y),
        lambda x, y: np.sum(x.T * y),
        lambda x, y: np.sum(np.reshape(x, -1)) + y[0, 0],
        lambda x, y: np.sum(np.concatenate([x, y])),
        lambda x, y: np.sum(x) * 0 + 1,
    ]
    for f in functions:
        results = [*npl.grad(f, (0, 1))(x, y), *npl.hvp(f, (x, y), (x, y))]
        assert results[0] is not results[1]
        for i, result in enumerate(results):
            assert result.flags.writeable
            assert result.flags.c_contiguous
            for other in (x, y, *results[:i]):
                assert not np.shares_memory(result, other)
            result += 1
    cotangent = np.ones((3, 3))
    (got,) = npl.vjp(lambda x: x, x)[1](cotangent)
    assert not np.shares_memory(got, cotangent)
    vector = np.ones((3, 3))
    assert not np.shares_memory(npl.hvp(lambda x: np.sum(x**2) / 2, (x,), vector), vector)
    value = npl.vjp(lambda x: x, x)[0]
    value[0] = 7
    assert x[0, 0] == 1, "the value of the identity is the argument itself"


@pytest.mark.parametrize("size", [10, 70_000, 300_000])
def test_large_arrays_are_as_exact_as_small_ones(size: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=size)
    small = x[:10]

    def f(x: Any) -> Any:
        return np.sum(
            np.tanh(x) * np.exp(-x * x) / (1 + x**2) + np.log1p(np.abs(x)) - np.sqrt(x * x + 1)
        )

    got, second = npl.grad(f)(x), npl.hvp(f, (x,), np.ones(size))
    np.testing.assert_array_equal(got[:10], npl.grad(f)(small))
    np.testing.assert_array_equal(second[:10], npl.hvp(f, (small,), np.ones(10)))
    threads = npl.get_num_threads()
    try:
        for count in (1, 2, 3):
            npl.set_num_threads(count)
            np.testing.assert_array_equal(npl.grad(f)(x), got)
    finally:
        npl.set_num_threads(threads)


def test_large_arrays_with_infinities_and_zeros() -> None:
    x = np.zeros(100_000)
    x[::3] = 4.0
    x[1::3] = -1.0
    with np.errstate(all="ignore"):
        got = npl.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
    np.testing.assert_array_equal(got, np.where(x > 0, 0.25, 0))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        npl.grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)))(np.abs(x))


@pytest.mark.parametrize("size", [50, 100_000])
def test_what_a_user_holds_is_never_written_to(size: int) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=size)
    logged: list[Any] = []

    def f(x: Any) -> Any:
        a = np.exp(x)
        logged.append(a)
        logged.append(npl.stop_gradient(a))
        b = np.sin(a)
        logged.append(b)
        c = b * a + x
        logged.append(c)
        return np.sum(c * c)

    value, first = npl.value_and_grad(f)(x)
    held = [npl.stop_gradient(entry) for entry in logged]
    copies = [None if h is None else np.array(h) for h in held]
    expected = [np.exp(x), np.exp(x), np.sin(np.exp(x)), np.sin(np.exp(x)) * np.exp(x) + x]
    kept = first.copy()
    for _ in range(3):
        npl.value_and_grad(f)(rng.normal(size=size))
        npl.hvp(f, (rng.normal(size=size),), x)
    for entry, copy, exact in zip(held, copies, expected, strict=False):
        np.testing.assert_array_equal(entry, copy)
        np.testing.assert_array_equal(copy, exact)
    np.testing.assert_array_equal(first, kept)
    assert value == f(x)


def test_views_that_a_user_holds_of_large_results() -> None:
    x = np.random.default_rng(2).normal(size=100_000)
    views: list[Any] = []

    def f(x: Any) -> Any:
        y = np.exp(x)
        views.append(npl.stop_gradient(y)[5:10])
        return np.sum(np.sin(y))

    for _ in range(3):
        npl.grad(f)(x)
    for view in views:
        np.testing.assert_array_equal(view, np.exp(x[5:10]))


def test_a_pullback_kept_across_other_calls() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=100_000)

    def f(x: Any) -> Any:
        return np.sin(np.exp(x)) * x

    _, pullback = npl.vjp(f, x)
    (first,) = pullback(np.ones_like(x))
    kept = first.copy()
    for _ in range(3):
        npl.grad(lambda x: np.sum(f(x)))(rng.normal(size=100_000))
        np.testing.assert_array_equal(pullback(np.ones_like(x))[0], kept)
    np.testing.assert_array_equal(first, kept)


def test_graphs_that_share_a_part() -> None:
    """Two pullbacks of one value, and a value that goes on after a gradient has been taken."""
    x = np.random.default_rng(4).normal(size=100_000)

    def f(x: Any) -> Any:
        y = np.exp(x)
        inner = npl.grad(lambda z: np.sum(np.sin(z) * y))(x)
        return np.sum(inner * y)

    exact = 2 * np.exp(2 * x) * np.cos(x) - np.exp(2 * x) * np.sin(x)
    np.testing.assert_allclose(npl.grad(f)(x), exact, rtol=1e-12, atol=1e-12)


def test_threads_do_not_meet() -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            x = np.random.default_rng(seed).normal(size=80_000)
            exact = np.cos(np.exp(x)) * np.exp(x)
            for _ in range(10):
                got = npl.grad(lambda x: np.sum(np.sin(np.exp(x))))(x)
                np.testing.assert_allclose(got, exact, rtol=1e-10, atol=1e-12)
                nested = npl.grad(lambda x: x * npl.grad(lambda y: x * y)(1.0))(3.0)
                assert nested == 6.0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_an_error_inside_leaves_nothing_behind() -> None:
    def broken(x: Any) -> Any:
        np.exp(x)
        raise ZeroDivisionError

    for transform in (npl.grad, npl.value_and_grad, npl.hessian, npl.hessian_diag):
        with pytest.raises(ZeroDivisionError):
            transform(broken)(X)
    for call in (
        lambda: npl.vjp(broken, X),
        lambda: npl.jvp(broken, (X,), X),
        lambda: npl.hvp(broken, (X,), X),
        lambda: npl.grad(lambda x: npl.grad(broken)(x).sum())(X),
    ):
        with pytest.raises(ZeroDivisionError):
            call()
    assert trace._depth.tracing == 0
    np.testing.assert_array_equal(npl.grad(np.sum)(X), [1, 1, 1])


def test_a_leaked_array_is_just_a_value() -> None:
    leaked: list[Any] = []

    def f(x: Any) -> Any:
        leaked.append(x * 2)
        return np.sum(x)

    npl.grad(f)(X)
    # It does not disturb later transforms, nor they it.
    got = npl.grad(lambda y: np.sum(y * npl.stop_gradient(leaked[0])))(X)
    np.testing.assert_array_equal(got, 2 * X)
    got = npl.grad(lambda y: np.sum(y * leaked[0]))(X)
    np.testing.assert_array_equal(npl.stop_gradient(got), 2 * X)


class Layer(NamedTuple):
    w: Any
    b: Any


def test_stop_gradient() -> None:
    assert npl.stop_gradient(X) is X
    assert npl.stop_gradient(3.0) == 3.0
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(npl.stop_gradient({"a": [x, (x, 1)], "b": Layer(x, x)}))
        return np.sum(x * npl.stop_gradient(x))

    np.testing.assert_array_equal(npl.grad(f)(X), X)
    assert type(seen[0]["a"][0]) is np.ndarray
    assert type(seen[0]["a"][1][0]) is np.ndarray
    assert type(seen[0]["b"]) is Layer
    assert type(seen[0]["b"].w) is np.ndarray


def test_memory_falls_as_the_walk_goes_back() -> None:
    """A chain holds its values once; the cotangents take the places of what has been passed."""
    x = np.random.default_rng(0).normal(size=100_000)
    steps = 30

    def f(x: Any) -> Any:
        for _ in range(steps):
            x = np.sin(x)
        return np.sum(x)

    peaks: list[float] = []

    def measured() -> None:  # in a thread of its own, which keeps no arrays of earlier tests
        tracemalloc.start()
        npl.grad(f)(x)
        peaks.append(tracemalloc.get_traced_memory()[1] / x.nbytes)
        tracemalloc.stop()

    threads = npl.get_num_threads()
    npl.set_num_threads(1)  # a helper that comes late holds the arrays it was to work on
    try:
        thread = threading.Thread(target=measured)
        thread.start()
        thread.join()
    finally:
        npl.set_num_threads(threads)
    assert steps - 1 < peaks[0] < steps + 5


def test_what_is_looked_at_cannot_be_written_to() -> None:
    """The way back needs it: writing there changed the gradient, and an argument, without a word."""

    def f(x: Any, look: Any) -> Any:
        y = np.exp(x)
        seen = look(npl.stop_gradient({"x": x, "y": [y]}))
        seen["y"][0] -= 1
        seen["x"][:] = 0
        return np.sum(y)

    x = X.copy()
    with pytest.raises(ValueError, match="read-only"):
        npl.grad(f)(x, lambda seen: seen)
    np.testing.assert_array_equal(x, X)
    copies = npl.grad(f)(x, lambda seen: {"x": seen["x"].copy(), "y": [seen["y"][0].copy()]})
    np.testing.assert_array_equal(copies, np.exp(X))


def test_a_tangent_is_not_handed_back() -> None:
    tangent = np.ones(4)
    change = npl.jvp(lambda x: x + 1.0, (np.zeros(4),), (tangent,))[1]
    assert not np.shares_memory(change, tangent)


def test_what_is_free() -> None:
    own = [np.ones(3)]
    assert buffers.is_free(own)
    assert not buffers.is_free([own[0]]), "two lists hold it"
    assert not buffers.is_free([np.ones(3)[:]])
    assert not buffers.is_free([np.ones(3).view(np.matrix)])
    fixed = [np.ones(3)]
    fixed[0].flags.writeable = False
    assert not buffers.is_free(fixed)
    assert not buffers.is_free([1.0])


def test_memory_is_used_again() -> None:
    def arrays() -> set[int]:
        return {id(array) for array in buffers._spare.arrays}

    def f(x: Any) -> Any:
        return np.sum(np.sin(np.exp(x) * x))

    x = np.random.default_rng(3).normal(size=buffers.WORTHWHILE_BYTES // 8)
    npl.grad(f)(x)
    kept = arrays()
    assert kept
    npl.grad(f)(x)
    assert kept & arrays()
    buffers.give([np.empty(buffers._KEPT_BYTES // 8 + 1)])
    assert kept & arrays(), "one that is too large drives nothing out"
