"""What the gradient-harmonized losses share: weights by how many elements have a gradient of one size."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Context, Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npl.engine import threads
from npl.engine.arguments import (
    Array,
    Interval,
    broadcast_shape,
    integer,
    number,
    position,
    real_values,
    shape_mismatch,
)
from npl.engine.elementwise import ElementwiseLoss
from npl.engine.loss import Terms
from npl.engine.operands import load
from npl.engine.reduction import sample_weights
from npl.engine.threads import Block

__all__ = ["GradientHarmonizedLoss"]

_FLOAT64 = np.dtype(np.float64)
_ELEMENT_BYTES = 32  # of what is at work on one element at a time
# What edges are computed in, before they are rounded up to a float64.
ARITHMETIC = Context(prec=60)


class _Histogram(NamedTuple):
    """Which bin each element lies in, and what the elements of each count for."""

    bins: Array  # of the lead shape; the number of bins for a NaN, which lies in none
    counts: NDArray[np.float64]


class GradientHarmonizedLoss(ElementwiseLoss):
    r"""An elementwise loss $\varphi$ whose elements weigh by how rare the size of their gradient is.

    A subclass writes $\varphi$ and its derivatives as any elementwise loss, and says how far along an
    element is towards a large gradient, and from where on it lies in which bin.

    Attributes
    ----------
    bins : int
    momentum : float
    bin_counts : array_like of shape (bins,), optional
    """

    layout = "other"  # the losses are one per element, but each of them depends on all

    bins: int
    momentum: float
    bin_counts: ArrayLike | None

    @abstractmethod
    def _distance(self, x: Array, y: Array) -> Array:
        """Return a number that grows with the norm of an element's gradient, in float64."""

    @abstractmethod
    def _edges(self) -> tuple[float, ...]:
        """Return the distances at which the second bin and those after it begin."""

    def _check_options(self, size_average: bool | None, reduce: bool | None) -> None:
        super()._check_options(size_average, reduce)
        integer(self.name, "bins", self.bins)
        if self.bins < 1:
            raise ValueError(f"{self.name}: bins is {self.bins}; it must be at least 1.")
        number(self.name, "momentum", self.momentum, Interval(0, 1))
        if self.momentum == 1:
            raise ValueError(f"{self.name}: momentum is 1; it must be below 1.")
        # A float32 of the caller's must not pull 1 - momentum down to float32.
        object.__setattr__(self, "momentum", float(self.momentum))

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses: that of the arguments, broadcast."""
        return broadcast_shape(*shapes)

    def updated_counts(
        self, input: ArrayLike, target: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return how many elements have a gradient in each bin: what the loss of these arguments weighs by.

        With momentum it is the running mean that goes on from the loss's own `bin_counts`; hand it to the
        loss of the next batch as its `bin_counts`.

        Parameters
        ----------
        input, target, sample_weight : array_like
            As of a call.

        Returns
        -------
        ndarray of float64, shape (bins,)
        """
        terms = super()._bind(input, target, sample_weight=sample_weight)
        return self._updated(self._histogram(terms, sample_weight).counts)

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        terms = super()._bind(*values, sample_weight=sample_weight)
        bins, counts = self._histogram(terms, sample_weight)
        updated = self._updated(counts)
        is_full = counts > 0
        weights = np.full(self.bins + 1, np.nan)  # a NaN is let through
        with np.errstate(all="ignore"):
            full = max(1, np.count_nonzero(is_full))
            weights[:-1] = np.where(is_full, counts.sum() / full / updated, 0)
        dtype = terms.operands[0].dtype
        kept = np.float32 if dtype.itemsize <= 4 and np.nanmax(weights) < 1e30 else np.float64
        return terms._replace(weight=_taken(weights.astype(kept), bins))

    def _histogram(self, terms: Terms, sample_weight: ArrayLike | None) -> _Histogram:
        lead = terms.operands[0].lead
        views = [op.arrange(op.array) for op in terms.operands]
        counted = sample_weights(self.name, sample_weight, terms.shape, lead)
        edges = self._edges()
        bins = np.empty(lead, np.uint8 if self.bins < 256 else np.intp)

        def work(block: Block) -> Array:
            distance = self._distance(*[load(view[block], 0, _FLOAT64) for view in views])
            own = np.zeros(distance.shape, bins.dtype)
            if self.bins <= 64:
                for edge in edges:
                    own += distance >= edge
            else:
                own[...] = np.searchsorted(edges, distance, side="right")
            own[np.isnan(distance)] = self.bins
            bins[block] = own.reshape(bins[block].shape)
            weight = None if counted is None else counted[block].reshape(-1)
            return np.bincount(own, weight, self.bins + 1)[:-1].astype(np.float64)

        parts = threads.run(threads.blocks(lead, _ELEMENT_BYTES), work)
        return _Histogram(bins, np.sum(parts, 0))

    def _updated(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the running counts; a bin that the batch leaves empty keeps what it had."""
        if self.momentum == 0:
            return counts
        earlier = np.zeros(self.bins) if self.bin_counts is None else self._earlier_counts()
        moved = self.momentum * earlier + (1 - self.momentum) * counts
        return np.where(counts > 0, moved, earlier)

    def _earlier_counts(self) -> Array:
        assert self.bin_counts is not None
        counts = real_values(self.name, "bin_counts", self.bin_counts)
        if counts.shape != (self.bins,):
            reference = f"{self.bins} bins"
            raise shape_mismatch(self.name, "bin_counts", counts.shape, reference, (self.bins,))
        wrong = np.flatnonzero(~((counts >= 0) & (counts < np.inf)))
        if wrong.size:
            where = position((wrong[0],))
            raise ValueError(
                f"{self.name}: bin_counts{where} is {counts[wrong[0]]}; it must be finite, 0 or above."
            )
        return counts.astype(np.float64)


def _taken(table: Array, indices: Array) -> Array:
    """Return the entries of a table, block by block: NumPy makes long integers of short indices."""
    taken = np.empty(indices.shape, table.dtype)

    def work(block: Block) -> None:
        taken[block] = table.take(indices[block])

    threads.run(threads.blocks(indices.shape, _ELEMENT_BYTES), work)
    return taken


def rounded_up(number: Decimal) -> float:
    """Return the least float64 that is not below a number: what is compared with it, is with the number."""
    nearest = float(number)
    return nearest if Decimal(nearest) >= number else float(np.nextafter(nearest, np.inf))
