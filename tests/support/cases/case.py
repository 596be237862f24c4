"""What a row of the table of cases says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import npl

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
    value_terms
        `(options, *row) -> mpf`, the sum of the absolute terms of a loss of mixed signs; by default
        the loss itself is the measure.
    curvature_terms
        The same for the diagonal of its Hessian.
    differentiable
        The positional arguments with a derivative.
    edge
        Those of them that lie on the edge of their domain, where no difference can be taken.
    counts
        `(options, *arguments) -> float`, what "mean" divides by where it is not the number of losses.
    poison
        What the loss takes as its input without raising, and lets through to its value.
    unreduced
        The class and the function without a reduction to whose kernels `loss` and `function` give one.
    marks
        Those of pytest, for every test of the row.
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
    edge: tuple[int, ...] = ()
    counts: Callable[..., float] | None = None
    poison: float = float("nan")
    value_terms: Callable[..., Any] | None = None
    curvature_terms: Callable[..., Any] | None = None
    unreduced: tuple[type[npl.Loss], Callable[..., Any]] | None = None
    marks: tuple[pytest.MarkDecorator, ...] = ()

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
