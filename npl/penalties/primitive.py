r"""The sum of $a |w| + \frac{b}{2} w^2$ over arrays, as a primitive of the tape.

As of a loss, the value of a traced penalty is computed when somebody looks at it, and brings the
gradient along: each block of an array is read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from npl import numerics
from npl.autodiff.primitives import Function, Parents
from npl.autodiff.tape import Lazy, Node, Primitive, plain
from npl.autodiff.traced import Traced
from npl.engine import threads
from npl.engine.arguments import Array
from npl.engine.dtypes import WIDE
from npl.engine.threads import Block


class Strengths(NamedTuple):
    """The factors of the magnitudes and of half the squares."""

    magnitudes: float
    squares: float

    def times(self, factor: float) -> Strengths:
        """Return the strengths of a penalty that is multiplied by a factor."""
        return Strengths(self.magnitudes * factor, self.squares * factor)


def penalty(strengths: Strengths, arrays: Sequence[Any]) -> Any:
    """Return the penalty of arrays, some of which may be traced."""
    return _penalty(*arrays, strengths=strengths)


# ---------------------------------------------------------------------- on arrays


def _value(
    strengths: Strengths, arrays: Sequence[Any], gradients: Sequence[Array | None] | None = None
) -> Any:
    """Return the penalty, summed in float64 and rounded once; write its slopes into `gradients`."""
    total = 0.0
    for place, array in enumerate(arrays):
        total += _of_array(strengths, array, None if gradients is None else gradients[place])
    with np.errstate(over="ignore"):  # to infinity, in float16 and float32
        return np.result_type(*arrays).type(total)


def _of_array(strengths: Strengths, array: Array, gradient: Array | None) -> float:
    w = np.atleast_1d(array)
    out = None if gradient is None else gradient.reshape(w.shape)

    def work(block: Block) -> tuple[float, float]:
        part = w[block]
        if out is not None:
            _write_slope(strengths, part, out[block])
        return (
            numerics.block_of_magnitudes(part) if strengths.magnitudes else 0.0,
            numerics.block_of_squares(part) if strengths.squares else 0.0,
        )

    sums = threads.run(_blocks(w), work)
    magnitudes, squares = (float(np.add.reduce(own)) for own in zip(*sums, strict=True))
    result = 0.0
    if strengths.magnitudes:
        result += numerics.scaled(strengths.magnitudes, numerics.in_range_magnitudes(w, magnitudes))
    if strengths.squares:
        # The half goes with the sum, which may be scaled: half of a strength may underflow.
        m, exponent = numerics.in_range_squares(w, squares)
        result += numerics.scaled(strengths.squares, (m, exponent - 1) if m < np.inf else (m, 0))
    return result


def _slope_value(ct: Any, array: Any, strengths: Strengths) -> Any:
    """Return `ct · (magnitudes · sign(w) + squares · w)`, in the dtype of `w`."""
    own = strengths.times(float(ct))
    w = np.atleast_1d(array)
    out = np.zeros(w.shape, w.dtype)
    if any(own):
        threads.run(_blocks(w), lambda block: _write_slope(own, w[block], out[block]))
    return out.reshape(np.shape(array))[()]


def _write_slope(strengths: Strengths, w: Array, out: Array) -> None:
    """Write the slope of a block into `out`, which is zero."""
    is_moderate = all(own == 0 or 1 / WIDE < abs(own) < WIDE for own in strengths)
    dtype = w.dtype if w.dtype.itemsize == 4 and is_moderate else np.dtype(np.float64)
    if strengths.squares:
        np.multiply(w, strengths.squares, out=out, dtype=dtype, casting="same_kind")
    if strengths.magnitudes:
        sign = np.sign(w)
        np.multiply(sign, strengths.magnitudes, out=sign, dtype=dtype, casting="same_kind")
        out += sign


def _blocks(w: Array) -> list[Block]:
    return threads.blocks(w.shape, 2 * w.dtype.itemsize)  # as wide as it is summed


# ---------------------------------------------------------------------- on the tape


class TracedPenalty(Lazy, Traced):
    """The value of a penalty, computed when somebody looks at it."""

    __slots__ = ("_gradients", "_value", "strengths")

    def __init__(self, strengths: Strengths, parents: Parents, arrays: Sequence[Any]) -> None:
        self.strengths = strengths
        self._value: Any = None
        self._gradients: list[Array | None] | None = None
        super().__init__(None, _penalty, parents, arrays)

    def _computed(self) -> Any:
        gradients: list[Array | None] = [None] * len(self.arguments)
        for place, _ in self.parents:
            own = self.arguments[place]
            gradients[place] = np.zeros(np.shape(own), own.dtype)
        self._gradients = gradients
        return _value(self.strengths, self.arguments, gradients)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value: the widest of the arrays'."""
        return np.result_type(*self.arguments)

    def gradients(self, cotangent: Any, places: Sequence[int]) -> list[Any]:
        """Return the cotangent pulled back to the arrays of the given places."""
        brought = self._gradients
        self._gradients = None  # the caller may keep them, and change them
        if brought is not None and cotangent == 1:
            return [brought[place] for place in places]
        return [_slope(cotangent, self.arguments[place], self.strengths) for place in places]


class _Penalty(Primitive):
    """A penalty of any number of arrays."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return the value, noted if an array is traced."""
        strengths = options["strengths"]
        arrays = [plain(arg) for arg in args]
        parents = [(place, arg) for place, arg in enumerate(args) if isinstance(arg, Node)]
        if not parents:
            return _value(strengths, arrays)
        return TracedPenalty(strengths, parents, arrays)

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return the analytic slope, as a primitive of its own where it will be differentiated."""
        assert isinstance(node, TracedPenalty)
        places = [place for place, _ in parents]
        if recorded:
            arrays = node.traced_arguments()
            slopes = [_slope(cotangent, arrays[place], node.strengths) for place in places]
        else:
            slopes = node.gradients(cotangent, places)
        for (_, parent), slope in zip(parents, slopes, strict=True):
            yield parent, slope


def _slope_of_cotangent(g: Any, ans: Any, ct: Any, w: Any, strengths: Strengths) -> Any:
    return np.sum(g * _slope(np.float64(1.0), w, strengths), dtype=np.float64)


def _slope_of_array(g: Any, ans: Any, ct: Any, w: Any, strengths: Strengths) -> Any:
    # The curvature of a square; that of a magnitude is 0 wherever it exists.
    return _slope(ct, g, strengths._replace(magnitudes=0.0))


_penalty = _Penalty(_value, "penalty")
_slope = Function(_slope_value, _slope_of_cotangent, _slope_of_array, name="slope of a penalty")
