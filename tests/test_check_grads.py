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


# ---------------------------------------------------------------------- nested arguments


def _network(parameters: dict, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    hidden = np.tanh(x @ parameters["first"][0] + parameters["first"][1])
    return F.cross_entropy(hidden @ parameters["last"], y) + 0.1 * parameters["decay"] ** 2


def _parameters() -> dict:
    rng = np.random.default_rng(0)
    first = (rng.normal(size=(4, 3)), rng.normal(size=3))
    return {"first": first, "last": rng.normal(size=(3, 3)), "decay": 0.5}


def test_nested_parameters() -> None:
    npl.check_grads(_network, (_parameters(), X, Y))
    npl.check_grads(_network, (_parameters(), X, Y), argnums=0)
    npl.check_grads(lambda both, y: both[0] * np.sum(both[1] ** 3) * y, ([1.5, X], 2.0))
    npl.check_grads(lambda p: p["a"] * p["b"], ({"a": np.array(2.0), "b": np.float64(3.0)},))


def test_the_message_has_the_way_to_the_leaf() -> None:
    wrong = npl.primitive(lambda x: np.sum(x**2))
    npl.defvjp(wrong, lambda ct, ans, x: ct * 2.001 * x)
    twice_wrong = npl.primitive(lambda x: np.sum(x**3))  # right once, wrong twice
    npl.defvjp(twice_wrong, lambda ct, ans, x: ct * 3 * npl.stop_gradient(x) * x)

    def f(parameters: dict) -> object:
        return np.sum(parameters["w"][0]) + wrong(parameters["w"][1])

    def g(parameters: dict) -> object:
        return np.sum(parameters["w"][0]) + twice_wrong(parameters["w"][1])

    point = ({"w": [np.ones(2), np.array([1.0, 2.0])]},)
    with pytest.raises(
        AssertionError, match=r"gradient of argument 0\['w'\]\[1\] is wrong at \(1,\)"
    ):
        npl.check_grads(f, point)
    with pytest.raises(AssertionError, match=r"product of argument 0\['w'\]\[1\] is wrong at"):
        npl.check_grads(g, point)
    npl.check_grads(g, point, order=1)


def test_leaves_without_a_derivative_are_held() -> None:
    def f(data: dict, w: np.ndarray) -> object:
        assert data["name"] == "own"
        return np.sum(np.where(data["mask"], data["x"] * w, 0.0)[data["labels"]])

    data = {"x": X, "labels": Y, "mask": X > 0, "name": "own"}
    npl.check_grads(f, (data, np.ones(4)))
    vectors = ({"x": X, "labels": None, "mask": None, "name": None}, np.ones(4))
    products = npl.hvp(lambda d, w: np.sum(f(d, w) ** 2), (data, np.ones(4)), vectors)
    assert [products[0][name] for name in ("labels", "mask", "name")] == [None] * 3
    assert np.shape(products[0]["x"]) == X.shape
    _, change = npl.jvp(f, (data, np.ones(4)), vectors)
    np.testing.assert_allclose(change, np.sum(np.where(X > 0, 2 * X, 0.0)[Y]))


def test_functions_of_any_value() -> None:
    npl.check_grads(lambda x: np.sin(x) * x[::-1], (X,))
    npl.check_grads(lambda x, y: x @ y, (X, X.T))
    npl.check_grads(lambda x: x**3, (1.5,))
    npl.check_grads(lambda x: np.sum(x[:0]), (X,))
    single = X.astype(np.float32)
    npl.check_grads(lambda x: np.sum(np.exp(x)), (single,))


def test_at_a_point_of_inflection() -> None:
    """The second derivative is 0 to the last digit, its finite differences are not."""
    npl.check_grads(lambda x: np.sum(np.log1p(x**2)), (np.array([1.0, -1.0, 0.5]),))


def test_a_function_of_several_values() -> None:
    with pytest.raises(TypeError, match="returned tuple; it must return an array"):
        npl.check_grads(lambda x: (x, x), (X,))
