"""Cases of binary cross entropy, of probabilities and of logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import Array, Case


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
        edge=() if soft else (1,),  # hard targets
        poison=0.5,  # a probability must be one
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
    _bce_case("hard"),
    _bce_case("soft", soft=True),
    _bce_case("weight", weight=2.5),
    _logits_case("hard"),
    _logits_case("soft", soft=True),
    _logits_case("pos_weight", pos_weight=3.0),
    _logits_case("soft-pos_weight-weight", soft=True, pos_weight=0.3, weight=1.75),
]
