"""Rules of one's own, and a test of the tests: a wrong rule is found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special

import npl
import npl.autodiff.rules.special  # (fills the registry, which each test leaves as it was)
from npl.autodiff.registry import RULES

X = np.array([0.5, 1.0, 1.5])


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    """Leave the registry as it was."""
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def test_a_primitive() -> None:
    calls: list[Any] = []

    @npl.primitive
    def cube(x: Any, scale: float = 1.0) -> Any:
        calls.append(type(x))
        return np.array([scale * float(element) ** 3 for element in x])

    npl.defvjp(cube, lambda ct, ans, x, scale=1.0: ct * 3 * scale * x**2)
    np.testing.assert_array_equal(cube(X), X**3)
    np.testing.assert_array_equal(cube([1, 2]), [1, 8])
    npl.check_grads(lambda x: np.sum(cube(x, scale=2.0) * x), (X,))
    npl.check_grads(lambda x: np.sum(cube(np.sin(x), 2.0)), (X,))
    assert set(calls) <= {np.ndarray, list}


def test_several_arguments_some_without_a_rule() -> None:
    @npl.primitive
    def scaled(x: Any, y: Any, mode: str) -> Any:
        assert mode == "plain"
        return x * y

    npl.defvjp(scaled, lambda ct, ans, x, y, mode: ct * y)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(scaled(x, 2 * X, "plain")))(X), 2 * X)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(scaled(x=x, y=X, mode="plain")))(X), X)
    with pytest.raises(TypeError, match=r"scaled: no derivative with respect to argument 1 \(y\)"):
        npl.grad(lambda y: np.sum(scaled(X, y, "plain")))(X)
    npl.defvjp(scaled, None, lambda ct, ans, x, y, mode: ct * x)
    np.testing.assert_array_equal(npl.grad(lambda y: np.sum(scaled(X, y, "plain")))(X), X)


def test_a_numpy_function() -> None:
    with pytest.raises(TypeError, match=r"np\.unwrap has no derivative rule"):
        npl.grad(lambda x: np.sum(np.unwrap(x)))(X)
    npl.defvjp(np.sinc, lambda ct, ans, x: ct * (np.cos(np.pi * x) - np.sinc(x)) / x)
    npl.check_grads(lambda x: np.sum(np.sinc(x)), (X + 0.1,))
    npl.defvjp(np.unwrap, lambda ct, ans, p, **_: ct)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(np.unwrap(x)))(X), [1, 1, 1])


def test_a_ufunc_broadcasts() -> None:
    npl.defvjp(
        scipy.special.ellipe, lambda ct, ans, m: ct * (ans - scipy.special.ellipk(m)) / (2 * m)
    )
    npl.defvjp(
        scipy.special.ellipk,
        lambda ct, ans, m: ct * (scipy.special.ellipe(m) - (1 - m) * ans) / (2 * m * (1 - m)),
    )
    npl.check_grads(lambda x: np.sum(scipy.special.ellipe(x)), (X / 2,))
    npl.defvjp(np.hypot, lambda ct, ans, x, y: ct * x / ans, lambda ct, ans, x, y: ct * y / ans)
    npl.check_grads(lambda x, y: np.sum(np.hypot(x, y)), (X, np.ones((2, 1))))


def test_scipys_own_rules_come_first() -> None:
    """They are loaded when they are wanted: a rule of one's own, given before, stays."""
    code = (
        "import numpy as np, npl\n"
        "assert npl.grad(np.i0)(0.0) == 0\n"
        "from scipy import special\n"
        "npl.defvjp(special.erf, lambda ct, ans, x: 7 * ct)\n"
        "npl.grad(special.erfc)(0.5)\n"
        "assert npl.grad(special.erf)(0.5) == 7\n"
    )
    for left_out in ("np.i0", "erfc"):  # each of them loads the rules
        lines = [line for line in code.splitlines() if left_out not in line]
        subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_scipys_expm() -> None:
    expm = npl.primitive(scipy.linalg.expm)

    @npl.primitive
    def expm_product(x: Any, e: Any) -> Any:
        return scipy.linalg.expm_frechet(x, e, compute_expm=False)

    npl.defvjp(expm, lambda ct, ans, x: expm_product(x.T, ct))
    a = np.random.default_rng(0).normal(size=(3, 3))
    npl.check_grads(lambda x: np.sum(np.cos(expm(x))), (a,), order=1)
    with pytest.raises(TypeError, match=r"expm_product: no derivative with respect to argument"):
        npl.hvp(lambda x: np.sum(np.cos(expm(x))), (a,), a)


def test_a_straight_through_estimator() -> None:
    npl.defvjp(np.round, lambda ct, ans, a, decimals=0: ct)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(np.round(x) * x))(X), X + np.round(X))


def test_a_rule_is_replaced() -> None:
    npl.defvjp(np.sum, lambda ct, ans, a: 7 * ct * np.ones_like(a))
    np.testing.assert_array_equal(npl.grad(np.sum)(X), [7, 7, 7])


def test_misuse() -> None:
    with pytest.raises(TypeError, match=r"npl\.defvjp: no rule was given"):
        npl.defvjp(np.sinc)
    with pytest.raises(TypeError, match=r"npl\.defvjp: 3 is no function"):
        npl.defvjp(3, lambda ct, ans, x: ct)
    with pytest.raises(
        TypeError, match=r"npl\.defvjp: a rule is 2\.0; it must be a function or None"
    ):
        npl.defvjp(np.sinc, 2.0)
    with pytest.raises(
        TypeError, match=r"npl\.defvjp: expm does not hand traced arrays over to NPL"
    ):
        npl.defvjp(scipy.linalg.expm, lambda ct, ans, x: ct)
    both = npl.primitive(lambda x: (x, x))
    with pytest.raises(TypeError, match=r"npl\.primitive: <lambda> returned a tuple"):
        both(X)
    f = npl.primitive(lambda x: x * 2)
    np.testing.assert_array_equal(f(X), 2 * X)
    with pytest.raises(TypeError, match=r"<lambda>: no derivative with respect to argument 0"):
        npl.grad(lambda x: np.sum(f(x)))(X)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda ct, ans, x: ct * np.cos(x) * 1.000001, "gradient of argument 0 is wrong"),
        (lambda ct, ans, x: -ct * np.cos(x), "gradient of argument 0 is wrong"),
        (lambda ct, ans, x: ct * npl.stop_gradient(np.cos(x)), "Hessian-vector product of argument 0"),
        (lambda ct, ans, x: np.cos(x), "gradient of argument 0 is wrong"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_found(rule: Any, says: str) -> None:
    @npl.primitive
    def sine(x: Any) -> Any:
        return np.sin(x)

    npl.defvjp(sine, lambda ct, ans, x: ct * np.cos(x))
    npl.check_grads(lambda x: np.sum(sine(x) * np.arange(1.0, 4)), (X,))
    npl.defvjp(sine, rule)
    with pytest.raises(AssertionError, match=says):
        npl.check_grads(lambda x: np.sum(sine(x) * np.arange(1.0, 4)), (X,))


@pytest.mark.parametrize(
    ("rule", "error", "says"),
    [
        (lambda ct, ans, x: np.sum(2 * ct), ValueError, r"shape \(\); the argument has shape \(3,\)"),
        (lambda ct, ans, x: np.ones((2, 2)), ValueError, r"shape \(2, 2\); the argument has shape \(3,\)"),
        (lambda ct, ans, x: None, TypeError, r"returned NoneType; it must return the gradient"),
        (lambda ct, ans, x: [1.0, 2.0, 3.0], TypeError, r"returned list; it must return the gradient"),
    ],
)  # fmt: skip
def test_what_a_rule_returns_is_looked_at(rule: Any, error: Any, says: str) -> None:
    @npl.primitive
    def double(x: Any) -> Any:
        return 2 * x

    npl.defvjp(double, rule)
    with pytest.raises(error, match="npl.defvjp: the rule of double for argument 0 .*" + says):
        npl.grad(lambda x: np.sum(double(x)))(X)


def test_what_a_rule_of_a_ufunc_returns_is_looked_at() -> None:
    for wrong, error in ((None, TypeError), ([1.0, 1.0, 1.0], TypeError), (np.ones(1), ValueError)):
        npl.defvjp(scipy.special.exprel, lambda ct, ans, x, wrong=wrong: wrong)
        with pytest.raises(error, match=r"npl\.defvjp: the rule of exprel for argument 0 returned"):
            npl.grad(lambda x: np.sum(scipy.special.exprel(x)))(X)
    npl.defvjp(scipy.special.exprel, lambda ct, ans, x: 3.0)
    assert npl.grad(scipy.special.exprel)(0.5) == 3.0


def test_a_keyword_only_option_beside_a_traced_keyword() -> None:
    p = npl.primitive(lambda a, b=2.0, *, k=3.0: a * b * k)
    npl.defvjp(
        p,
        lambda ct, ans, a, b=2.0, *, k=3.0: ct * b * k,
        lambda ct, ans, a, b=2.0, *, k=3.0: ct * a * k,
    )
    assert npl.grad(lambda b: p(5.0, b, k=2.0))(3.0) == 10.0
    with pytest.raises(
        TypeError, match="no derivative with respect to the keyword 'k', or beside it"
    ):
        npl.grad(lambda b: p(5.0, b=b, k=2.0))(3.0)


def test_a_users_own_error_stays() -> None:
    def inner(row: Any) -> Any:
        return row

    def f(x: Any) -> Any:
        return np.sum(np.apply_along_axis(lambda row: inner(row, zz=1), 0, x))

    with pytest.raises(TypeError, match=r"inner\(\) got an unexpected keyword argument 'zz'"):
        npl.grad(f)(np.ones((3, 2)))


def test_an_argument_without_a_rule_says_how_to_give_one() -> None:
    @npl.primitive
    def product(first: Any, second: Any) -> Any:
        return first * second

    with pytest.raises(
        TypeError, match=r"product: no .* argument 1 \(second\)\. npl\.defvjp gives it one"
    ):
        npl.grad(lambda x: np.sum(product(2.0, x)))(X)
    with pytest.raises(
        TypeError, match=r"scipy\.special\.boxcox: no .* argument 1\. npl\.defvjp gives"
    ):
        npl.grad(lambda p: scipy.special.boxcox(2.0, p))(0.5)
    with pytest.raises(
        TypeError, match=r"np\.quantile has a derivative rule, but none with 'weights'"
    ):
        npl.grad(lambda x: np.quantile(x, 0.3, weights=np.ones(3), method="inverted_cdf"))(X)


def test_a_product_with_itself_follows_a_users_rule() -> None:
    npl.defvjp(np.multiply, lambda ct, ans, x, y: 7 * ct * y, lambda ct, ans, x, y: 7 * ct * x)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(x * x))(X), 14 * X)


def test_a_rule_of_the_square_is_no_rule_of_a_product() -> None:
    npl.defvjp(np.square, lambda ct, ans, x: 100 * ct)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(x * x))(X), 2 * X)
