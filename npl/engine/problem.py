"""A loss bound to its arguments, and the passes over it: value, gradient, curvature.

All that one loss is multiplied by — its weights, what "mean" divides by, the cotangent from above —
is known before a pass starts, as one coefficient `c` per loss. So a block of rows goes forward and
back while it lies in cache, its gradient is written once, and the memory beside the gradient is
that of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from npl.engine import threads
from npl.engine.arguments import Array, position
from npl.engine.dtypes import WIDE, compute_dtype, leaves_float32
from npl.engine.operands import Operand, Shared
from npl.engine.sinks import Sink
from npl.engine.threads import Block

if TYPE_CHECKING:
    from npl.engine.loss import Loss


class _OutsideDomain(Exception):
    """A block holds a value for which the loss is not defined."""


_Out: TypeAlias = Sequence[Array | None]  # per operand where to write, None where nothing is wanted


class _Part(NamedTuple):
    """What one block of a problem holds, ready for a kernel."""

    operands: list[Array]
    weight: Array | None  # (n,) float64, the product of all factors
    removed: Array | None  # (n,) bool, where a factor is 0
    removed_rows: Array | None  # the same of rows: all of whose losses are removed


class Problem:
    """A loss with checked arguments.

    Parameters
    ----------
    loss : Loss
        Its `_forward`, `_grad` and `_hvp` run on the blocks.
    operands : tuple of Operand
        What the kernels work on; the first one decides the dtype of the value.
    shape : tuple of int
        Of the unreduced losses as the caller sees them; () for one unbatched sample.
    factors : tuple of ndarray
        Weights, each broadcast to the lead shape of the losses; every loss is multiplied by their
        product. A loss with a factor of 0 is removed: whatever its operands hold, none of it
        reaches a result.
    denominator : float, optional
        What the sum of losses is divided by; None where they are not reduced. 0 is the mean of
        nothing, which has the value `nothing` and zero derivatives.
    nothing : float
        The value of the mean of nothing.
    block_rows : int, optional
        How many losses are computed at once, for a kernel that knows better than the size of its
        operands' rows.
    row_losses : tuple of int
        The shape of one row's losses, which follows the operands' lead shape in that of all losses.
    """

    def __init__(
        self,
        loss: Loss,
        operands: tuple[Operand, ...],
        shape: tuple[int, ...],
        factors: tuple[Array, ...],
        denominator: float | None,
        nothing: float,
        block_rows: int | None = None,
        row_losses: tuple[int, ...] = (),
    ) -> None:
        self.loss = loss
        self.operands = operands
        self.shape = shape
        self.factors = factors
        self.denominator = denominator
        self.nothing = nothing
        self.lead = operands[0].lead
        self._row_losses = row_losses
        self._losses_lead = self.lead + row_losses
        self.dtype = compute_dtype(operands)
        self._views = [op.arrange(op.array) for op in operands]
        self._bounded = [i for i, op in enumerate(operands) if op.domain is not None]
        self._removes = any(np.count_nonzero(factor) < factor.size for factor in factors)
        self._serial = any(isinstance(op, Shared) and op.calls_blas for op in operands)
        self._block_rows = block_rows
        rows = [math.prod(op.row_shape) for op in operands]
        nothing_to_do = denominator == 0 or 0 in rows or 0 in self.lead
        row_bytes = max(rows) * self.dtype.itemsize
        if not operands[0].core:
            row_bytes *= _ELEMENTWISE_ARRAYS
        if block_rows is not None:
            row_bytes = max(1, threads.BLOCK_BYTES // block_rows)
        self._blocks = [] if nothing_to_do else threads.blocks(self.lead, row_bytes)

    # ------------------------------------------------------------------ passes

    def value(self) -> Any:
        """Return the reduced value, or the array of losses."""
        out = self._losses_out()

        def work(block: Block) -> float:
            part = self._load(block)
            losses, _ = self.loss._forward(*part.operands)
            return self._collect(block, losses, part, out)

        return self._result(self._run(work), out, self.nothing)

    def value_and_grad(self, wrt: Sequence[int], cotangent: float = 1.0) -> tuple[Any, list[Array]]:
        """Return the reduced value, and `cotangent` pulled back to the operands `wrt`, in one pass."""
        totals, gradients = self._differentiate(self._gradient, cotangent, wrt, with_value=True)
        return self._result(totals, None, self.nothing), gradients

    def vjp(self, cotangent: Any, wrt: Sequence[int]) -> list[Array]:
        """Return the cotangent (of the value's shape) pulled back to the operands `wrt`."""
        if self.denominator is None:
            return self._summed(cotangent).vjp(1.0, wrt)
        return self._differentiate(self._gradient, cotangent, wrt)[1]

    def jvp(self, tangents: Sequence[Array | None]) -> Any:
        """Return the change of the value along one tangent per operand (None: it stays)."""
        out = self._losses_out()
        arranged = self._arrange(tangents)

        def work(block: Block) -> float:
            part = self._load(block)
            losses, saved = self.loss._forward(*part.operands)
            along = self._load_tangents(arranged, block, part)
            change = self.loss._jvp(saved, along, len(losses))
            return self._collect(block, change, part, out)

        return self._result(self._run(work), out, 0.0)

    def hvp(
        self, cotangent: Any, vectors: Sequence[Array | None], wrt: Sequence[int]
    ) -> list[Array]:
        """Return the Hessian of `sum(cotangent · value)` times one vector per operand (None: zero)."""
        if self.denominator is None:
            return self._summed(cotangent).hvp(1.0, vectors, wrt)
        arranged = self._arrange(vectors)

        def product(block: Block, part: _Part, saved: Any, c: Array, out: _Out) -> None:
            self.loss._hvp(saved, c, self._load_tangents(arranged, block, part), out)

        return self._differentiate(product, cotangent, wrt)[1]

    def hessian_diag(self, cotangent: Any, which: int) -> Array:
        """Return the diagonal of the Hessian of `sum(cotangent · value)` with respect to one operand.

        Not for an operand that is broadcast: its elements meet several losses.
        """
        if self.denominator is None:
            return self._summed(cotangent).hessian_diag(1.0, which)
        sinks = self._sinks([which])

        def work(block: Block) -> None:
            part = self._load(block)
            losses = len(part.operands[which]) * math.prod(self._row_losses)
            c = self._coefficients(part, cotangent, losses)
            out = sinks[which].open(block, part.operands[which])
            self.loss._hessian_diag(part.operands, c, which, out)
            sinks[which].close(block, out)

        self._run(work, sinks)
        return sinks[which].finish()

    # ------------------------------------------------------------------ around a pass

    def _differentiate(
        self,
        derive: Callable[[Block, _Part, Any, Array, _Out], None],
        cotangent: Any,
        wrt: Sequence[int],
        *,
        with_value: bool = False,
    ) -> tuple[list[float], list[Array]]:
        """Take each block forward and back: `derive` writes what is asked for per operand of `wrt`.

        Returns the blocks' sums of losses, if wanted, and a derivative for each of `wrt`.
        """
        sinks = self._sinks(wrt)

        def work(block: Block) -> float:
            part = self._load(block)
            losses, saved = self.loss._forward(*part.operands)
            total = self._collect(block, losses, part, None) if with_value else 0.0
            c = self._coefficients(part, cotangent, len(losses))
            out = self._open(sinks, block, part)
            derive(block, part, saved, c, out)
            self._close(sinks, block, out)
            return total

        totals = self._run(work, sinks)
        return totals, [sinks[i].finish() for i in wrt]

    def _gradient(self, block: Block, part: _Part, saved: Any, c: Array, out: _Out) -> None:
        self.loss._grad(saved, c, out)

    def _losses_out(self) -> Array | None:
        if self.denominator is not None:
            return None
        return np.zeros(self._losses_lead, self.operands[0].dtype)

    def _summed(self, cotangent: Any) -> Problem:
        """Return the problem of `sum(cotangent · losses)`.

        A cotangent per loss is one more weight: where it is 0, nothing of that loss comes through.
        """
        factor = np.broadcast_to(cotangent, self.shape).reshape(self._losses_lead)
        factors = (*self.factors, factor)
        return Problem(
            self.loss,
            self.operands,
            self.shape,
            factors,
            1.0,
            self.nothing,
            self._block_rows,
            self._row_losses,
        )

    def _arrange(self, tangents: Sequence[Array | None]) -> list[Array | None]:
        return [
            None if tangent is None else op.arrange(tangent)
            for op, tangent in zip(self.operands, tangents, strict=True)
        ]

    def _sinks(self, wrt: Sequence[int]) -> dict[int, Sink]:
        return {i: self.operands[i].sink(will_be_written=bool(self._blocks)) for i in wrt}

    # ------------------------------------------------------------------ around one block

    def _run(self, work: Callable[[Block], Any], sinks: dict[int, Sink] | None = None) -> list[Any]:
        serial = self._serial or any(sink.serial for sink in (sinks or {}).values())
        try:
            return threads.run(self._blocks, work, serial=serial)
        except _OutsideDomain:
            raise self._domain_error() from None

    def _load(self, block: Block) -> _Part:
        operands = [
            op.load(view, block, _INDEX if op.index else self.dtype)
            for op, view in zip(self.operands, self._views, strict=True)
        ]
        weight = removed = removed_rows = None
        if self.factors:
            weight = self.factors[0][block].astype(np.float64).reshape(-1)
            for factor in self.factors[1:]:
                weight *= factor[block].reshape(-1)
        if self._removes:
            removed = np.logical_or.reduce([(f[block] == 0).reshape(-1) for f in self.factors])
            removed_rows = removed
            if self._row_losses:
                removed_rows = removed.reshape(-1, math.prod(self._row_losses)).all(-1)
            for i, op in enumerate(self.operands):
                if not op.shared:
                    operands[i] = _replace(operands[i], removed_rows, op.neutral)
        for i in self._bounded:
            domain = self.operands[i].domain
            if domain is not None and not domain.contains_all(operands[i]):
                raise _OutsideDomain
        return _Part(operands, weight, removed, removed_rows)

    def _load_tangents(
        self, arranged: list[Array | None], block: Block, part: _Part
    ) -> list[Array | None]:
        loaded: list[Array | None] = []
        for op, tangent in zip(self.operands, arranged, strict=True):
            if tangent is None:
                loaded.append(None)
                continue
            rows = op.load(tangent, block, self.dtype)
            if part.removed_rows is not None and not op.shared:
                rows = _replace(rows, part.removed_rows, 0.0)
            loaded.append(rows)
        return loaded

    def _coefficients(self, part: _Part, cotangent: Any, rows: int) -> Array:
        """Return what each loss of a block is multiplied by: weight · cotangent / denominator."""
        scale = float(cotangent) / (self.denominator or 1.0)
        if part.weight is None:
            fits = 1 / WIDE < abs(scale) < WIDE or scale == 0
            return _repeated(scale, rows, self.dtype if fits else _FLOAT64)
        c = part.weight * scale
        if part.removed is not None:
            c[part.removed] = 0.0
        return c if leaves_float32(c) else c.astype(self.dtype, copy=False)

    def _collect(self, block: Block, losses: Array, part: _Part, out: Array | None) -> float:
        """Return the weighted sum of a block's losses, or put them where they belong in `out`."""
        if part.weight is not None:
            losses = losses * part.weight
            if part.removed is not None:
                losses[part.removed] = 0.0
        if out is None:
            return float(np.add.reduce(losses, dtype=np.float64))
        out[block] = losses.reshape(out[block].shape)
        return 0.0

    def _open(self, sinks: dict[int, Sink], block: Block, part: _Part) -> list[Array | None]:
        return [
            sinks[i].open(block, operand) if i in sinks else None
            for i, operand in enumerate(part.operands)
        ]

    def _close(self, sinks: dict[int, Sink], block: Block, out: Sequence[Array | None]) -> None:
        for i, sink in sinks.items():
            gradient = out[i]
            assert gradient is not None
            sink.close(block, gradient)

    def _result(self, totals: list[float], out: Array | None, nothing: float) -> Any:
        if out is not None:
            return out.reshape(self.shape)[()]
        scalar = self.operands[0].dtype.type
        if self.denominator == 0:
            return scalar(nothing)
        # Python adds a few floats faster; NumPy adds many with less rounding.
        total = sum(totals) if len(totals) < 8 else float(np.add.reduce(totals))
        mean = total / (self.denominator or 1.0)
        if abs(mean) < _FLOAT16_MAX:
            return scalar(mean)
        with np.errstate(over="ignore"):  # to infinity, in float16 and float32
            return scalar(mean)

    def _domain_error(self) -> ValueError:
        """Name the first value outside its domain that is not removed by a weight."""
        for op, view in zip(self.operands, self._views, strict=True):
            if op.domain is None:
                continue
            outside = ~op.domain.contains(view)
            if self.factors:
                counts = np.logical_and.reduce([factor != 0 for factor in self.factors])
                if self._row_losses:
                    counts = counts.reshape(*self.lead, -1).any(-1)
                outside &= counts.reshape(*self.lead, *(1,) * op.core)
            if outside.any():
                index = tuple(int(i) for i in np.argwhere(outside)[0])
                where = position(op.own_index(index))
                return ValueError(
                    f"{self.loss.name}: {op.name}{where} is {view[index]}; it must lie in "
                    f"{op.domain}. {op.hint}".rstrip()
                )
        raise AssertionError("no value outside its domain")


# How many more arrays of its block's size an elementwise kernel holds than one of rows: a dozen, not
# two or three.
_ELEMENTWISE_ARRAYS = 4
_INDEX = np.dtype(np.intp)
_FLOAT64 = np.dtype(np.float64)
_FLOAT16_MAX = float(np.finfo(np.float16).max)


def _repeated(value: float, count: int, dtype: np.dtype[Any]) -> Array:
    """Return a read-only array of one value, in the memory of one: as `broadcast_to`, but quick to make."""
    repeated: Array = np.ndarray((count,), dtype, np.array(value, dtype), strides=(0,))
    repeated.flags.writeable = False
    return repeated


def _replace(array: Array, where: Array, by: float) -> Array:
    """Return a copy with the rows `where` replaced; kernels are not handed what was removed."""
    array = array.copy("K")
    array[where] = by
    return array
