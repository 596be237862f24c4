"""What the checker accepts, what it rejects, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.test_mutants import FlippedCurvature, LargerGradient

X, Y = np.random.default_rng(0).normal(size=(3, 4)), np.array([0, 2, 1])


def test_the_message_has_the_worst_element() -> None:
    with pytest.raises(AssertionError, match=r"gradient of argument 0 is wrong at \(\d, \d\): got"):
        npl.check_grads(LargerGradient(), (X, Y))
    with pytest.raises(AssertionError, match="Hessian-vector product of argument 0"):
        npl.check_grads(FlippedCurvature(), (X, Y))
    npl.check_grads(FlippedCurvature(), (X, Y), order=1)


def test_each_row_is_judged_by_its_own_size() -> None:
    class WrongWhereConfident(npl.CrossEntropyLoss):
        def _grad(self, saved: object, c: object, out: list) -> None:
            super()._grad(saved, c, out)
            out[0][0] *= 2

    logits = np.array([[8.0, 0.0, 0.0], [0.0, 1.0, 0.5]])
    with pytest.raises(AssertionError, match=r"wrong at \(0, "):
        npl.check_grads(WrongWhereConfident(), (logits, [0, 1]))


@pytest.mark.parametrize("x", [1e-8, 1e-4, 0.5])
def test_next_to_the_edge_of_a_domain(x: float) -> None:
    npl.check_grads(npl.BCELoss(), (np.array([x]), np.array([0.25])), argnums=0)


def test_on_the_edge() -> None:
    with pytest.raises(ValueError, match="lies on the edge of its domain"):
        npl.check_grads(npl.BCELoss(), (np.array([0.5]), np.array([1.0])))


@pytest.mark.parametrize("argnums", [0, (0,), -2])
def test_argnums(argnums: object) -> None:
    npl.check_grads(F.cross_entropy, (X, Y), argnums=argnums)


def test_an_argument_without_a_derivative_is_held() -> None:
    weight = np.array([1.0, 2.0, 0.5, 1.0])
    npl.check_grads(F.cross_entropy, (X, Y, weight))
    value, pullback = npl.vjp(F.cross_entropy, X, Y, weight)
    assert value == F.cross_entropy(X, Y, weight)
    assert pullback(1.0)[1:] == (None, None)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: npl.grad(npl.grad(F.cross_entropy))(X, Y), "must be a scalar"),
        (lambda: npl.check_grads(F.cross_entropy, (X, Y), argnums=7), "2 positional arguments"),
        (lambda: npl.check_grads(F.cross_entropy, (X, Y), order=3), "must be 1 or 2"),
    ],
)
def test_what_is_refused(call: object, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        call()


def test_a_hessian_vector_product_of_several_losses() -> None:
    weight = np.array([1.0, 2.0, 0.0])
    v = np.ones_like(X) * np.arange(4)
    each = npl.hvp(npl.CrossEntropyLoss(reduction="none"), (X, Y), v, cotangent=weight)
    summed = npl.hvp(npl.CrossEntropyLoss(reduction="sum"), (X, Y), v, sample_weight=weight)
    np.testing.assert_array_equal(each, summed)


class Columnar:
    """Stands for pandas and its like: no array, but one says so."""

    def __init__(self, values: object) -> None:
        self._values = values

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return np.asarray(self._values, dtype)


def test_what_turns_into_an_array_is_one() -> None:
    _, pullback = npl.vjp(npl.CrossEntropyLoss(), Columnar(X), Columnar(Y))
    np.testing.assert_array_equal(pullback(1.0)[0], npl.grad(npl.CrossEntropyLoss())(X, Y))
    assert pullback(1.0)[1] is None
    with pytest.raises(AssertionError):
        npl.check_grads(LargerGradient(), (Columnar(X), Columnar(Y)))
