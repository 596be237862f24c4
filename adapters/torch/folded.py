"""A batch of small problems as one larger: per-sample gradients are the case in mind."""

# ruff: noqa: D102 (what a method of `Call` returns is said there)

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import npl
from npl.adapters.torch.calls import Array, Arrays, Call, LossCall, Pullback


def fold(call: Call, arrays: Arrays) -> Folded | None:
    """Return the one problem that all slices of `arrays` make, None where they make none.

    They do not where something is weighted, for a mean then divides by a sum that differs by slice.
    """
    if not isinstance(call, LossCall) or call.operands < len(call.names):
        return None
    loss, (x, *others) = call.loss, arrays
    if loss.layout == "classes":
        if len(arrays) > 2:
            return None
        y = others[0] if others else x  # a loss of the input alone has rows alone
        ignored = getattr(loss, "ignore_index", None)
        is_index = y.ndim < x.ndim
        # Integers of the input's shape may be labels of one sample or a distribution, where indices can
        # be ignored; elsewhere they are one thing alone.
        is_row = y.shape == x.shape and (y.dtype.kind == "f" or ignored is None)
        if x.ndim < 2 or not (is_index or is_row):
            return None
        may_ignore = ignored is not None and loss.reduction == "mean"
        if is_index and may_ignore and (y == ignored).any():
            return None
        losses = x.shape[1:2] + x.shape[3:] if x.ndim > 2 else ()
        if is_index and y.shape[1:] != losses:
            return None
    elif loss.layout == "elementwise" and all(array.shape == x.shape for array in arrays):
        losses = x.shape[1:]
    else:
        return None
    return Folded(call, len(x), losses) if math.prod(x.shape) else None


@lru_cache(maxsize=256)
def _unreduced(loss: npl.Loss, names: tuple[str, ...]) -> LossCall:
    fields = dataclasses.fields(loss)  # type: ignore[arg-type]
    options = {field.name: getattr(loss, field.name) for field in fields}
    return LossCall(type(loss)(**options | {"reduction": "none"}), names, len(names))


class Folded(Call):
    """A loss on all slices of batched arrays at once: its losses, not reduced, and then by slice.

    Parameters
    ----------
    call : LossCall
        Of a slice.
    size : int
        How many slices there are.
    losses : tuple of int
        The shape of one slice's losses.
    """

    is_reduced = False

    def __init__(self, call: LossCall, size: int, losses: tuple[int, ...]) -> None:
        self.name, self.operands = call.name, call.operands
        self._whole = _unreduced(call.loss, call.names)
        self._size, self._losses = size, losses
        # Batch and rows are one axis where a loss knows but one, and only the classes follow.
        self._merges = call.loss.layout == "classes" and bool(losses)
        self._denominator = {
            "none": None,
            "sum": 1,
            "mean": math.prod(losses),
            "batchmean": losses[0] if losses else 1,
        }[call.loss.reduction]

    def _fold(self, arrays: Arrays) -> list[Array]:
        if not self._merges:
            return list(arrays)
        return [array.reshape(-1, *array.shape[2:]) for array in arrays]

    def _unfold(self, arrays: Arrays) -> list[Array]:
        if not self._merges:
            return list(arrays)
        return [array.reshape(self._size, -1, *array.shape[1:]) for array in arrays]

    def _reduce(self, losses: Array) -> Array:
        if self._denominator is None:
            return losses.reshape(self._size, *self._losses)
        total: Array = losses.reshape(self._size, -1).sum(1, np.float64)
        return (total / self._denominator).astype(losses.dtype)

    def _spread(self, cotangent: Array) -> Array:
        """Return the cotangent of all losses for one of the values."""
        shape = (self._size, *self._losses)
        if self._denominator is not None:
            scaled = cotangent / cotangent.dtype.type(self._denominator)
            cotangent = np.broadcast_to(scaled.reshape(-1, *(1,) * len(self._losses)), shape)
        return cotangent.reshape(-1, *shape[2:]) if self._merges else cotangent

    def value(self, arrays: Arrays) -> Any:
        return self._reduce(self._whole.value(self._fold(arrays)))

    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        raise NotImplementedError  # a batch of values is no scalar

    def vjp(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Pullback]:
        losses, pullback = self._whole.vjp(self._fold(arrays), wrt)
        return self._reduce(losses), lambda c: self._unfold(pullback(self._spread(c)))

    def jvp(self, arrays: Arrays, which: tuple[int, ...], tangents: Arrays) -> Any:
        return self._reduce(self._whole.jvp(self._fold(arrays), which, self._fold(tangents)))

    def hvp(
        self,
        arrays: Arrays,
        cotangent: Array,
        which: tuple[int, ...],
        vectors: Arrays,
        wrt: tuple[int, ...],
    ) -> Sequence[Array]:
        products = self._whole.hvp(
            self._fold(arrays), self._spread(cotangent), which, self._fold(vectors), wrt
        )
        return self._unfold(products)
