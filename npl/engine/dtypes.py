"""Which dtype a pass is computed in."""

from __future__ import annotations

from typing import Any

import numpy as np

from npl.engine.arguments import Array
from npl.engine.operands import Operand

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_WHOLE_IN_FLOAT32 = 2**24  # all integers up to it are float32 numbers
WIDE = 2.0**60  # a factor of up to this leaves float32 numbers of usual sizes in range


def compute_dtype(operands: tuple[Operand, ...]) -> np.dtype[Any]:
    """Return the widest operand's dtype, and float32 for float16, for its range and speed.

    Integers at their value ask for float64 only where float32 would round one of them.
    """
    dtype = _FLOAT32
    for op in operands:
        if op.dtype.kind == "f" and op.dtype.itemsize > dtype.itemsize:
            dtype = op.dtype
    if dtype == _FLOAT32 and any(_holds_large_integers(op) for op in operands):
        return _FLOAT64
    return dtype


def _holds_large_integers(op: Operand) -> bool:
    array = op.array
    if op.index or array.dtype.kind not in "iu" or array.itemsize < 4 or not array.size:
        return False
    return bool(array.max() > _WHOLE_IN_FLOAT32 or array.min() < -_WHOLE_IN_FLOAT32)


def leaves_float32(c: Array) -> bool:
    """Whether coefficients are so large or small that float32 might lose what they multiply."""
    size = np.abs(c)
    size[size == 0] = 1
    return bool(size.max(initial=1.0) > WIDE or size.min(initial=1.0) < 1 / WIDE)
