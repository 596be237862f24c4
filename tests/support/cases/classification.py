"""Cases of cross entropy and negative log-likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import INF, Array, Case

# ---------------------------------------------------------------------- samples

CLASSES = 4
WEIGHT = [0.25, 1.5, 3.0, 0.7]


def _logits_and_labels(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    scale = rng.choice([0.01, 1.0, 5.0], (n, 1))
    return (rng.normal(size=(n, CLASSES)) * scale).astype(dtype), rng.integers(0, CLASSES, n)


def _logits_and_distributions(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    logits, _ = _logits_and_labels(rng, dtype, n)
    return logits, rng.dirichlet(np.full(CLASSES, 0.5), n).astype(dtype)


def _extreme_logits(dtype: type) -> Array:
    far = 80.0 if dtype == np.float32 else 600.0
    return np.array(
        [
            [20, 0, 0, 0],
            [0, 20, 0, 0],
            [far, 0, 0, 0],
            [0, 0, far, 0],
            [-far, -far, -far, -far],
            [1e4, 1e4 - 1, 1e4 - 30, 0],
            [0, 0, 0, 0],
            [1, -INF, 0, -INF],
            [-INF, -INF, 3, -INF],
            [1e-20, -1e-20, 0, 1e-30],
        ],
        dtype,
    )


def _extreme_labels(dtype: type) -> tuple[Array, ...]:
    return _extreme_logits(dtype), np.array([0, 1, 0, 2, 3, 0, 2, 0, 2, 1])


def _extreme_distributions(dtype: type) -> tuple[Array, ...]:
    targets = np.eye(CLASSES)[[0, 1, 0, 2, 3, 0, 2, 0, 2, 1]]
    targets[4] = 0.25
    targets[5] = [0.75, 0.25, 0, 0]
    targets[6] = [1 - 2.0**-20, 2.0**-20, 0, 0]
    targets[7] = [0.5, 0, 0.5, 0]
    return _extreme_logits(dtype), targets.astype(dtype)


def _log_probabilities(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    logits, labels = _logits_and_labels(rng, dtype, n)
    return -np.abs(logits), labels


# ---------------------------------------------------------------------- exact formulas


def _log_softmax(logits: list[Any]) -> list[Any]:
    total = mp.log(mp.fsum(mp.exp(x) for x in logits))
    return [x - total for x in logits]


def _distribution(options: Mapping[str, Any], logits: list[Any], target: Any) -> list[Any]:
    """Class weights times the smoothed target, spread over the classes that are not masked."""
    smoothing = mpf(options.get("label_smoothing", 0))
    unmasked = [x != -mp.inf for x in logits]
    given = target if isinstance(target, list) else [mpf(c == target) for c in range(CLASSES)]
    weight = options.get("weight", np.ones(CLASSES))
    return [
        mpf(float(w)) * ((1 - smoothing) * t + (smoothing / sum(unmasked) if u else 0))
        for w, t, u in zip(weight, given, unmasked, strict=True)
    ]


def _cross_entropy(options: Mapping[str, Any], logits: list[Any], target: Any) -> Any:
    targets = _distribution(options, logits, target)
    log_p = _log_softmax(logits)
    return -mp.fsum(t * lp for t, lp in zip(targets, log_p, strict=True) if t != 0)


def _cross_entropy_terms(options: Mapping[str, Any], logits: list[Any], target: Any) -> list[Any]:
    targets = _distribution(options, logits, target)
    p = [mp.exp(lp) for lp in _log_softmax(logits)]
    own = [
        p[c] * mp.fsum(t for k, t in enumerate(targets) if k != c)
        + targets[c] * mp.fsum(q for k, q in enumerate(p) if k != c)
        for c in range(CLASSES)
    ]
    return [own, None]


def _nll(options: Mapping[str, Any], log_p: list[Any], target: int) -> Any:
    weight = options.get("weight", np.ones(CLASSES))
    return -mpf(float(weight[target])) * log_p[target]


def _counts(options: Mapping[str, Any], _: Array, labels: Array) -> float:
    weight = np.asarray(options.get("weight", np.ones(CLASSES)))
    return float(weight[labels].sum())


# ---------------------------------------------------------------------- the table


def _over_classes(name: str, soft: bool = False, **options: Any) -> Case:
    mixed = soft or "label_smoothing" in options
    return Case(
        f"cross_entropy-{name}",
        npl.CrossEntropyLoss,
        F.cross_entropy,
        torch_functional.cross_entropy,
        _logits_and_distributions if soft else _logits_and_labels,
        _extreme_distributions if soft else _extreme_labels,
        _cross_entropy,
        options,
        _cross_entropy_terms if mixed else None,
        (0, 1) if soft else (0,),
        counts=None if soft else _counts,
    )


def _nll_case(name: str, **options: Any) -> Case:
    return Case(
        f"nll-{name}",
        npl.NLLLoss,
        F.nll_loss,
        torch_functional.nll_loss,
        _log_probabilities,
        _extreme_labels,
        _nll,
        options,
        counts=_counts,
    )


CASES = [
    _over_classes("index"),
    _over_classes("index-weight", weight=WEIGHT),
    _over_classes("index-smoothing", label_smoothing=0.1),
    _over_classes("index-weight-smoothing", weight=WEIGHT, label_smoothing=0.25),
    _over_classes("probabilities", soft=True),
    _over_classes("probabilities-weight", soft=True, weight=WEIGHT),
    _over_classes("probabilities-smoothing", soft=True, label_smoothing=0.2),
    _over_classes("probabilities-weight-smoothing", soft=True, weight=WEIGHT, label_smoothing=0.2),
    _nll_case("plain"),
    _nll_case("weight", weight=WEIGHT),
]
