"""Penalties: exact to second order, on arrays and nests, and who takes part."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F

PENALTIES = [
    npl.L1Penalty(0.3),
    npl.L2Penalty(0.7),
    npl.ElasticNetPenalty(0.9, 0.25),
    npl.ElasticNetPenalty(0.9, 0.0),
    npl.ElasticNetPenalty(0.9, 1.0),
    npl.ElasticNetPenalty(1e-30, 1e-10),
]
DTYPES = [np.float16, np.float32, np.float64]


def strengths(penalty: Any) -> tuple[Any, Any]:
    """The strengths in exact arithmetic, from the options as given."""
    alpha = mpf(penalty.alpha)
    if isinstance(penalty, npl.ElasticNetPenalty):
        ratio = mpf(penalty.l1_ratio)
        return alpha * ratio, alpha * (1 - ratio)
    return (alpha, mpf(0)) if isinstance(penalty, npl.L1Penalty) else (mpf(0), alpha)


def assert_close(got: Any, exact: Any, dtype: type, eps: float = 16) -> None:
    info = np.finfo(dtype)
    smallest = 4 * mpf(float(info.smallest_subnormal))
    for own, want in zip(np.ravel(got), exact, strict=True):
        if abs(want) > float(info.max):
            assert np.isinf(own)
            continue
        error = abs(mpf(float(own)) - want)
        assert error <= eps * mpf(float(info.eps)) * abs(want) + smallest, (own, want)


def samples(dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    info = np.finfo(dtype)
    ends = [info.tiny, -info.tiny, info.max, info.smallest_subnormal, 1.0, 0.0]
    return {
        "normal": rng.normal(size=(7, 11)).astype(dtype),
        "wide": (rng.choice([-1, 1], 64) * 2.0 ** rng.uniform(-14, 15, 64)).astype(dtype),
        "tiny": np.full(9, info.tiny, dtype),
        "subnormal": np.full(9, 3 * info.smallest_subnormal, dtype),
        "huge": np.full(3, info.max, dtype),
        "ends": np.array(ends, dtype),
        "long": rng.normal(size=4_000).astype(dtype),
        "scalar": np.array(-3, dtype),
        "strided": rng.normal(size=(8, 6)).astype(dtype)[::2, ::-3],
        "one-sized": rng.normal(size=(1, 1)).astype(dtype),
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", samples(np.float64))
def test_value_gradient_and_product_are_exact(penalty: Any, name: str, dtype: type) -> None:
    w = samples(dtype)[name]
    v = np.random.default_rng(2).normal(size=w.shape).astype(dtype)
    flat, vector = [mpf(float(x)) for x in w.flat], [mpf(float(x)) for x in v.flat]
    with mp.workdps(60):
        a, b = strengths(penalty)
        value = sum(a * abs(x) + b / 2 * x * x for x in flat)
        gradient = [a * mp.sign(x) + b * x for x in flat]
        product = [b * x for x in vector]
    got, of_w = npl.value_and_grad(penalty)(w)
    assert type(got) is dtype
    assert (of_w.dtype, of_w.shape) == (w.dtype, w.shape)
    of_v = npl.hvp(penalty, (w,), v)
    assert of_v.dtype == w.dtype
    with mp.workdps(60):
        assert_close(got, [value], dtype)
        assert_close(of_w, gradient, dtype)
        assert_close(of_v, product, dtype)
    assert penalty(w) == got or np.isnan(got)


@pytest.mark.parametrize(
    ("alpha", "w"),
    [(1e-200, [1e200, 3e200]), (1e200, [1e-200, 3e-200]), (5e-324, [1e170]), (1e-310, [1e300, 1])],
)
def test_squares_beyond_the_range_of_float64(alpha: float, w: list[float]) -> None:
    with mp.workdps(60):
        value = mpf(alpha) / 2 * sum(mpf(x) ** 2 for x in w)
        assert_close(npl.L2Penalty(alpha)(np.array(w)), [value], np.float64)


def test_magnitudes_whose_sum_is_beyond_the_range() -> None:
    w = np.full(3, 1.7e308)
    assert npl.L1Penalty(1e-10)(w) == pytest.approx(5.1e298, rel=1e-15)
    assert npl.L1Penalty()(w) == np.inf


def test_many_float32_are_summed_in_float64() -> None:
    w = np.full(10**6, 0.1, np.float32)
    exact = np.float32(np.float64(w[0]) * 10**6)
    assert npl.L1Penalty()(w) == exact
    assert npl.L2Penalty(2.0)(w) == np.float32(np.float64(w[0]) ** 2 * 10**6)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_kinks_and_what_is_not_finite(penalty: Any) -> None:
    a, b = penalty.strengths
    w = np.array([0.0, -0.0, np.inf, -np.inf, 1.0])
    value, gradient = npl.value_and_grad(penalty)(w)
    assert value == np.inf
    np.testing.assert_array_equal(gradient[:2], 0)
    np.testing.assert_array_equal(gradient[2:4], [np.inf, -np.inf] if b else [a, -a])
    assert np.isnan(penalty(np.array([np.nan, 1.0])))
    np.testing.assert_array_equal(np.isnan(npl.grad(penalty)(np.array([np.nan, 1]))), [1, 0])
    np.testing.assert_array_equal(npl.hvp(penalty, (np.zeros(2),), np.ones(2)), b)


@pytest.mark.parametrize("kind", [npl.L1Penalty, npl.L2Penalty, npl.ElasticNetPenalty])
def test_a_strength_of_zero_removes_it(kind: Any) -> None:
    value, gradient = npl.value_and_grad(kind(0))(np.array([np.inf, np.nan]))
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("penalty", PENALTIES[:4])
def test_derivatives_agree_with_finite_differences(penalty: Any) -> None:
    w = np.random.default_rng(0).normal(size=(3, 4))
    npl.check_grads(penalty, (w,))
    npl.check_grads(lambda w, x: penalty({"w": w @ x, "more": [x]}) ** 2, (w, w.T.copy()))


def test_the_hessian_and_beyond() -> None:
    w = np.array([1.0, -2.0, 0.0])
    np.testing.assert_array_equal(npl.hessian(npl.L2Penalty(0.3))(w), 0.3 * np.eye(3))
    np.testing.assert_array_equal(npl.hessian_diag(npl.L2Penalty(0.3))(w), np.full(3, 0.3))
    np.testing.assert_array_equal(npl.hessian(npl.L1Penalty(0.3))(w), np.zeros((3, 3)))
    value, change = npl.jvp(npl.L2Penalty(2.0), (w,), w)
    assert (value, change) == (5.0, 10.0)
    # The gradient of a function of a product: the third derivative is zero, and is found.
    third = npl.grad(lambda w: np.sum(npl.hvp(npl.L2Penalty(), (w,), np.ones(3)) * w))(w)
    np.testing.assert_array_equal(third, 1.0)


Layer = namedtuple("Layer", ["kernel", "bias"])


def nest() -> Any:
    rng = np.random.default_rng(3)
    return {
        "layers": [(rng.normal(size=(3, 4)), rng.normal(size=4)), Layer(rng.normal(size=5), 2.0)],
        "norm": {"gamma": np.ones(4, np.float32), "beta": np.zeros(4, np.float32)},
        "none": None,
        "out": (rng.normal(size=4), np.float32(1.5)),
        "b1": rng.normal(size=(2, 2)),
    }


TAKING_PART = ["layers.0.0", "layers.1.kernel", "norm.gamma", "norm.beta", "out.0"]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_nest(penalty: Any) -> None:
    parameters, before = nest(), nest()
    del parameters["none"], before["none"]
    assert list(penalty.taking_part(parameters)) == TAKING_PART
    value, gradient = npl.value_and_grad(penalty)(parameters)
    every = [
        parameters["layers"][0][0],
        parameters["layers"][1].kernel,
        *parameters["norm"].values(),
        parameters["out"][0],
    ]
    assert value == pytest.approx(sum(penalty(np.float64(own)) for own in every), rel=1e-14)
    assert value.dtype == np.float64
    assert type(gradient["layers"][1]) is Layer
    assert gradient["norm"]["gamma"].dtype == np.float32
    np.testing.assert_array_equal(
        gradient["layers"][0][0], npl.grad(penalty)(parameters["layers"][0][0])
    )
    for left_out in (gradient["layers"][0][1], gradient["out"][1], gradient["b1"]):
        np.testing.assert_array_equal(left_out, 0)
    assert repr(parameters) == repr(before)  # nothing was written to


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        (np.ones(3), [""]),
        (1.5, [""]),
        ([1.0, 2.0], [""]),
        ({"b": np.ones(3), "w": np.ones(3)}, ["w"]),
        ({"fc.weight": np.ones(3), "fc.bias": np.ones(3)}, ["fc.weight"]),
        ({"W1": np.ones(2), "B1": np.ones(2), "b_2": np.ones(2)}, ["W1"]),
        ({"coef_": np.ones(2), "intercept_": np.ones(2)}, ["coef_"]),
        ({"bias_hh_l0": np.ones(2), "weight_hh_l0": np.ones(2)}, ["weight_hh_l0"]),
        ({"debias": {"w": np.ones(2)}}, ["debias.w"]),
        ({"beta": np.ones(2), "bn": np.ones(2)}, ["beta", "bn"]),
        ((np.ones(3), np.ones(())), ["0"]),
        ([np.ones((2, 3)), np.ones(3), np.ones((3, 1)), np.ones(1)], ["0", "2"]),
        ([np.ones(3), np.ones(2)], ["0", "1"]),
        ({0: np.ones((3, 2)), 1: np.ones(2)}, ["0"]),
        ({"w": None, "v": np.ones(1)}, ["v"]),
        ({"a.c": np.ones(1), "a": {"c": np.ones(1)}}, ["a.c", "['a']['c']"]),
    ],
)
def test_who_takes_part(parameters: Any, names: list[str]) -> None:
    assert list(npl.L2Penalty().taking_part(parameters)) == names
    traced = []
    npl.grad(lambda p: (traced.extend(npl.L2Penalty().taking_part(p)), npl.L2Penalty()(p))[1])(
        {k: v for k, v in parameters.items() if v is not None}
        if isinstance(parameters, dict)
        else parameters
    )
    assert traced == names


def test_include() -> None:
    seen = []

    def matrices(name: str, array: np.ndarray) -> bool:
        seen.append(name)
        assert isinstance(array, np.ndarray | np.generic | float)  # plain, though traced
        return np.ndim(array) >= 2

    parameters = nest()
    del parameters["none"]
    penalty = npl.L1Penalty(include=matrices)
    assert list(penalty.taking_part(parameters)) == ["layers.0.0", "b1"]
    gradient = npl.grad(penalty)(parameters)
    np.testing.assert_array_equal(gradient["b1"], np.sign(parameters["b1"]))
    assert "norm.gamma" in seen
    everyone = npl.L1Penalty(include=lambda name, array: True)
    assert len(everyone.taking_part(parameters)) == 9


def test_functions_are_their_classes() -> None:
    w = {"w": np.array([1.0, -2.0]), "b": np.array([5.0])}

    def of_b(name: str, array: Any) -> bool:
        return name == "b"

    assert F.l1_penalty(w, 0.1) == npl.L1Penalty(0.1)(w)
    assert F.l2_penalty(w, 0.1, include=of_b) == npl.L2Penalty(0.1, include=of_b)(w)
    assert F.elastic_net_penalty(w, 0.1, 0.2) == npl.ElasticNetPenalty(0.1, 0.2)(w)
    assert F.elastic_net_penalty(w) == 0.5 * F.l1_penalty(w) + 0.5 * F.l2_penalty(w)


def test_beside_a_loss_on_the_tape() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2]), rng.normal(size=(3, 3))

    def objective(w: Any) -> Any:
        return F.cross_entropy(x @ w, y) + F.l2_penalty(w, 0.1)

    def written(w: Any) -> Any:
        return F.cross_entropy(x @ w, y) + 0.5 * 0.1 * np.sum(w**2)

    np.testing.assert_allclose(npl.grad(objective)(w), npl.grad(written)(w), rtol=1e-14)
    np.testing.assert_allclose(npl.hessian(objective)(w), npl.hessian(written)(w), rtol=1e-13)
    # A strength with a gradient stands outside.
    assert npl.grad(lambda alpha: alpha * npl.L2Penalty()(w))(0.1) == npl.L2Penalty()(w)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_results_do_not_depend_on_the_number_of_threads(penalty: Any) -> None:
    w = np.random.default_rng(0).normal(size=(1 << 19, 3))
    threads = npl.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            npl.set_num_threads(count)
            results.append(npl.value_and_grad(penalty)(w))
    finally:
        npl.set_num_threads(threads)
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    a, b = penalty.strengths
    np.testing.assert_allclose(results[0][1], a * np.sign(w) + b * w, rtol=1e-15)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_read_only_arrays_copies_and_text(penalty: Any) -> None:
    w = np.array([1.0, -2.0])
    w.flags.writeable = False
    value, gradient = npl.value_and_grad(penalty)(w)
    assert gradient.flags.writeable
    assert not np.may_share_memory(gradient, w)
    for other in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty))):
        assert other(w) == value
    rebuilt = eval(repr(penalty), vars(npl))
    assert rebuilt(w) == value
    with pytest.raises(AttributeError):
        penalty.alpha = 1.0


def test_ten_million_take_no_memory_beside_the_gradient() -> None:
    import tracemalloc

    w = np.ones(10**7, np.float32)
    tracemalloc.start()
    try:
        npl.value_and_grad(npl.ElasticNetPenalty(0.1))(w)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < w.nbytes + 24 * 2**20
