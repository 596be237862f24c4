"""Cases of the losses of a residual: absolute, squared, and between the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import Array, Case


def _predictions(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    scale = rng.choice([0.1, 1.0, 10.0], n)
    return (rng.normal(size=n) * scale).astype(dtype), (rng.normal(size=n) * scale).astype(dtype)


def _extreme_predictions(dtype: type) -> tuple[Array, ...]:
    huge, tiny = (3e38, 1e-38) if dtype == np.float32 else (4e307, 1e-308)
    above_one = 1 + np.finfo(dtype).eps
    x = [huge, -huge, 1e18, 1e10, 1e-6, -1e-18, tiny, 3 * tiny, above_one, 1e-9, 0, 1e8]
    # Both of a size where the oracle's steps, relative to each, need not many digits.
    y = [huge / 4, huge, -1e18, 1, 1e-9, 2e-18, -tiny, tiny, 1, 1e9, 100, 1e8 - 64]
    return np.array(x, dtype), np.array(y, dtype)


def _weight(options: Mapping[str, Any]) -> Any:
    return mpf(float(options.get("weight", 1)))


def _l1(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    return _weight(options) * abs(x - y)


def _mse(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    return _weight(options) * (x - y) ** 2


def _huber(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    delta, r = mpf(float(options.get("delta", 1))), abs(x - y)
    return _weight(options) * (r**2 / 2 if r < delta else delta * (r - delta / 2))


def _smooth_l1(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    beta, r = mpf(float(options.get("beta", 1))), abs(x - y)
    return r**2 / (2 * beta) if r < beta else r - beta / 2


def _log_cosh(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    r = abs(x - y)
    # Either has all its digits where the other has not, even of 500.
    if r < 1:
        return mp.log1p(2 * mp.sinh(r / 2) ** 2)
    return r + mp.log1p(mp.exp(-2 * r)) - mp.log(2)


def _quantile(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    q = mpf(float(options.get("quantile", 0.5)))
    return max(q * (y - x), (q - 1) * (y - x))


def _extreme_distances(dtype: type) -> tuple[Array, ...]:
    """Where an exponential would multiply the rounding error of the difference, and small residuals."""
    x, y = _extreme_predictions(dtype)
    more = [1e-4, -1e-3, 0.6, 1, -30, 33, 100, -45, 300]
    beside = [1e-9, 1e-9, 0.1, 0.3, 1.1, 0.3, -0.1, 1e-3, 1e-3]
    return np.append(x, more).astype(dtype), np.append(y, beside).astype(dtype)


def _torch_log_cosh(input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (input - target).cosh().log()


def _torch_quantile(
    input: torch.Tensor, target: torch.Tensor, quantile: float = 0.5
) -> torch.Tensor:
    return torch.maximum(quantile * (target - input), (quantile - 1) * (target - input))


def _sum_of_weights(options: Mapping[str, Any], x: Array, *_: Array) -> float:
    return len(x) * float(options["weight"])


def _case(name: str, oracle: Any, weighted_mean: bool = False, **options: Any) -> Case:
    loss, function = {
        _l1: (npl.L1Loss, "l1_loss"),
        _mse: (npl.MSELoss, "mse_loss"),
        _huber: (npl.HuberLoss, "huber_loss"),
        _smooth_l1: (npl.SmoothL1Loss, "smooth_l1_loss"),
    }[oracle]
    return Case(
        name,
        loss,
        getattr(F, function),
        getattr(torch_functional, function),
        _predictions,
        _extreme_predictions,
        oracle,
        options,
        differentiable=(0, 1),
        counts=_sum_of_weights if weighted_mean else None,
    )


def _case_beyond_torch(name: str, loss: type[npl.Loss], function: Any, **more: Any) -> Case:
    return Case(
        name,
        loss,
        function,
        sample=_predictions,
        extremes=_extreme_distances,
        differentiable=(0, 1),
        **more,
    )


CASES = [
    _case("l1-plain", _l1),
    _case("l1-weight", _l1, weighted_mean=True, weight=2.5),
    _case("mse-plain", _mse),
    _case("mse-weight", _mse, weighted_mean=True, weight=0.3),
    _case("smooth_l1-plain", _smooth_l1),
    _case("smooth_l1-beta", _smooth_l1, beta=0.3),
    _case("smooth_l1-beta-tiny", _smooth_l1, beta=1e-42),
    _case("smooth_l1-beta-zero", _smooth_l1, beta=0.0),
    _case("huber-plain", _huber),
    _case("huber-delta-weight", _huber, delta=2.5, weight=1.75),
    _case("huber-delta-huge", _huber, delta=1e50),
    _case("huber-delta-tiny", _huber, delta=1e-42),
    _case_beyond_torch(
        "log_cosh", npl.LogCoshLoss, F.log_cosh_loss, torch=_torch_log_cosh, oracle=_log_cosh
    ),
    *[
        _case_beyond_torch(
            f"quantile-{name}",
            npl.QuantileLoss,
            F.quantile_loss,
            torch=_torch_quantile,
            oracle=_quantile,
            options=options,
        )
        for name, options in (
            ("median", {}),
            ("high", {"quantile": 0.9}),
            ("low", {"quantile": 0.001}),
        )
    ],
]
