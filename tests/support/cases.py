"""One row per configuration of a loss; every generic test runs over all rows.

A row says how to make the loss, what to feed it (random samples and extremes), and what one
sample's loss is in exact arithmetic. Nothing here knows how NPL computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F

Array = np.ndarray
INF = float("inf")


@dataclass(frozen=True)
class Case:
    """A loss with options, samples for it, and its exact formula.

    Attributes
    ----------
    loss, function, torch
        The class, its functional form, and torch's function.
    options
        Keyword arguments of all three; lists become arrays of the tested dtype.
    sample
        `(rng, dtype, n) -> arguments`, one row per sample.
    extremes
        `dtype -> arguments`, rows at the edges of the domain.
    oracle
        `(options, *row) -> mpf`, the loss of one sample.
    terms
        `(options, *row) -> one list per differentiable argument`: the absolute terms of its
        gradient where it is a sum of mixed signs; by default the gradient itself is the measure.
    differentiable
        The positional arguments with a derivative.
    """

    name: str
    loss: type[npl.Loss]
    function: Callable[..., Any]
    torch: Callable[..., Any]
    sample: Callable[[np.random.Generator, type, int], tuple[Array, ...]]
    extremes: Callable[[type], tuple[Array, ...]]
    oracle: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    terms: Callable[..., Any] | None = None
    differentiable: tuple[int, ...] = (0,)

    def typed_options(self, dtype: type) -> dict[str, Any]:
        """Return the options with lists as arrays of a dtype."""
        return {
            key: np.array(value, dtype) if isinstance(value, list) else value
            for key, value in self.options.items()
        }

    def make(self, dtype: type = np.float64, **more: Any) -> npl.Loss:
        """Return the loss."""
        return self.loss(**{**self.typed_options(dtype), **more})

    def __str__(self) -> str:
        return self.name


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


def _probabilities(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return rng.uniform(0.001, 0.999, n).astype(dtype), rng.integers(0, 2, n).astype(dtype)


def _probabilities_soft(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return rng.uniform(0.001, 0.999, n).astype(dtype), rng.uniform(size=n).astype(dtype)


def _extreme_probabilities(dtype: type) -> tuple[Array, ...]:
    below_one = 1 - np.finfo(dtype).epsneg
    middle = 0.5 + np.finfo(dtype).eps
    x = [1e-30, 1e-30, 1e-6, below_one, below_one, middle, 0.5, 0.25, 0.75, 0.4999]
    y = [1, 0, 0, 0, 1, 1, 0, 1, 0, 1]
    return np.array(x, dtype), np.array(y, dtype)


def _binary_logits(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 5).astype(dtype), rng.integers(0, 2, n).astype(dtype)


def _binary_logits_soft(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 5).astype(dtype), rng.uniform(size=n).astype(dtype)


def _extreme_binary_logits(dtype: type) -> tuple[Array, ...]:
    far = 80.0 if dtype == np.float32 else 700.0
    x = [far, -far, far, -far, 40, -40, 0, 1e-30, -1e-30, 1e4, -1e4]
    y = [1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1]
    return np.array(x, dtype), np.array(y, dtype)


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


def _bce(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    weight = mpf(float(options.get("weight", 1)))
    return -weight * (y * mp.log(x) + (1 - y) * mp.log(1 - x))


def _bce_with_logits(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    weight = mpf(float(options.get("weight", 1)))
    positive = mpf(float(options.get("pos_weight", 1)))
    return weight * (y * positive * mp.log(1 + mp.exp(-x)) + (1 - y) * mp.log(1 + mp.exp(x)))


def _bce_with_logits_terms(options: Mapping[str, Any], x: Any, y: Any) -> list[Any]:
    weight = mpf(float(options.get("weight", 1)))
    positive = mpf(float(options.get("pos_weight", 1)))
    in_x = weight * ((1 - y) / (1 + mp.exp(-x)) + positive * y / (1 + mp.exp(x)))
    in_y = weight * (
        abs(positive - 1) * mp.log(1 + mp.exp(-abs(x))) + max(x, 0) - positive * min(x, 0)
    )
    return [in_x, in_y]


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
    )


def _bce_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"bce-{name}",
        npl.BCELoss,
        F.binary_cross_entropy,
        torch_functional.binary_cross_entropy,
        _probabilities_soft if soft else _probabilities,
        _extreme_probabilities,
        _bce,
        options,
        None,
        (0, 1),
    )


def _logits_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"bce_with_logits-{name}",
        npl.BCEWithLogitsLoss,
        F.binary_cross_entropy_with_logits,
        torch_functional.binary_cross_entropy_with_logits,
        _binary_logits_soft if soft else _binary_logits,
        _extreme_binary_logits,
        _bce_with_logits,
        options,
        _bce_with_logits_terms,
        (0, 1),
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
    _bce_case("hard"),
    _bce_case("soft", soft=True),
    _bce_case("weight", weight=2.5),
    _logits_case("hard"),
    _logits_case("soft", soft=True),
    _logits_case("pos_weight", pos_weight=3.0),
    _logits_case("soft-pos_weight-weight", soft=True, pos_weight=0.3, weight=1.75),
]
