"""What a function may do in Python beside calls of NumPy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import npl

X = np.array([1.0, -2.0, 3.0])


def test_python_control_flow() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        for element in x:
            if element > 0:
                total = total + element**2
            elif element < -1:
                total += 3 * element
        while total < 100:
            total = total * 2
        return total

    plain = f(X)
    value, got = npl.value_and_grad(f)(X)
    assert value == plain
    step = 1e-6
    numeric = [(f(X + step * e) - f(X - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(got, numeric, rtol=1e-6)


def test_augmented_assignment_of_a_traced_name() -> None:
    def f(x: Any) -> Any:
        y = x
        y += 1
        y *= 2
        y -= x
        y /= 2
        y **= 2
        return np.sum(y)

    x = X.copy()
    np.testing.assert_allclose(npl.grad(f)(x), npl.grad(lambda x: np.sum((x / 2 + 1) ** 2))(X))
    np.testing.assert_array_equal(x, X)


def test_a_thousand_operations_and_deep_chains() -> None:
    def f(x: Any) -> Any:
        for _ in range(20_000):
            x = x * 1.0001
        return np.sum(x)

    factor = 1.0001**20_000
    np.testing.assert_allclose(npl.grad(f)(X), factor, rtol=1e-10)

    _, pullback = npl.vjp(f, X)
    np.testing.assert_allclose(pullback(1.0)[0], factor, rtol=1e-10)
    del pullback
    np.testing.assert_allclose(npl.hvp(f, (X,), X), 0)

    def g(x: Any) -> Any:
        y = x
        for _ in range(1000):
            y = np.sin(y) + x
        return np.sum(y)

    npl.hvp(g, (X,), X)
    for _ in range(3):
        npl.grad(g)(X)


def test_a_result_that_does_not_depend_on_the_argument() -> None:
    for f in (
        lambda x: np.float64(3.0),
        lambda x: 3.0,
        lambda x: npl.stop_gradient(x).sum(),
        lambda x: 3,
    ):
        value, got = npl.value_and_grad(f)(X)
        assert value == f(X)
        np.testing.assert_array_equal(got, [0, 0, 0])
        np.testing.assert_array_equal(npl.hvp(f, (X,), X), [0, 0, 0])
        np.testing.assert_array_equal(npl.hessian(f)(X), np.zeros((3, 3)))
        assert npl.jvp(f, (X,), X)[1] == 0


def test_the_argument_itself() -> None:
    value, (got,) = npl.vjp(lambda x: x, X)[0], npl.vjp(lambda x: x, X)[1](X)
    np.testing.assert_array_equal(value, X)
    np.testing.assert_array_equal(got, X)
    assert not np.shares_memory(got, X)
    assert npl.grad(lambda x: x)(2.0) == 1.0
    derivative = npl.jvp(lambda x: x, (X,), 2 * X)[1]
    np.testing.assert_array_equal(derivative, 2 * X)


def test_values_are_shown_and_formatted() -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.append((repr(x), f"{x[0]:.3f}", len(x), bool(x[0]), x.shape, x.dtype, x.ndim, x.size))
        return np.sum(x)

    npl.grad(f)(X)
    shown, formatted, length, true, shape, dtype, ndim, size = seen[0]
    assert shown == "<traced array([ 1., -2.,  3.])>"
    assert (formatted, length, true, shape, dtype, ndim, size) == (
        "1.000",
        3,
        True,
        (3,),
        np.float64,
        1,
        3,
    )


def test_sets_and_dicts_of_traced_arrays() -> None:
    def f(x: Any) -> Any:
        cache = {x: 1.0}
        return np.sum(x) * cache[x]

    np.testing.assert_array_equal(npl.grad(f)(X), [1, 1, 1])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("np.sum(x + [1.0, 2.0, 3.0])", [1, 1, 1]),
        ("np.sum([1.0, 2.0, 3.0] * x)", [1, 2, 3]),
        ("np.sum([1.0, 2.0, 3.0] / x * x * x)", [1, 2, 3]),
        ("np.sum(np.multiply([1, 2, 3], x))", [1, 2, 3]),
        ("np.dot([1.0, 2.0, 3.0], x)", [1, 2, 3]),
        ("np.dot(x, [1.0, 2.0, 3.0])", [1, 2, 3]),
        ("x @ [1, 2, 3]", [1, 2, 3]),
        ("np.sum([[1, 2, 3], [1, 2, 3]] @ x)", [2, 4, 6]),
        ("np.inner(x, [1, 2, 3])", [1, 2, 3]),
        ("np.sum(np.outer([1, 2], x))", [3, 3, 3]),
        ("np.einsum('i,i', x, [1, 2, 3])", [1, 2, 3]),
        ("np.sum(np.where([True, False, True], x, [0, 0, 0]))", [1, 0, 1]),
        ("np.sum(np.maximum(x, [0, 0, 9]))", [1, 0, 0]),
        ("np.sum(np.concatenate([x, [1.0, 2.0]]))", [1, 1, 1]),
        ("np.sum(np.stack([x, [1, 2, 3]]))", [1, 1, 1]),
        ("np.sum(np.hstack([x[0], 1.0, x]))", [2, 1, 1]),
        ("np.average([1, 2, 3], weights=abs(x))", [-4 / 18, 1 / 18, 1 / 9]),
        ("np.trapezoid([1.0, 1, 2], x)", [-1, -0.5, 1.5]),
        ("np.trapezoid(x, [0, 1, 3])", [0.5, 1.5, 1]),
        ("np.linalg.lstsq([[1.0], [0], [1]], x)[0][0]", [0.5, 0, 0.5]),
        ("np.sum(np.convolve([1, 2], x))", [3, 3, 3]),
        ("np.interp(1.5, [0, 1, 2], x)", [0, 0.5, 0.5]),
        ("np.gradient([0.0, 1.0, 3.0], x)[0]", [1 / 9, -1 / 9, 0]),
        ("np.average(x, weights=[1, 2, 1])", [0.25, 0.5, 0.25]),
        ("np.sum(np.clip(x, [0, 0, 0], [2, 2, 2]))", [1, 0, 0]),
        ("np.sum(np.tensordot(x, [1, 2, 3], 1))", [1, 2, 3]),
        ("np.sum(np.kron(x, [1, 2]))", [3, 3, 3]),
        ("np.sum(np.cross(x, [0, 0, 1]))", [-1, 1, 0]),
        ("np.linalg.solve([[2.0, 0, 0], [0, 4, 0], [0, 0, 1]], x)[0]", [0.5, 0, 0]),
        ("np.sum(np.logaddexp(x, [-np.inf] * 3))", [1, 1, 1]),
        ("np.sum(x ** [1, 1, 1])", [1, 1, 1]),
        ("np.sum(np.hypot(x, [0, 0, 0]))", [1, -1, 1]),
    ],
)
def test_lists_beside_a_traced_array(expression: str, expected: Any) -> None:
    f = eval(f"lambda x: {expression}", {"np": np})
    np.testing.assert_allclose(npl.grad(f)(X), expected, rtol=1e-14, atol=1e-16)
    npl.hvp(f, (X,), X)


def test_builtin_sum_min_max_of_elements() -> None:
    np.testing.assert_array_equal(npl.grad(lambda x: sum(x))(X), [1, 1, 1])
    np.testing.assert_array_equal(npl.grad(lambda x: x.sum() * round(x[0], 1))(X), [1, 1, 1])
    np.testing.assert_array_equal(npl.grad(lambda x: max(x))(X), [0, 0, 1])
    np.testing.assert_array_equal(npl.grad(lambda x: min(x) * 2)(X), [0, 2, 0])
    np.testing.assert_array_equal(npl.grad(lambda x: sorted(x)[1])(X), [1, 0, 0])
    np.testing.assert_array_equal(npl.grad(lambda x: abs(x).sum())(X), [1, -1, 1])


def test_the_functions_are_at_hand_after_importing_npl_alone() -> None:
    program = "import npl, numpy as np; print(npl.functional.mse_loss(np.ones(2), np.zeros(2)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "1.0", done.stderr
