"""Distance between pairs of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import NOT_NEGATIVE, Array, boolean, broadcast_shape, floats, number
from npl.engine.loss import Terms
from npl.engine.rows import UnreducedLoss, row_layout

__all__ = ["PairwiseDistance", "pairwise_distance"]


@dataclass(frozen=True, eq=False)
class PairwiseDistance(UnreducedLoss):
    r"""Distance between pairs of vectors, along the last axis.

    $$d = \lVert x_1 - x_2 + \epsilon \rVert_p
    = \Big( \sum_i | x_{1,i} - x_{2,i} + \epsilon |^p \Big)^{1/p}.$$

    There is no reduction: the value is one distance per pair.

    Parameters
    ----------
    p : float, default 2.0
        The norm: 0 or more. $\infty$ takes the largest element; 0 counts those that are not zero.
    eps : float, default 1e-6
        $\epsilon$, added to each element of the difference. 0 gives the distance itself.
    keepdim : bool, default False
        Whether the last axis stays, with size 1.

    Notes
    -----
    **Derivatives.** With $r = x_1 - x_2 + \epsilon$, $d = \lVert r \rVert_p$ and $w = |r| / d$,

    $$\frac{\partial d}{\partial x_1} = -\frac{\partial d}{\partial x_2} = g
    = \operatorname{sgn}(r) \odot w^{p - 1}, \qquad
    H v = \frac{p - 1}{d} \left( w^{p - 2} \odot v - g\, (g \cdot v) \right),$$

    where $v$ is the difference of the vectors for $x_1$ and $x_2$; $H v$ belongs to $x_1$ and $-H v$ to
    $x_2$.

    **Kinks.** The subgradient of least norm: 0 at a distance of 0 (which an $\epsilon$ moves to
    $x_2 = x_1 + \epsilon$); for $p \le 1$, 0 at each element of the difference that is 0; for $p =
    \infty$ it is shared equally among tied maxima. There the curvature is 0, and so is the part of it
    that would be infinite, at elements of 0 for $1 < p < 2$. With $p = 0$ all derivatives are 0.

    **Accuracy.** A few ulp, for vectors of any magnitude: rows are scaled before they are squared,
    and float32 is computed in float64. An element of the gradient has $p - 1$ times the error of
    $r_i$; the Hessian-vector product is a sum of mixed signs, and accurate relative to its terms.

    References
    ----------
    .. [1] E. Anderson, "Algorithm 978: Safe Scaling in the Level 1 BLAS", ACM Trans. Math. Softw.
       44(1), 2017.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.PairwiseDistance(eps=0)(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]))
    array([5.])
    """

    p: float = 2.0
    eps: float = 1e-6
    keepdim: bool = False

    def __post_init__(self) -> None:
        number(self.name, "p", self.p, NOT_NEGATIVE)
        number(self.name, "eps", self.eps)
        boolean(self.name, "keepdim", self.keepdim)

    def __call__(self, x1: ArrayLike, x2: ArrayLike) -> Any:
        """Return the distances of the vectors `x1` from the vectors `x2`.

        Parameters
        ----------
        x1, x2 : array_like of shape (D,), (N, D) or (..., D)
            Vectors of a float dtype, along the last axis; they broadcast by NumPy's rules.

        Returns
        -------
        scalar or ndarray
            Of the dtype of `x1` and the broadcast shape without the last axis.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((x1, x2), None, None)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the distances of arguments of the given shapes."""
        shape = broadcast_shape(*shapes)[:-1]
        return (*shape, 1) if self.keepdim else shape

    def _bind(self, x1: Any, x2: Any, *, sample_weight: ArrayLike | None) -> Terms:
        arrays = {"x1": floats(self.name, "x1", x1), "x2": floats(self.name, "x2", x2)}
        layout = row_layout(self.name, arrays)
        operands = tuple([layout.operand(name, array) for name, array in arrays.items()])
        return Terms(operands, (*layout.shape, 1) if self.keepdim else layout.shape)

    def _forward(self, x1: Array, x2: Array) -> tuple[Array, Any]:
        difference = numerics.shifted_difference(x1, x2, float(self.eps))
        norms = numerics.row_norms(difference, float(self.p))
        return norms.length, norms

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        slope = numerics.norm_slope(saved)
        for along, sign in zip(out, (1, -1), strict=True):
            if along is not None:
                np.multiply(slope, sign * c[:, None], out=along)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        first, second = v
        change = np.zeros_like(saved.scaled)
        if first is not None:
            change += first
        if second is not None:
            change -= second
        product = numerics.norm_jvp_of_slope(saved, numerics.norm_slope(saved), change)
        for along, sign in zip(out, (1, -1), strict=True):
            if along is not None:
                np.multiply(product, sign * c[:, None], out=along)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, norms = self._forward(*operands)
        np.multiply(numerics.norm_curvature_diag(norms), c[:, None], out=out)


def pairwise_distance(
    x1: ArrayLike, x2: ArrayLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """Return the distances of vectors, along the last axis.

    The functional form of `PairwiseDistance`, which see for the formula, shapes, options and
    derivatives.
    """
    return PairwiseDistance(p, eps, keepdim)(x1, x2)
