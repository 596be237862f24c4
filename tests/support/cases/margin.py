"""Cases of the margin losses: of targets 1 and -1, and of binary labels for several classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import INF, Array, Case

WEIGHT = [0.25, 1.5, 3.0, 0.7]

# ---------------------------------------------------------------------- samples


def _signs(rng: np.random.Generator, dtype: type, n: int) -> Array:
    return rng.choice([-1, 1], n).astype(dtype)


def _distances(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return np.abs(rng.normal(size=n) * 2).astype(dtype), _signs(rng, dtype, n)


def _extreme_distances(dtype: type) -> tuple[Array, ...]:
    far = 1e38 if dtype == np.float32 else 1e308
    # Next to the margins 1 and 0.3, and targets that are neither 1 nor -1.
    rows = [
        (1 - 1e-7, -1),
        (1 + 1e-6, -1),
        (0.3 - 1e-16, -1),
        (0.3 - 1e-7, -1),
        (0.3 + 1e-7, -1),
        (0, -1),
        (1e-30, -1),
        (-2, -1),
        (far, -1),
        (-far, -1),
        (far, 1),
        (INF, -1),
        (INF, 1),
        (0.5, 0),
        (2, 0),
        (0.2, 3),
    ]
    x, y = zip(*rows, strict=True)
    return np.array(x, dtype), np.array(y, dtype)


def _scores(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 5).astype(dtype), _signs(rng, dtype, n)


def _scores_soft(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (rng.normal(size=n) * 5).astype(dtype), (rng.normal(size=n) * 2).astype(dtype)


def _extreme_scores(dtype: type) -> tuple[Array, ...]:
    far = 80.0 if dtype == np.float32 else 700.0
    gone = 98.0 if dtype == np.float32 else 735.0  # exp(-gone) is subnormal
    x = [far, -far, far, -far, 20, -20, 100, -100, 0, 1e-30, -1e-30, 1e4, -1e4, gone, -gone]
    y = [1, -1, -1, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 1, 1]
    return np.array(x, dtype), np.array(y, dtype)


def _extreme_scores_soft(dtype: type) -> tuple[Array, ...]:
    huge, largest = (1e30, 3e38) if dtype == np.float32 else (1e150, 1.7e308)
    rows = [
        (333.3, 0.21),
        (-50.1, -1.37),
        (71.7, 1.1),
        (1e-30, 0.3),
        (1e20, 3e-19),
        (1e-20, 7e20),
        (0.1, 0.7),
        (3.7, 0),
        (0, 1.5),
        (25.5, -0.4),
        (-300.3, 2.1),
        (730.1, 1.01),
        (huge, 720.3 / huge),
        (largest, 330.3 / largest),
        (-77.7 / largest, largest),
    ]
    x, y = zip(*rows, strict=True)
    return np.array(x, dtype), np.array(y, dtype)


def _pairs(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return (
        rng.normal(size=n).astype(dtype),
        rng.normal(size=n).astype(dtype),
        _signs(rng, dtype, n),
    )


def _pairs_soft(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    x1, x2, _ = _pairs(rng, dtype, n)
    return x1, x2, rng.normal(size=n).astype(dtype)


def _extreme_pairs(dtype: type) -> tuple[Array, ...]:
    eps = float(np.finfo(dtype).eps)
    far = 3e38 if dtype == np.float32 else 1e308
    # The difference of the scores nearly makes up a margin of 0.3 or 1; then scores next to each other.
    rows = [
        (1.3, 1, 1),
        (1, 0.7, 1),
        (0.7, 1, -1),
        (0.1, -0.2, 1),
        (0.3, 3e-17, 1),
        (1.7, 0.7 - 2.0**-52, 1),
        (1 + 1e-6, 1e-6, 1),
        (1e-25, 1, -1),
        (0.7, 1.7, -0.9999),
        (1, 1 + eps, 1),
        (1 - eps, 1, 0.37),
        (1e-30, 2e-30, 1),
        (far, -far, -1 / 8),
        (far, -far, 1),
        (-1e8, 1e8, 1),
    ]
    columns = zip(*rows, strict=True)
    return tuple(np.array(column, dtype) for column in columns)


def _several(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    x = rng.normal(size=(n, 4)) * rng.choice([0.01, 1.0, 5.0], (n, 1))
    return x.astype(dtype), rng.integers(0, 2, (n, 4)).astype(dtype)


def _several_soft(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    x, _ = _several(rng, dtype, n)
    return x, rng.uniform(size=(n, 4)).astype(dtype)


def _extreme_several(dtype: type) -> tuple[Array, ...]:
    far = 80.0 if dtype == np.float32 else 700.0
    x = [
        [far, -far, far, -far],
        [far, -far, far, -far],
        [40, -40, 20, -20],
        [0, 1e-30, -1e-30, 1e4],
        [1e4, -1e4, 0, 0],
        [-far, 50, 1, -2],
    ]
    y = [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0]]
    return np.array(x, dtype), np.array(y, dtype)


# ---------------------------------------------------------------------- exact formulas


def _hinge_embedding(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    margin = mpf(float(options.get("margin", 1)))
    return (x if y != -1 else 0) + (max(mpf(0), margin - x) if y != 1 else 0)


def _soft_margin(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    return mp.log(1 + mp.exp(-y * x))


def _margin_ranking(options: Mapping[str, Any], x1: Any, x2: Any, y: Any) -> Any:
    return max(mpf(0), -y * (x1 - x2) + mpf(float(options.get("margin", 0))))


def _class_weights(options: Mapping[str, Any], classes: int) -> list[Any]:
    weight = np.broadcast_to(options.get("weight", 1.0), (classes,))
    return [mpf(float(w)) / classes for w in weight]


def _multilabel_soft_margin(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> Any:
    weights = _class_weights(options, len(x))
    return mp.fsum(
        w * (t * mp.log(1 + mp.exp(-s)) + (1 - t) * mp.log(1 + mp.exp(s)))
        for w, s, t in zip(weights, x, y, strict=True)
    )


def _multilabel_terms(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> list[Any]:
    weights = _class_weights(options, len(x))
    in_x = [
        w * ((1 - t) / (1 + mp.exp(-s)) + t / (1 + mp.exp(s)))
        for w, s, t in zip(weights, x, y, strict=True)
    ]
    return [in_x, None]


# ---------------------------------------------------------------------- the table


def _hinge_case(name: str, **options: Any) -> Case:
    return Case(
        f"hinge_embedding-{name}",
        npl.HingeEmbeddingLoss,
        F.hinge_embedding_loss,
        torch_functional.hinge_embedding_loss,
        _distances,
        _extreme_distances,
        _hinge_embedding,
        options,
    )


def _soft_case(name: str, sample: Callable[..., Any], extremes: Callable[..., Any]) -> Case:
    return Case(
        f"soft_margin-{name}",
        npl.SoftMarginLoss,
        F.soft_margin_loss,
        torch_functional.soft_margin_loss,
        sample,
        extremes,
        _soft_margin,
        differentiable=(0, 1),
    )


def _ranking_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"margin_ranking-{name}",
        npl.MarginRankingLoss,
        F.margin_ranking_loss,
        torch_functional.margin_ranking_loss,
        _pairs_soft if soft else _pairs,
        _extreme_pairs,
        _margin_ranking,
        options,
        differentiable=(0, 1, 2),
    )


def _multilabel_case(name: str, soft: bool = False, **options: Any) -> Case:
    return Case(
        f"multilabel_soft_margin-{name}",
        npl.MultiLabelSoftMarginLoss,
        F.multilabel_soft_margin_loss,
        torch_functional.multilabel_soft_margin_loss,
        _several_soft if soft else _several,
        _extreme_several,
        _multilabel_soft_margin,
        options,
        _multilabel_terms,
        (0, 1),
    )


CASES = [
    _hinge_case("plain"),
    _hinge_case("margin", margin=0.3),
    _soft_case("hard", _scores, _extreme_scores),
    _soft_case("soft", _scores_soft, _extreme_scores_soft),
    _ranking_case("plain"),
    _ranking_case("margin", margin=0.3),
    _ranking_case("soft-margin", soft=True, margin=1.0),
    _multilabel_case("hard"),
    _multilabel_case("soft", soft=True),
    _multilabel_case("weight", weight=WEIGHT),
    _multilabel_case("soft-weight", soft=True, weight=WEIGHT),
]
