"""Cosine of the angle between pairs of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from npl.engine.arguments import NOT_NEGATIVE, Array, broadcast_shape, floats, integer, number
from npl.engine.loss import Terms
from npl.engine.rows import UnreducedLoss, row_layout
from npl.losses.cosines import cosines

__all__ = ["CosineSimilarity", "cosine_similarity"]


@dataclass(frozen=True, eq=False)
class CosineSimilarity(UnreducedLoss):
    r"""Cosine of the angle between pairs of vectors.

    $$\cos(x, y) = \frac{x \cdot y}{\max(|x|, \epsilon)\, \max(|y|, \epsilon)}.$$

    There is no reduction: the value is one cosine per pair.

    Parameters
    ----------
    dim : int, default 1
        The axis of the vectors' elements in the shape that the two arguments broadcast to.
    eps : float, default 1e-8
        $\epsilon$, 0 or more: the least that each vector is divided by.

    Notes
    -----
    **Derivatives.** With $\hat x = x / |x|$, $P_x = 1 - \hat x \hat x^T$ and $d\hat x = P_x\, dx / |x|$,

    $$\frac{\partial \cos}{\partial x} = g_x = \frac{\hat y - \cos\, \hat x}{|x|}, \qquad
    d g_x = \frac{d\hat y - (d\cos)\, \hat x - \cos\, d\hat x - g_x (\hat x \cdot dx)}{|x|},$$

    and likewise in $y$, with $d\cos = g_x \cdot dx + g_y \cdot dy$. A vector shorter than $\epsilon$ is
    divided by that constant: $g_x = \hat y / \epsilon$.

    **Kinks.** At $|x| = \epsilon$ the subgradient of least norm, that of longer vectors. With $\epsilon =
    0$ the cosine with a zero vector is 0, and so are its derivatives.

    **Accuracy.** Value and gradient are within a few ulp, and the value in [-1, 1], for vectors of any
    magnitude, nearly parallel and nearly orthogonal ones included: rows are scaled before they are
    squared, dot products whose terms cancel are taken in twice the precision, and the gradient is the
    part of the one vector across the other, not a difference of unit vectors. (With the roundoff $u$ of
    float64, the errors that are left are $O(u^2)$ in the value and $O(u^2) / |x|$ in the gradient: some
    20 ulp of the gradient for vectors that are parallel to within a few $u$, and the digits of a cosine
    of $u$ or less in float64.) The Hessian-vector product is a sum of mixed signs, and accurate
    relative to its terms. float32 is computed in float64.

    References
    ----------
    .. [1] T. Ogita, S. M. Rump, S. Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26(6),
       2005.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.CosineSimilarity()(np.array([[1.0, 0.0], [1e200, 0.0]]), np.array([[3.0, 4.0], [2.0, 0.0]]))
    array([0.6, 1. ])
    """

    dim: int = 1
    eps: float = 1e-8

    def __post_init__(self) -> None:
        integer(self.name, "dim", self.dim)
        number(self.name, "eps", self.eps, NOT_NEGATIVE)

    def __call__(self, x1: ArrayLike, x2: ArrayLike) -> Any:
        """Return the cosines between the vectors `x1` and `x2`.

        Parameters
        ----------
        x1, x2 : array_like
            Vectors of a float dtype, along the axis `dim` of the shape that they broadcast to by NumPy's
            rules.

        Returns
        -------
        scalar or ndarray
            Of the dtype of `x1` and the broadcast shape without `dim`.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, an axis that is not there.
        """
        return self._evaluate((x1, x2), None, None)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the cosines of arguments of the given shapes."""
        full = broadcast_shape(*shapes) or (1,)
        axis = self.dim % len(full)
        return full[:axis] + full[axis + 1 :]

    def _bind(self, x1: Any, x2: Any, *, sample_weight: ArrayLike | None) -> Terms:
        arrays = {"x1": floats(self.name, "x1", x1), "x2": floats(self.name, "x2", x2)}
        layout = row_layout(self.name, arrays, int(self.dim))
        operands = tuple([layout.operand(name, array) for name, array in arrays.items()])
        return Terms(operands, layout.shape)

    def _forward(self, x1: Array, x2: Array) -> tuple[Array, Any]:
        saved = cosines(x1, x2, float(self.eps))
        return saved.value(), saved

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        saved.grad(c, out)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        saved.hvp(c, v, out)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        saved.hessian_diag(c, which, out)


def cosine_similarity(x1: ArrayLike, x2: ArrayLike, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosines of the angles between vectors.

    The functional form of `CosineSimilarity`, which see for the formula, shapes, options and
    derivatives.
    """
    return CosineSimilarity(dim, eps)(x1, x2)
