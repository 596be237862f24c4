"""What a row of the table of benchmarks says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

import npl

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

CLASSES_SIZES: tuple[Shape, ...] = ((128, 10), (65536, 10), (8192, 1000), (1024, 32000))
ELEMENTS_SIZES: tuple[Shape, ...] = ((10**3,), (10**5,), (10**7,))
HARD_ROWS = 6  # the first rows of all inputs, where digits are easily lost


@dataclass(frozen=True)
class Case:
    """A loss to measure.

    Attributes
    ----------
    name : str
        Of the function, in `npl.adapters.torch.functional` too.
    loss : type
        The class of the same loss.
    npl, torch : callable
        The functions, `(*inputs, reduction=...)`, on arrays and on tensors. Where torch has no such loss,
        what people write instead, out of torch's operations.
    sizes : tuple of shapes
        Of the first input.
    inputs : callable
        `(rng, shape, dtype) -> arrays`; the first one is differentiated. The first `HARD_ROWS` rows are
        hard ones.
    exact : callable
        `(*row) -> (loss, gradient)` of one row of the inputs, in mpmath's numbers.
    adapter : callable, optional
        The function on tensors, where it is not the adapter's of that name with its defaults.
    sample_axis : int
        The axis of the first input that its rows lie along; of the others it is the first.
    """

    name: str
    loss: type[npl.Loss]
    npl: Callable[..., Any]
    torch: Callable[..., Any]
    sizes: tuple[Shape, ...]
    inputs: Callable[[np.random.Generator, Shape, type[Any]], tuple[Array, ...]]
    exact: Callable[..., tuple[Any, Array]]
    adapter: Callable[..., Any] | None = None
    sample_axis: int = 0

    def rows(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the inputs with their rows along the first axis."""
        first, *others = arrays
        return np.moveaxis(first, self.sample_axis, 0), *others


def reduced(losses: torch.Tensor, reduction: str) -> torch.Tensor:
    """Return losses reduced as torch's functions do, for those that people write out of its operations."""
    return {"none": losses.clone, "mean": losses.mean, "sum": losses.sum}[reduction]()
