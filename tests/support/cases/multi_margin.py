"""Cases of the hinges over classes, of one label and of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mpf

import npl
import npl.functional as F
from tests.support.cases.case import INF, Array, Case

CLASSES = 4
WEIGHT = [0.25, 1.5, 3.0, 0.7]
END = -1


def _scores_and_labels(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    scale = rng.choice([0.01, 1.0, 5.0], (n, 1))
    return (rng.normal(size=(n, CLASSES)) * scale).astype(dtype), rng.integers(0, CLASSES, n)


def _scores_and_label_sets(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    scores, _ = _scores_and_labels(rng, dtype, n)
    labels = rng.permuted(np.tile(np.arange(CLASSES), (n, 1)), axis=1)
    ends = rng.integers(0, CLASSES + 1, n)
    labels[np.arange(CLASSES) == ends[:, None]] = END  # what stands behind it is not looked at
    return scores, labels


def _extreme_scores(dtype: type) -> Array:
    """Rows at the edges, none on a kink; in some, the margin and the scores cancel."""
    info = np.finfo(dtype)
    far = 1e18 if dtype == np.float32 else 1e150
    above_one = float(1 + info.eps)
    return np.array(
        [
            [far, -far, far / 2, 0],
            [-far, far, 0, far / 3],
            [1, 1e-20, -0.5, 1e-30],
            [above_one, 3 * info.eps, 1e-25, -1e-25],
            [1 + 1e-3, 1e-3 + 2 * info.eps, 2e-3, 0.3],
            [1e4, 1e4 - 1, 1e4 - 30, 1e-3],
            [0, 0, 0, 0],
            [1, -INF, 0.25, -INF],
            [-INF, -INF, 3, -INF],
            [1e-20, -1e-20, 0, 1e-30],
        ],
        dtype,
    )


def _extreme_labels(dtype: type) -> tuple[Array, ...]:
    return _extreme_scores(dtype), np.array([1, 0, 0, 0, 0, 2, 2, 0, 2, 1])


def _extreme_label_sets(dtype: type) -> tuple[Array, ...]:
    labels = [
        [1, 3, -1, 0],
        [0, -1, -1, -1],
        [0, 2, -1, 9],
        [0, -1, -7, 1],
        [0, 0, 3, -1],  # one twice
        [2, 1, -1, -1],
        [3, 1, 0, 2],
        [0, 2, -1, 1],
        [2, -1, 2, 2],
        [-1, 1, 2, 3],
    ]
    return _extreme_scores(dtype), np.array(labels)


def _hinge(margin: Any, own: Any, other: Any) -> Any:
    return max(mpf(0), margin - own + other)


def _multi_margin(options: Mapping[str, Any], scores: list[Any], label: int) -> Any:
    margin, p = mpf(options.get("margin", 1)), options.get("p", 1)
    hinges = [_hinge(margin, scores[label], x) for j, x in enumerate(scores) if j != label]
    weight = options.get("weight", np.ones(CLASSES))
    return mpf(float(weight[label])) * sum(h**p for h in hinges) / CLASSES


def _multilabel_margin(_: Mapping[str, Any], scores: list[Any], labels: list[int]) -> Any:
    own = labels[: labels.index(END)] if END in labels else labels
    others = [i for i in range(CLASSES) if i not in own]
    total = mpf(0)
    for j in own:
        for i in others:
            total += _hinge(mpf(1), scores[j], scores[i])
    return total / CLASSES


def _multi_margin_case(name: str, **options: Any) -> Case:
    return Case(
        f"multi_margin-{name}",
        npl.MultiMarginLoss,
        F.multi_margin_loss,
        torch_functional.multi_margin_loss,
        _scores_and_labels,
        _extreme_labels,
        _multi_margin,
        options,
    )


CASES = [
    _multi_margin_case("plain"),
    _multi_margin_case("squared", p=2),
    _multi_margin_case("weight", weight=WEIGHT, margin=0.3),
    _multi_margin_case("squared-weight", p=2, weight=WEIGHT, margin=0.7),
    Case(
        "multilabel_margin",
        npl.MultiLabelMarginLoss,
        F.multilabel_margin_loss,
        torch_functional.multilabel_margin_loss,
        _scores_and_label_sets,
        _extreme_label_sets,
        _multilabel_margin,
    ),
]
