"""Cosine embedding loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import Loss
from npl.engine.arguments import (
    Array,
    Empty,
    Reduction,
    broadcast_shape,
    floats,
    number,
    real_values,
    shape_mismatch,
)
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.rows import are_paired, likely_fix, row_layout
from npl.losses.cosines import Cosines, cosines

__all__ = ["CosineEmbeddingLoss", "cosine_embedding_loss"]


class _Pairs(NamedTuple):
    """What the derivatives need."""

    cosines: Cosines
    sign: Array  # (n,): of the cosine in the loss; 0 where it takes no part


@dataclass(frozen=True, eq=False)
class CosineEmbeddingLoss(Loss):
    r"""How far the directions of two vectors are from what a target says: alike, or different.

    With the cosine of `CosineSimilarity` (without its $\epsilon$) and a margin $m$,

    $$\ell = \begin{cases} 1 - \cos(x_1, x_2) & y = 1 \\ \max(0,\; \cos(x_1, x_2) - m) & y = -1
    \end{cases}$$

    and 0 for any other target, as in torch.

    Parameters
    ----------
    margin : float, default 0.0
        $m$, as a rule in [-1, 1]: up to this cosine different vectors cost nothing.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of pairs (the sum of `sample_weight`), whatever their targets;
        "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no pair. Its gradient is zero.

    Notes
    -----
    **Derivatives.** Those of the cosine (see `CosineSimilarity`), with the sign $-1$ for $y = 1$, and $+1$
    for $y = -1$ where $\cos > m$. There is none with respect to the target.

    **Kinks.** The subgradient of least norm: 0 at $\cos = m$. The cosine with a zero vector is 0, and so are
    its derivatives.

    **Accuracy.** A few ulp, for vectors of any magnitude. $1 - \cos$ of nearly parallel vectors has all
    its digits, as has its gradient: it comes from the part of one vector across the other. $\cos -
    m$ is a difference, and accurate relative to its terms. float32 is computed in float64.

    References
    ----------
    .. [1] L. Giraud, J. Langou, M. Rozložník, "The loss of orthogonality in the Gram-Schmidt
       orthogonalization process", Comput. Math. Appl. 50, 2005.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.CosineEmbeddingLoss()
    >>> float(loss(np.array([[1.0, 0.0]]), np.array([[1.0, 1e-10]]), np.array([1])))
    5.0000...e-21
    """

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        number(self.name, "margin", self.margin)

    def __call__(
        self,
        input1: ArrayLike,
        input2: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of pairs of vectors.

        Parameters
        ----------
        input1, input2 : array_like of shape (D,) or (N, D)
            Vectors of a float dtype; N may be 1 in one of them.
        target : array_like of shape () or (N,)
            1 for vectors that shall be alike, -1 for different ones; floats, integers.
        sample_weight : array_like, optional
            A scalar or (N,): a weight per pair; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the dtype of `input1`; for `reduction="none"` of the target's shape.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((input1, input2, target), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses of arguments of the given shapes."""
        return broadcast_shape(*shapes[:2])[:-1]

    def _bind(
        self, input1: Any, input2: Any, target: Any, *, sample_weight: ArrayLike | None
    ) -> Terms:
        arrays = {
            "input1": floats(self.name, "input1", input1),
            "input2": floats(self.name, "input2", input2),
        }
        y = real_values(self.name, "target", target)
        one, two = (array.shape for array in arrays.values())
        if len(one) not in (1, 2) or len(two) != len(one) or one[-1] != two[-1]:
            raise ValueError(
                f"{self.name}: input1 has shape {one}, input2 {two}; both must be vectors (D,) or rows of "
                f"vectors (N, D), of the same size D. {_likely_fix(arrays)}"
            )
        layout = row_layout(self.name, arrays)
        if y.shape != layout.shape:
            reference = f"input1 {one} and input2 {two}"
            raise shape_mismatch(self.name, "target", y.shape, reference, layout.shape)
        return Terms(
            (
                *[layout.operand(name, array) for name, array in arrays.items()],
                Operand("target", y, layout.lead, constant=True),
            ),
            layout.shape,
        )

    def _forward(self, x1: Array, x2: Array, y: Array) -> tuple[Array, Any]:
        pairs = cosines(x1, x2, 0.0)
        cosine, from_one = pairs.angles.cosine, pairs.angles.from_one
        margin = float(self.margin)
        # Next to 1 the cosine is known by its distance from there.
        excess = np.where(cosine > 0.5, (1 - margin) - from_one, cosine - margin)
        excess = np.where(excess <= 0, 0, excess)
        losses = np.where(y == 1, from_one, np.where(y == -1, excess, 0))
        sign = np.where(y == 1, -1.0, np.where((y == -1) & ~(excess <= 0), 1.0, 0.0))
        return losses, _Pairs(pairs, sign)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        saved.cosines.grad(saved.sign * c, out[:2])

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        saved.cosines.hvp(saved.sign * c, v[:2], out[:2])

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        saved.cosines.hessian_diag(saved.sign * c, which, out)


def _likely_fix(arrays: dict[str, Array]) -> str:
    one, two = (array.shape for array in arrays.values())
    if one == two and len(one) > 2:
        return f"Did you mean input1.reshape(-1, {one[-1]}), and input2 likewise?"
    return likely_fix(arrays, lambda shapes: are_paired(shapes) and len(shapes[0]) in (1, 2))


def cosine_embedding_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the cosine embedding loss of pairs of vectors.

    The functional form of `CosineEmbeddingLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = CosineEmbeddingLoss(
        margin, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input1, input2, target, sample_weight=sample_weight)
