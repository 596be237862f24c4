"""The losses of several tasks: fixed, scheduled and learned weights."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl

LOSSES = {"depth": npl.MSELoss(), "class": npl.CrossEntropyLoss(), "mask": npl.BCEWithLogitsLoss()}


def data(dtype: type = np.float64) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(0)
    input = {
        "depth": rng.normal(size=5).astype(dtype),
        "class": rng.normal(size=(4, 3)).astype(dtype),
        "mask": rng.normal(size=(2, 2)).astype(dtype),
    }
    target = {
        "depth": rng.normal(size=5).astype(dtype),
        "class": np.array([0, 2, 1, 1]),
        "mask": rng.integers(0, 2, (2, 2)),
    }
    return input, target


def one_over(step: int) -> float:
    return 1 / (1 + step)


WEIGHTS = {"depth": 0.25, "class": one_over}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("step", [0, 4])
def test_weighted(step: int, dtype: type) -> None:
    loss = npl.MultiTaskLoss(LOSSES, WEIGHTS)
    input, target = data(dtype)
    weights = {"depth": 0.25, "class": 1 / (1 + step), "mask": 1.0}
    assert loss.weights_at(step) == weights
    log: dict[str, Any] = {}
    value, gradient = npl.value_and_grad(loss)(input, target, step=step, log=log)
    assert type(value) is dtype
    eps = 16 * float(np.finfo(dtype).eps)
    assert value == pytest.approx(sum(weights[t] * float(log[t]) for t in LOSSES), rel=eps)
    for task, own in LOSSES.items():
        of_loss, of_input = npl.value_and_grad(own)(input[task], target[task])
        assert log[task] == of_loss
        assert gradient[task].dtype == dtype
        expected = weights[task] * of_input.astype(np.float64)
        np.testing.assert_allclose(gradient[task], expected, rtol=eps, atol=eps * 1e-2)
    assert loss.terms(input, target, step=step) == log
    assert list(log) == list(LOSSES)


def test_second_order() -> None:
    loss = npl.MultiTaskLoss(LOSSES, {"depth": 0.25})
    input, target = data()
    v = {task: np.ones_like(own) for task, own in input.items()}
    product, _ = npl.hvp(loss, (input, target), (v, None))
    np.testing.assert_allclose(product["depth"], 0.25 * 2 / 5, rtol=1e-15)
    expected = npl.hvp(LOSSES["mask"], (input["mask"], target["mask"]), v["mask"])
    np.testing.assert_allclose(product["mask"], expected, rtol=1e-14)


def test_a_task_of_weight_zero() -> None:
    loss = npl.MultiTaskLoss(LOSSES, {"depth": 0, "mask": lambda step: 0.0})
    input, target = data()
    input["depth"][0] = np.nan
    log: dict[str, Any] = {}
    for more in ({}, {"log": log}):
        value, gradient = npl.value_and_grad(loss)(input, target, step=1, **more)
        assert value == LOSSES["class"](input["class"], target["class"])
        np.testing.assert_array_equal(gradient["depth"], 0)
    assert np.isnan(log["depth"])
    none = npl.MultiTaskLoss(LOSSES, dict.fromkeys(LOSSES, 0))
    assert none(*data()) == 0


def test_a_sample_without_a_label_for_a_task() -> None:
    loss = npl.MultiTaskLoss(LOSSES)
    input, target = data()
    input["depth"][0] = np.nan
    weight = {"depth": np.array([0, 1, 1, 1, 1.0])}
    value, gradient = npl.value_and_grad(loss)(input, target, sample_weight=weight)
    assert np.isfinite(value)
    assert gradient["depth"][0] == 0


# ---------------------------------------------------------------------- learned weights

KINDS: dict[str, Any] = {"depth": "regression"}
LOGS = {"depth": np.float64(0.7), "class": np.float64(-0.3), "mask": np.float64(40.0)}


def exact(values: dict[str, Any], logs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The value, and its derivatives with respect to the logarithms, by the equations of the paper."""
    total, slopes = mpf(0), {}
    for task, loss in values.items():
        sigma = mp.exp(mpf(float(logs[task])) / 2)
        factor = mpf(1) / 2 if task == "depth" else 1
        total += factor / sigma**2 * mpf(float(loss)) + mp.log(sigma)
        slopes[task] = mpf(1) / 2 - factor / sigma**2 * mpf(float(loss))
    return total, slopes


@pytest.mark.parametrize("as_array", [False, True])
def test_learned(as_array: bool) -> None:
    loss = npl.UncertaintyWeightedLoss(LOSSES, KINDS)
    input, target = data()
    logs: Any = np.array(list(LOGS.values())) if as_array else LOGS
    log: dict[str, Any] = {}
    value, (of_input, of_logs) = npl.value_and_grad(loss, (0, 2))(input, target, logs, log=log)
    assert log == {t: LOSSES[t](input[t], target[t]) for t in LOSSES}
    assert loss.terms(input, target, logs) == log
    with mp.workdps(50):
        expected, slopes = exact(log, LOGS)
    assert value == pytest.approx(float(expected), rel=1e-14)
    for place, task in enumerate(LOSSES):
        own = of_logs[place] if as_array else of_logs[task]
        assert own == pytest.approx(float(slopes[task]), rel=1e-14)
        factor = loss.weights_at(logs)[task]
        assert factor == pytest.approx(
            (0.5 if task == "depth" else 1) * np.exp(-LOGS[task]), rel=1e-15
        )
        of_loss = npl.grad(LOSSES[task])(input[task], target[task])
        np.testing.assert_allclose(of_input[task], factor * of_loss, rtol=1e-13)


def test_learned_second_order() -> None:
    loss = npl.UncertaintyWeightedLoss(LOSSES, KINDS)
    input, target = data()
    s = np.array([0.7, -0.3, 0.1])
    npl.check_grads(lambda s: loss(input, target, s), (s,))
    npl.check_grads(
        lambda x, s: loss({**input, "depth": x}, target, s), (input["depth"], s), argnums=(0, 1)
    )
    hessian = npl.hessian(lambda s: loss(input, target, s))(s)
    values = list(loss.terms(input, target, s).values())
    expected = np.diag(np.array([0.5, 1, 1]) * np.exp(-s) * values)
    np.testing.assert_allclose(hessian, expected, rtol=1e-13)


def test_learned_weights_find_the_variances() -> None:
    import scipy.optimize

    loss = npl.UncertaintyWeightedLoss(LOSSES, KINDS)
    input, target = data()
    objective = npl.value_and_grad(lambda s: loss(input, target, s))
    found = scipy.optimize.minimize(objective, np.zeros(3), jac=True, tol=1e-10).x
    values = np.array(list(loss.terms(input, target, found).values()))
    np.testing.assert_allclose(np.exp(found), 2 * np.array([0.5, 1, 1]) * values, rtol=1e-5)


def test_numbers_of_python() -> None:
    loss = npl.UncertaintyWeightedLoss(LOSSES)
    input, target = data()
    zeros = dict.fromkeys(LOSSES, 0)
    expected = sum(loss.terms(input, target, zeros).values())
    for logs in (zeros, [0, 0, 0], np.zeros(3)):
        assert loss(input, target, logs) == pytest.approx(float(expected), rel=1e-15)


def test_pickle_and_repr() -> None:
    for loss in (npl.MultiTaskLoss(LOSSES, WEIGHTS), npl.UncertaintyWeightedLoss(LOSSES, KINDS)):
        assert repr(pickle.loads(pickle.dumps(loss))) == repr(loss)
        assert "CrossEntropyLoss" in repr(loss)
