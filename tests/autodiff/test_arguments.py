"""Which arguments are differentiated, and in which forms: nests, keywords, closures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import npl

X = np.array([1.0, -2.0, 3.0])


class Layer(NamedTuple):
    w: Any
    b: Any


def test_nested_parameters() -> None:
    parameters = {
        "layers": [Layer(np.ones((3, 2)), np.zeros(2)), (np.full((2, 1), 0.5), np.zeros(1))],
        "scale": 2.0,
        "none": None,
    }

    def f(p: Any, x: Any) -> Any:
        assert p["none"] is None
        assert isinstance(p["layers"][0], Layer)
        hidden = np.tanh(x @ p["layers"][0].w + p["layers"][0].b)
        w, b = p["layers"][1]
        return p["scale"] * np.sum(hidden @ w + b)

    x = np.arange(6.0).reshape(2, 3) / 10
    _, pullback = npl.vjp(f, parameters, x)
    got = pullback(1.0)[0]
    assert set(got) == set(parameters)
    assert isinstance(got["layers"], list)
    assert isinstance(got["layers"][0], Layer)
    assert isinstance(got["layers"][1], tuple)
    assert got["none"] is None
    hidden = np.tanh(x @ np.ones((3, 2)))
    np.testing.assert_allclose(got["layers"][1][0], 2 * hidden.sum(0)[:, None])
    np.testing.assert_allclose(got["scale"], np.sum(hidden @ np.full((2, 1), 0.5)))

    def product(p: Any) -> Any:
        return np.sum(p["a"] ** 2 * p["b"][0])

    p = {"a": X, "b": (np.array(2.0),)}
    grads = npl.grad(product)(p)
    np.testing.assert_array_equal(grads["a"], 4 * X)
    assert grads["b"][0] == np.sum(X**2)
    (hv,) = npl.hvp(product, (p,), ({"a": np.ones(3), "b": (np.array(1.0),)},))
    np.testing.assert_array_equal(hv["a"], 4 + 2 * X)
    assert hv["b"][0] == np.sum(2 * X)
    value, derivative = npl.jvp(product, (p,), ({"a": np.ones(3), "b": (np.array(0.0),)},))
    assert (value, derivative) == (28.0, np.sum(4 * X))


def test_entries_that_are_none() -> None:
    p = {"w": X, "bias": None, "more": [None, 2 * X]}

    def f(p: Any) -> Any:
        total = np.sum(p["w"] ** 2 * p["more"][1])
        return total if p["bias"] is None else total + np.sum(p["bias"])

    value, got = npl.value_and_grad(f)(p)
    assert value == f(p)
    assert got["bias"] is None
    assert got["more"][0] is None
    np.testing.assert_array_equal(got["w"], 4 * X**2)
    (product,) = npl.hvp(f, (p,), ({"w": X, "bias": None, "more": [None, None]},))
    np.testing.assert_array_equal(product["w"], 4 * X**2)
    np.testing.assert_array_equal(product["more"][1], 2 * X**2)
    assert product["bias"] is None
    assert npl.jvp(f, (p,), (p,))[1] == np.sum(6 * X**3)


def test_a_list_of_numbers_is_an_array() -> None:
    got = npl.grad(lambda x: np.sum(x**2))([1.0, 2.0])
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, [2.0, 4.0])
    assert npl.grad(lambda x: x**2)(3.0) == 6.0


def test_a_list_of_arrays_is_a_nest() -> None:
    got = npl.grad(lambda p: np.sum(p[0] * p[1]))([X, 2 * X])
    assert isinstance(got, list)
    np.testing.assert_array_equal(got[0], 2 * X)


@pytest.mark.parametrize(
    ("argnums", "expected"), [(0, "x"), (1, "y"), (-1, "y"), ((1, 0), "yx"), ((0, 0), "xx")]
)
def test_argnums(argnums: Any, expected: str) -> None:
    got = npl.grad(lambda x, y: np.sum(x * y), argnums)(X, 2 * X)
    wanted = {"x": 2 * X, "y": X}
    if isinstance(argnums, int):
        np.testing.assert_array_equal(got, wanted[expected])
    else:
        assert isinstance(got, tuple)
        for g, name in zip(got, expected, strict=True):
            np.testing.assert_array_equal(g, wanted[name])


def test_keywords_and_closures() -> None:
    scale = np.array([1.0, 2.0, 3.0])

    def f(x: Any, *, power: int, shift: Any = 0.0) -> Any:
        return np.sum(scale * (x - shift) ** power)

    np.testing.assert_array_equal(npl.grad(f)(X, power=2), 2 * scale * X)
    np.testing.assert_array_equal(npl.grad(f)(X, power=2, shift=X), 0 * X)

    class Model:
        scale = 3.0

        def loss(self, x: Any) -> Any:
            return np.sum(x * self.scale)

    np.testing.assert_array_equal(npl.grad(Model().loss)(X), [3, 3, 3])
    assert npl.grad(f).__name__ == "f"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("np.sum(a=x)", [1, 1, 1]),
        ("np.mean(a=x, axis=0) * 3", [1, 1, 1]),
        ("np.max(a=x)", [0, 0, 1]),
        ("np.sum(np.clip(a=x, a_min=0, a_max=2))", [1, 0, 0]),
        ("np.linalg.norm(x=x[:1], axis=0)", [1, 0, 0]),
        ("np.reshape(x, shape=(3, 1)).sum()", [1, 1, 1]),
        ("np.transpose(a=x, axes=[0])[0]", [1, 0, 0]),
        ("np.expand_dims(a=x, axis=0)[0, 0]", [1, 0, 0]),
        ("np.flip(m=x, axis=0)[0]", [0, 0, 1]),
        ("np.roll(a=x, shift=1, axis=0)[0]", [0, 0, 1]),
        ("np.dot(a=x, b=np.ones(3))", [1, 1, 1]),
        ("np.average(np.ones(3), weights=x)", [0, 0, 0]),
        ("np.stack(arrays=[x, x])[0, 0]", [1, 0, 0]),
    ],
)
def test_arrays_given_to_numpy_by_keyword(expression: str, expected: Any) -> None:
    f = eval(f"lambda x: {expression}", {"np": np})
    np.testing.assert_array_equal(npl.grad(f)(X), expected)
