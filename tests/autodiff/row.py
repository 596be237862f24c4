"""One row per covered function and option: an expression in plain NumPy, and what to call it with.

The expression is the row's name. It is evaluated with `np` and `special` as NumPy and SciPy have them, and
once more with those of HIPS autograd. Nothing here knows how NPL differentiates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special

import npl

NAMES = ("x", "y", "z", "u")


@dataclass(frozen=True)
class Row:
    """An expression of `x`, `y`, ...

    Attributes
    ----------
    expression : str
        In plain NumPy.
    arguments : tuple
        Arrays to differentiate at, away from kinks.
    torch : str, optional
        The same in torch, of tensors of the same names.
    without_hips : str, optional
        Why HIPS autograd is no reference here.
    order : {1, 2}
        How often it can be differentiated.
    rtol : float
        How far it may be from the references, relative to the largest element.
    """

    expression: str
    arguments: tuple[Any, ...]
    torch: str | None = None
    without_hips: str | None = None
    order: int = 2
    rtol: float = 1e-10

    def function(self, numpy: Any = np, special: Any = scipy.special) -> Callable[..., Any]:
        """Return the expression as a function."""
        return evaluated(self.expression, len(self.arguments), np=numpy, special=special, npl=npl)


def evaluated(expression: str, count: int, **names: Any) -> Callable[..., Any]:
    """Return an expression of the first `count` names as a function of them."""
    function: Callable[..., Any] = eval(f"lambda {', '.join(NAMES[:count])}: {expression}", names)
    return function


def row(expression: str, *arguments: Any, **options: Any) -> Row:
    """Return a row."""
    return Row(expression, arguments, **options)


def normal(*shape: int, seed: int = 0) -> Any:
    """Return normal numbers, none nearer to 0 or to each other than a finite difference reaches."""
    count = int(np.prod(shape))
    rng = np.random.default_rng([seed, *shape])
    places = (np.arange(count) + 0.5) / max(count, 1)
    return rng.permutation(scipy.special.ndtri(places) + 0.013 * (seed + 1)).reshape(shape)


def between(low: float, high: float, *shape: int, seed: int = 0) -> Any:
    """Return numbers inside an interval, evenly spread."""
    count = int(np.prod(shape))
    rng = np.random.default_rng([seed, *shape])
    shift = 0.3 + 0.07 * seed
    return rng.permutation(low + (high - low) * (np.arange(count) + shift) / count).reshape(shape)


def positive_definite(*shape: int, seed: int = 0) -> Any:
    """Return symmetric positive definite matrices."""
    root = normal(*shape, seed=seed)
    return root @ np.swapaxes(root, -1, -2) + 2 * np.eye(shape[-1])
