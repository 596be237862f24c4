"""Objective = cost + regularisation, as a function of the parameters."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

CRITERION = npl.CrossEntropyLoss()


def cost(parameters: Any, x: Any, y: Any, sample_weight: Any = None) -> Any:
    hidden = np.tanh(x @ parameters["hidden"][0] + parameters["hidden"][1])
    return CRITERION(hidden @ parameters["out"], y, sample_weight=sample_weight)


def setting(dtype: type = np.float64) -> tuple[Any, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in ((3, 4), (4,), (4, 2), (7, 3))]
    hidden, bias, out, x = arrays
    return {"hidden": (hidden, bias), "out": out}, x, rng.integers(0, 2, 7)


PENALTY = npl.L1Penalty(0.01) + npl.L2Penalty(0.1)
OBJECTIVE = npl.Objective(cost, PENALTY)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_it_is_their_sum(dtype: type) -> None:
    parameters, x, y = setting(dtype)
    value, gradient = npl.value_and_grad(OBJECTIVE)(parameters, x, y)
    assert type(value) is dtype
    eps = 16 * float(np.finfo(dtype).eps)
    assert value == pytest.approx(cost(parameters, x, y) + PENALTY(parameters), rel=eps)
    assert value == OBJECTIVE(parameters, x, y)
    of_cost, of_penalty = npl.grad(cost)(parameters, x, y), npl.grad(PENALTY)(parameters)
    for own, first, second in (
        (gradient["out"], of_cost["out"], of_penalty["out"]),
        (gradient["hidden"][0], of_cost["hidden"][0], of_penalty["hidden"][0]),
        (gradient["hidden"][1], of_cost["hidden"][1], 0),
    ):
        assert own.dtype == dtype
        np.testing.assert_allclose(own, first + second, rtol=eps, atol=eps)


def test_products() -> None:
    parameters, x, y = setting()
    rng = np.random.default_rng(1)
    v = {
        "hidden": (rng.normal(size=(3, 4)), rng.normal(size=4)),
        "out": rng.normal(size=(4, 2)),
    }
    (product, _, _) = npl.hvp(OBJECTIVE, (parameters, x, y), (v, None, None))
    (of_cost, _, _) = npl.hvp(cost, (parameters, x, y), (v, None, None))
    np.testing.assert_allclose(product["out"], of_cost["out"] + 0.1 * v["out"], rtol=1e-12)
    np.testing.assert_allclose(product["hidden"][1], of_cost["hidden"][1], rtol=1e-12)


def test_terms() -> None:
    parameters, x, y = setting()
    expected = {
        "cost": cost(parameters, x, y),
        "L1Penalty": F.l1_penalty(parameters, 0.01),
        "L2Penalty": F.l2_penalty(parameters, 0.1),
    }
    assert OBJECTIVE.terms(parameters, x, y) == expected
    log: dict[str, Any] = {}
    npl.value_and_grad(OBJECTIVE)(parameters, x, y, log=log)
    assert log == expected
    assert list(log) == list(expected)
    assert npl.Objective(cost, npl.L2Penalty()).terms(parameters, x, y).keys() == {
        "cost",
        "L2Penalty",
    }

    def smooth(parameters: Any) -> Any:
        return np.sum(np.diff(parameters["out"], axis=0) ** 2)

    own = npl.Objective(cost, smooth)
    assert own.terms(parameters, x, y)["smooth"] == smooth(parameters)
    assert np.any(npl.grad(own)(parameters, x, y)["out"] != npl.grad(cost)(parameters, x, y)["out"])


def test_keywords_reach_the_cost() -> None:
    parameters, x, y = setting()
    w = np.array([1, 1, 1, 0, 1, 1, 1.0])
    x[3] = np.nan
    value, gradient = npl.value_and_grad(OBJECTIVE)(parameters, x, y, sample_weight=w)
    assert np.isfinite(value)
    assert gradient["out"].shape == parameters["out"].shape
    assert OBJECTIVE.terms(parameters, x, y, sample_weight=w)["cost"] == cost(parameters, x, y, w)


def test_losses_as_a_cost() -> None:
    """The parameters may be what the loss takes: a matrix that is fitted, say."""
    objective = npl.Objective(npl.MSELoss() + npl.L1Loss(), npl.L2Penalty(0.1))
    w, target = np.ones((2, 2)), np.zeros((2, 2))
    value, gradient = npl.value_and_grad(objective)(w, target)
    assert value == pytest.approx(1 + 1 + 0.05 * 4)
    np.testing.assert_allclose(gradient, (2 + 1) / 4 + 0.1, rtol=1e-15)


def test_it_is_pickled() -> None:
    parameters, x, y = setting()
    other = pickle.loads(pickle.dumps(OBJECTIVE))
    assert other(parameters, x, y) == OBJECTIVE(parameters, x, y)


def test_ridge_regression_has_its_closed_form() -> None:
    import scipy.optimize

    rng = np.random.default_rng(0)
    x, y, alpha = rng.normal(size=(20, 3)), rng.normal(size=20), 0.7
    half = npl.MSELoss(reduction="sum") / 2
    objective = npl.value_and_grad(npl.Objective(lambda w: half(x @ w, y), npl.L2Penalty(alpha)))
    found = scipy.optimize.minimize(objective, np.zeros(3), jac=True, tol=1e-12).x
    np.testing.assert_allclose(
        found, np.linalg.solve(x.T @ x + alpha * np.eye(3), x.T @ y), rtol=1e-6
    )


@pytest.mark.parametrize("ratio", [0.2, 0.7, 1.0])
def test_the_elastic_net_of_scikit_learn_is_a_minimum(ratio: float) -> None:
    """What it finds has a zero gradient where a weight is not 0, and one that the kink allows where it is."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x, alpha = rng.normal(size=(60, 8)), 0.3
    y = x @ np.array([2.0, -1, 0, 0, 0, 0.5, 0, 0]) + rng.normal(size=60)
    model = linear_model.ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=100_000)
    model.fit(x, y)
    half = npl.MSELoss() / 2

    def cost(parameters: Any) -> Any:
        return half(x @ parameters["w"] + parameters["b"], y)

    objective = npl.Objective(cost, npl.ElasticNetPenalty(alpha, ratio))
    gradient = npl.grad(objective)({"w": model.coef_, "b": np.float64(model.intercept_)})
    at_zero = model.coef_ == 0
    assert 0 < at_zero.sum() < 8
    assert np.abs(gradient["w"][~at_zero]).max() < 1e-7
    assert np.abs(gradient["w"][at_zero]).max() <= alpha * ratio
    assert abs(gradient["b"]) < 1e-12
