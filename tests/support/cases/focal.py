"""Cases of the entropy and the focal losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mpmath import mp, mpf

import npl
import npl.functional as F
from benchmarks import torch_focal
from tests.support.cases.binary import (
    _binary_logits,
    _binary_logits_soft,
    _probabilities,
    _probabilities_soft,
)
from tests.support.cases.case import INF, Array, Case

CLASSES = 4


def _logits(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    scale = rng.choice([0.01, 1.0, 5.0], (n, 1))
    return ((rng.normal(size=(n, CLASSES)) * scale).astype(dtype),)


def _extreme_logits(dtype: type) -> tuple[Array, ...]:
    far = 80.0 if dtype == np.float32 else 600.0
    rows = [
        [20, 0, 0, 0],
        [0, 0, far, 0],
        [far, far, 0, -far],
        [-far, -far, 1 - far, -far],
        [1e4, 1e4 - 1, 1e4 - 30, 0],
        [0, 0, 0, 2e-7],
        [1, -INF, 0, -INF],
        [-INF, -INF, 3, -INF],
        [50, 30, -INF, -40],
        [1e-20, -1e-20, 0, 1e-30],
    ]
    return (np.array(rows, dtype),)


def _softmax(logits: list[Any]) -> list[Any]:
    exp = [mp.exp(x) for x in logits]
    total = mp.fsum(exp)
    return [e / total for e in exp]


def _entropy(_: Mapping[str, Any], logits: list[Any]) -> Any:
    return -mp.fsum(p * mp.log(p) for p in _softmax(logits) if p)


def _spread(logits: list[Any]) -> list[Any]:
    """How far each logit lies from the mean logit, and how far all do on the average."""
    p = _softmax(logits)
    finite = [x if q else mp.mpf(0) for q, x in zip(p, logits, strict=True)]
    mean = mp.fsum(q * x for q, x in zip(p, finite, strict=True))
    distance = [abs(x - mean) for x in finite]
    average = mp.fsum(q * d for q, d in zip(p, distance, strict=True))
    return [d + average for d in distance]


def _entropy_terms(_: Mapping[str, Any], logits: list[Any]) -> list[Any]:
    p = _softmax(logits)
    return [[q * s for q, s in zip(p, _spread(logits), strict=True)]]


def _entropy_curvature_terms(_: Mapping[str, Any], logits: list[Any]) -> list[Any]:
    p = _softmax(logits)
    return [
        [
            q * (mp.fsum(p[:c] + p[c + 1 :]) + abs(1 - 2 * q) * s)
            for c, (q, s) in enumerate(zip(p, _spread(logits), strict=True))
        ]
    ]


# ---------------------------------------------------------------------- focal loss of a softmax


def _labelled(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    (logits,) = _logits(rng, dtype, n)
    return logits, rng.integers(0, CLASSES, n)


def _extreme_labelled(dtype: type) -> tuple[Array, ...]:
    (logits,) = _extreme_logits(dtype)
    return logits, np.array([0, 0, 1, 2, 0, 3, 2, 2, 3, 1])


def _focal(options: Mapping[str, Any], logits: list[Any], label: int) -> Any:
    p = _softmax(logits)
    weight = mpf(float(options.get("weight", np.ones(CLASSES))[label]))
    others = mp.fsum(p[:label] + p[label + 1 :])
    gamma = mpf(float(options.get("gamma", 2)))
    return -weight * others**gamma * mp.log(p[label])


def _focal_case(name: str, **options: Any) -> Case:
    return Case(
        f"focal-{name}",
        npl.FocalLoss,
        F.focal_loss,
        torch_focal.focal_loss,
        _labelled,
        _extreme_labelled,
        _focal,
        options,
    )


# ---------------------------------------------------------------------- binary focal losses


def _alpha_t(options: Mapping[str, Any], y: Any) -> Any:
    alpha = options.get("alpha", 0.25)
    if alpha is None or alpha < 0:
        return mpf(1)
    alpha = mpf(float(alpha))
    return alpha * y + (1 - alpha) * (1 - y)


def _gamma(options: Mapping[str, Any]) -> Any:
    return mpf(float(options.get("gamma", 2)))


def _binary_focal(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    shortfall = x * (1 - y) + (1 - x) * y
    cross_entropy = -y * mp.log(x) - (1 - y) * mp.log(1 - x)
    return _alpha_t(options, y) * shortfall ** _gamma(options) * cross_entropy


def _sigmoid_focal(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    p, q = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
    shortfall = p * (1 - y) + q * y
    cross_entropy = -y * mp.log(p) - (1 - y) * mp.log(q)
    return _alpha_t(options, y) * shortfall ** _gamma(options) * cross_entropy


def _product_terms(
    options: Mapping[str, Any],
    y: Any,
    s: Any,
    loss: Any,
    along_s: tuple[Any, Any],
    along_loss: tuple[Any, Any],
    bends: tuple[Any, Any],
) -> tuple[list[Any], list[Any]]:
    """The absolute terms of gradient and diagonal of alpha_t s^gamma L, in input and target.

    `along_loss` and `bends` are sums of absolute values themselves; the bend of s comes in the latter, as
    gamma L times it over s.
    """
    gamma, alpha_t = _gamma(options), _alpha_t(options, y)
    tilts = [mpf(0), abs(_alpha_t(options, mpf(1)) - _alpha_t(options, mpf(0)))]
    gradient, diagonal = [], []
    for tilt, s_a, loss_a, bend in zip(tilts, along_s, along_loss, bends, strict=True):
        change = gamma * abs(s_a) * loss / s + loss_a
        gradient.append(s**gamma * (alpha_t * change + tilt * loss))
        second = gamma * abs(s_a) / s * (abs(gamma - 1) * abs(s_a) * loss / s + 2 * loss_a) + bend
        diagonal.append(s**gamma * (alpha_t * second + 2 * tilt * change))
    return gradient, diagonal


def _binary_both_terms(options: Mapping[str, Any], x: Any, y: Any) -> tuple[list[Any], list[Any]]:
    s = x * (1 - y) + (1 - x) * y
    loss = -y * mp.log(x) - (1 - y) * mp.log(1 - x)
    return _product_terms(
        options,
        y,
        s,
        loss,
        (1 - 2 * y, 1 - 2 * x),
        (abs(x - y) / (x * (1 - x)), abs(mp.log((1 - x) / x))),
        (y / x**2 + (1 - y) / (1 - x) ** 2, mpf(0)),
    )


def _sigmoid_both_terms(options: Mapping[str, Any], x: Any, y: Any) -> tuple[list[Any], list[Any]]:
    p, q = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
    s = p * (1 - y) + q * y
    loss = -y * mp.log(p) - (1 - y) * mp.log(q)
    bend = p * q + _gamma(options) * loss * p * q * abs((1 - 2 * y) * (q - p)) / s
    return _product_terms(
        options,
        y,
        s,
        loss,
        ((1 - 2 * y) * p * q, q - p),
        (p * (1 - y) + q * y, abs(x)),
        (bend, mpf(0)),
    )


def _extreme_focal_logits(dtype: type) -> tuple[Array, ...]:
    # Not farther on the right side: steps in the target are to be small beside what is left of 1 - p.
    far, wrong = 80.0, 80.0 if dtype == np.float32 else 700.0
    x = [far, -far, wrong, -wrong, 40, -40, 0.125, 1e-30, -1e-30, 1e4, -1e4, 100, -100]
    y = [1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0]
    return np.array(x, dtype), np.array(y, dtype)


def _extreme_focal_probabilities(dtype: type) -> tuple[Array, ...]:
    below_one = 1 - np.finfo(dtype).epsneg
    middle = 0.5 + np.finfo(dtype).eps
    x = [1e-30, 1e-30, 1e-6, below_one, below_one, middle, 0.5, 0.25, 0.75, 0.4999]
    y = [1, 0, 0, 0, 1, 0, 0, 1, 0, 0]
    return np.array(x, dtype), np.array(y, dtype)


def _sigmoid_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"sigmoid_focal-{name}",
        npl.SigmoidFocalLoss,
        F.sigmoid_focal_loss,
        torch_focal.sigmoid_focal_loss,
        _binary_logits_soft if soft else _binary_logits,
        _extreme_focal_logits,
        _sigmoid_focal,
        options,
        lambda *a: _sigmoid_both_terms(*a)[0],
        (0, 1),
        edge=() if soft else (1,),
        curvature_terms=lambda *a: _sigmoid_both_terms(*a)[1],
    )


def _binary_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"binary_focal-{name}",
        npl.BinaryFocalLoss,
        F.binary_focal_loss,
        torch_focal.binary_focal_loss,
        _probabilities_soft if soft else _probabilities,
        _extreme_focal_probabilities,
        _binary_focal,
        options,
        lambda *a: _binary_both_terms(*a)[0],
        (0, 1),
        edge=() if soft else (1,),  # hard targets
        poison=0.5,  # a probability must be one
        curvature_terms=lambda *a: _binary_both_terms(*a)[1],
    )


CASES = [
    Case(
        "entropy",
        npl.EntropyLoss,
        F.entropy_loss,
        torch_focal.entropy_loss,
        _logits,
        _extreme_logits,
        _entropy,
        {},
        _entropy_terms,
        curvature_terms=_entropy_curvature_terms,
    ),
    _focal_case("2"),
    _focal_case("0", gamma=0),
    _focal_case("half-weight", gamma=0.5, weight=[0.25, 1.5, 3.0, 0.7]),
    _focal_case("0.3", gamma=0.3),
    _focal_case("5", gamma=5.0),
    _sigmoid_case("hard"),
    _sigmoid_case("soft", soft=True),
    _sigmoid_case("soft-half", soft=True, alpha=None, gamma=0.5),
    _sigmoid_case("unweighted", alpha=-1),
    _sigmoid_case("0", gamma=0, alpha=0.9),
    _sigmoid_case("0.3", gamma=0.3),
    _sigmoid_case("5", gamma=5.0),
    _binary_case("hard"),
    _binary_case("soft", soft=True),
    _binary_case("soft-half", soft=True, alpha=None, gamma=0.5),
    _binary_case("unweighted", alpha=-1),
    _binary_case("0", gamma=0, alpha=0.9),
    _binary_case("0.3", gamma=0.3),
    _binary_case("5", gamma=5.0),
]
