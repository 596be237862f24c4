"""What a row of the table of sweeps says, and common arguments of losses."""

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
    `sample_axis` is the axis of the input that the n samples lie along.
    """

    arguments: Callable[[Array], tuple[Array, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)
    sample_axis: int = 0


@dataclass(frozen=True)
class Sweep:
    """A row: the function form's name, what is swept, over what, and the curves by label.

    The name is empty where there is no function form.
    """

    function: str
    axis: str
    over: Array
    curves: Mapping[str, Curve]


def span(low: float, high: float) -> Array:
    return np.linspace(low, high, 401)


def beside(*fixed: float) -> Callable[[Array], Array]:
    """Rows of `x` beside fixed numbers: shape (n, 1 + len(fixed))."""
    return lambda x: np.column_stack([x, *(np.full_like(x, number) for number in fixed)])


def class_0(logits: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, ...]]:
    return lambda x: (logits(x), np.zeros(len(x), dtype=np.int64))


def elementwise(target: float) -> Callable[[Array], tuple[Array, ...]]:
    return lambda x: (x, np.full_like(x, target))
