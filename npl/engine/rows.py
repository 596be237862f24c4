"""Losses of pairs of rows: vectors that are compared along one axis, and broadcast by NumPy's rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.loss import Loss
from npl.engine.operands import Operand


class UnreducedLoss(Loss):
    """A distance or a similarity: one number for each pair of rows, neither reduced nor weighted."""

    reduction: Reduction = "none"
    normalizer: float | None = None
    empty: Empty = "nan"


class RowLayout(NamedTuple):
    """How vectors lie in arrays that broadcast to one shape."""

    full: tuple[int, ...]  # what the arrays broadcast to
    axes: tuple[int, ...]  # of a row's elements in it
    shape: tuple[int, ...]  # of the losses

    @property
    def lead(self) -> tuple[int, ...]:
        """The shape of the losses as kernels see it."""
        return self.shape or (1,)

    def operand(self, name: str, array: Array) -> Operand:
        """Return the operand that an array is."""
        aligned = (1,) * (len(self.full) - array.ndim) + array.shape
        return Operand(name, array, self.lead, self.axes, shape=self.full, aligned=aligned)


def row_layout(loss: str, arrays: dict[str, Array], dim: int = -1) -> RowLayout:
    """Return how the vectors along `dim` of the common shape lie, or raise where there is none.

    Parameters
    ----------
    loss : str
        Its name, for messages.
    arrays : dict of str to ndarray
        By argument.
    dim : int
        The axis of the vectors in the shape that the arrays broadcast to; negative from the end.
    """
    shapes = " and ".join(f"{name} {array.shape}" for name, array in arrays.items())
    try:
        full = np.broadcast_shapes(*[array.shape for array in arrays.values()])
    except ValueError:
        raise ValueError(
            f"{loss}: {shapes} do not broadcast; they must be vectors of the same size, in shapes that "
            f"broadcast by NumPy's rules. {likely_fix(arrays, _broadcast)}"
        ) from None
    full = full or (1,)  # numbers are vectors of one element
    if not -len(full) <= dim < len(full):
        raise IndexError(
            f"{loss}: the vectors lie along axis {dim}, but {shapes} broadcast to shape {full}."
            f" Did you mean dim={0 if len(full) == 1 else -1}?"
        )
    axis = dim % len(full)
    return RowLayout(full, (axis,), full[:axis] + full[axis + 1 :])


def likely_fix(arrays: dict[str, Array], fit: Callable[[Sequence[tuple[int, ...]]], bool]) -> str:
    """Return a question for messages about vectors that do not fit each other.

    It is the view of one of them with which they would: with an axis more, or transposed. `fit` says
    of shapes whether they do.
    """
    shapes = {name: array.shape for name, array in arrays.items()}
    most = max(array.ndim for array in arrays.values())
    views = []
    for name, shape in shapes.items():
        new = most - len(shape)
        if new:
            ones, names = (1,) * new, ["None"] * new
            views.append((name, f"[{', '.join(names)}]", ones + shape))
            views.append((name, f"[{', '.join([':'] * len(shape) + names)}]", shape + ones))
    views += [(name, ".T", shape[::-1]) for name, shape in shapes.items() if len(shape) == 2]
    for name, text, shape in views:
        if fit(list({**shapes, name: shape}.values())):
            return f"Did you mean {name}{text}?"
    return "Are all of them embeddings of the same model?"


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def are_paired(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether shapes have as many axes and vectors of one size along the last, and broadcast."""
    same = len({len(shape) for shape in shapes}) == 1 == len({shape[-1:] for shape in shapes})
    return same and _broadcast(shapes)
