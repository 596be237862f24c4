"""One row per loss: the function of the same definition, and the sweep that its figure draws.

A loss without a row, or a function that no row names, fails the build of the docs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Curve:
    """The loss along a sweep.

    `arguments` maps the swept numbers, shape (n,), to the loss's arguments: n samples, each with
    the swept number as its input or in the first column of its input. `options` construct the loss.
    """

    arguments: Callable[[Array], tuple[Array, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """A row: the function form's name, what is swept, over what, and the curves by label."""

    function: str
    axis: str
    over: Array
    curves: Mapping[str, Curve]


def _span(low: float, high: float) -> Array:
    return np.linspace(low, high, 401)


def _beside(*fixed: float) -> Callable[[Array], Array]:
    """Rows of `x` beside fixed numbers: shape (n, 1 + len(fixed))."""
    return lambda x: np.column_stack([x, *(np.full_like(x, number) for number in fixed)])


def _class_0(logits: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, ...]]:
    return lambda x: (logits(x), np.zeros(len(x), dtype=np.int64))


def _elementwise(target: float) -> Callable[[Array], tuple[Array, ...]]:
    return lambda x: (x, np.full_like(x, target))


SWEEPS: dict[str, Sweep] = {
    "CrossEntropyLoss": Sweep(
        "cross_entropy",
        "the target's logit, beside two others at 0 and 1",
        _span(-6, 8),
        {
            "label_smoothing=0": Curve(_class_0(_beside(0, 1))),
            "label_smoothing=0.1": Curve(_class_0(_beside(0, 1)), {"label_smoothing": 0.1}),
        },
    ),
    "NLLLoss": Sweep(
        "nll_loss",
        "the target's log-probability",
        _span(-6, 0),
        {"nll": Curve(_class_0(_beside(-1, -1)))},
    ),
    "BCELoss": Sweep(
        "binary_cross_entropy",
        "the probability",
        _span(0.02, 0.98),
        {"target 1": Curve(_elementwise(1)), "target 0": Curve(_elementwise(0))},
    ),
    "BCEWithLogitsLoss": Sweep(
        "binary_cross_entropy_with_logits",
        "the logit",
        _span(-8, 8),
        {
            "target 1": Curve(_elementwise(1)),
            "target 0": Curve(_elementwise(0)),
            "target 1, pos_weight=3": Curve(_elementwise(1), {"pos_weight": np.array(3.0)}),
        },
    ),
}
