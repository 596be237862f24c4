"""The base of every loss: what an author writes, and what a caller gets for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import arguments
from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.operands import Operand
from npl.engine.problem import Problem
from npl.engine.reduction import (
    checked_normalizer,
    denominator,
    legacy_reduction,
    sample_weights,
)
from npl.engine.summand import Summand

Layout = Literal["elementwise", "classes", "other"]


class Terms(NamedTuple):
    """What a loss makes of its arguments: the part of binding that differs between losses.

    Attributes
    ----------
    operands : tuple of Operand
        One per argument of `_bind`, in that order; after them constants that the kernel needs.
    shape : tuple of int
        Of the unreduced losses, as the caller sees them.
    weight : ndarray, optional
        The loss's own weight for each loss, broadcast to the lead shape; 0 removes (an ignored
        target).
    counts : ndarray, optional
        What each loss counts for in a mean besides its sample weight; None: 1 each.
    block_rows : int, optional
        How many losses the kernel wants at once; None: as many as fit the caches.
    row_losses : tuple of int
        The shape of the losses of one row of the operands: () for one loss, `(C,)` where each class of
        a sample has its own and all of them depend on the whole row. A kernel returns the losses of
        its rows end to end, and has a coefficient for each.
    weighs_samples : bool
        Whether the loss itself has seen to the sample weights, inside of its losses.
    """

    operands: tuple[Operand, ...]
    shape: tuple[int, ...]
    weight: Array | None = None
    counts: Array | None = None
    block_rows: int | None = None
    row_losses: tuple[int, ...] = ()
    weighs_samples: bool = False


class Loss(Summand, ABC):
    """A loss: a value, its gradient and its Hessian-vector product from one definition.

    A subclass is a frozen dataclass of its options. It checks its arguments in `_bind` and gives
    the mathematics of a block of `n` rows in three methods; reduction, weights, dtypes, blocks,
    threads and the way back into the caller's shapes are the engine's (`npl.engine.problem`). Losses
    add and scale: `a + 0.1 * b` is an `npl.WeightedSum`.

    Attributes
    ----------
    reduction : {"none", "mean", "sum", "batchmean"}
    normalizer : float or None
        What a mean divides by, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}
        What the mean of nothing is.
    layout : {"elementwise", "classes", "other"}
        How the losses lie in the arguments, the same for all losses of a class: one per element; one
        per row of classes, as `(N, C, d1, ...)` has them; or in a way of the loss's own.
    """

    reduction: Reduction
    normalizer: float | None
    empty: Empty

    layout: ClassVar[Layout] = "other"

    @abstractmethod
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Return the value; a subclass has the literal signature, and hands over to `_evaluate`."""

    # ------------------------------------------------------------------ what an author writes

    @abstractmethod
    def _bind(self, *arguments: Any, **keywords: Any) -> Terms:
        """Check the arguments and say what they are.

        The engine takes care of `sample_weight`; it is here because what a removed loss's target
        holds is nobody's concern.
        """

    @abstractmethod
    def _forward(self, *operands: Any, **_: Any) -> tuple[Array, Any]:
        """Return the losses (n,) of a block, and what the derivatives need.

        Operands come as (n,) or (n, C) and must not be written to. What is saved belongs to the one
        derivative that is taken next, which may overwrite it.
        """

    @abstractmethod
    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        """Write per operand the gradient of `sum(c · losses)` into `out`; None there is not asked for.

        To that of a shared operand (`npl.engine.operands.Shared`), here as in `_hvp`, it is added.
        """

    @abstractmethod
    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        """Write per operand the Hessian of `sum(c · losses)` times `v` into `out`; None in `v` is zero."""

    def _jvp(self, saved: Any, v: Sequence[Array | None], rows: int) -> Array:
        """Return the change of each of the `rows` losses of a block along `v`; None in `v` is zero.

        By default from the gradient, row by row; a loss with shared operands, whose gradients are
        sums over rows, has its own.
        """
        # In float64: a slope may be out of float32's range, and its product with the tangent not.
        gradients = [
            None if tangent is None else np.empty_like(tangent, np.float64) for tangent in v
        ]
        self._grad(saved, np.ones(rows), gradients)
        change = np.zeros(rows, np.float64)
        for gradient, tangent in zip(gradients, v, strict=True):
            if gradient is not None and tangent is not None:
                gradient *= tangent
                if not np.isfinite(np.add.reduce(gradient, None)):
                    gradient[tangent == 0] = 0  # what does not move changes nothing: 0 · inf
                change += gradient.reshape(rows, -1).sum(-1, np.float64)
        return change

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        """Write the diagonal of the Hessian of `sum(c · losses)` with respect to one operand.

        By default one product with each unit vector of a row, which picks the diagonal exactly.
        """
        for place in np.ndindex(out.shape[1:]):
            at = (Ellipsis, *place)
            unit, product = np.zeros_like(out), np.empty_like(out)
            unit[at] = 1
            _, saved = self._forward(*operands)
            only: list[Array | None] = [None] * len(operands)
            v, target = only.copy(), only.copy()
            v[which], target[which] = unit, product
            self._hvp(saved, c, v, target)
            out[at] = product[at]

    # ------------------------------------------------------------------ what a caller gets

    def _check_options(self, size_average: bool | None, reduce: bool | None) -> None:
        """Check what all losses share; a subclass calls it first in `__post_init__`."""
        reduction = legacy_reduction(size_average, reduce, self.reduction)
        object.__setattr__(self, "reduction", reduction)
        arguments.choice(self.name, "reduction", reduction, arguments.REDUCTIONS)
        arguments.choice(self.name, "empty", self.empty, arguments.EMPTY_POLICIES)
        if self.normalizer is not None:
            checked_normalizer(self.name, reduction, self.normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses, not reduced, of arguments of the given shapes.

        For those who have no data yet: a compiler, or whoever allocates.
        """
        if self.layout == "classes":
            (first, *_) = shapes
            return (*first[:1], *first[2:]) if len(first) > 1 else ()
        if self.layout == "elementwise":
            return arguments.broadcast_shape(*shapes)
        raise NotImplementedError(f"{self.name} has a layout of its own, and does not say which.")

    def _evaluate(
        self,
        operands: Sequence[Any],
        sample_weight: ArrayLike | None,
        normalizer: float | None,
    ) -> Any:
        """Return the value, or hand over to the tape where an operand is traced."""
        for operand in operands:
            record = getattr(type(operand), "__npl_loss__", None)
            if record is not None:
                return record(self, operands, sample_weight, normalizer)
        return self.problem(operands, sample_weight, normalizer).value()

    def problem(
        self,
        operands: Sequence[Any],
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Problem:
        """Bind the loss to its arguments; the `Problem` has all passes over them."""
        terms = self._bind(*operands, sample_weight=sample_weight)
        lead = terms.operands[0].lead + terms.row_losses
        outside = None if terms.weighs_samples else sample_weight
        weights = sample_weights(self.name, outside, terms.shape, lead)
        if normalizer is None:
            normalizer = self.normalizer
        divide_by = denominator(
            self.name, self.reduction, terms.shape, weights, terms.counts, normalizer, self.empty
        )
        return Problem(
            loss=self,
            operands=terms.operands,
            shape=terms.shape,
            factors=tuple(factor for factor in (weights, terms.weight) if factor is not None),
            denominator=divide_by,
            nothing=0.0 if self.empty == "zero" else float("nan"),
            block_rows=terms.block_rows,
            row_losses=terms.row_losses,
        )
