"""Entropy of the softmax of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, floats
from npl.engine.classes import class_layout
from npl.engine.loss import Terms
from npl.engine.operands import Operand

__all__ = ["EntropyLoss", "entropy_loss"]


@dataclass(frozen=True, eq=False)
class EntropyLoss(Loss):
    r"""Entropy of the softmax of logits: how undecided a prediction is.

    With $p = \mathrm{softmax}(x)$ over the classes,

    $$\ell = -\sum_c p_c \log p_c.$$

    To be made small where predictions shall be certain without labels, or with a negative factor as
    a bonus for those that are not, as of a policy that shall go on exploring.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of losses (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no row. Its gradient is zero.

    Notes
    -----
    **Derivatives.** As $\log p_c - \sum_k p_k \log p_k = x_c - \mu$ with the mean logit $\mu =
    \sum_k p_k x_k$, and $\partial p_k / \partial x_c = p_k ([k = c] - p_c)$,

    $$\frac{\partial \ell}{\partial x_c} = -p_c (\log p_c + \ell) = -p_c (x_c - \mu).$$

    Along $v$, with $\bar v = p \cdot v$, the probabilities change by $p \odot (v - \bar v)$ and
    $\mu$ by $\bar v + s$, where $s = \sum_k p_k (v_k - \bar v)(x_k - \mu)$ is a covariance, so

    $$\nabla^2 \ell\, v = -p \odot \left( (v - \bar v) \odot (1 + x - \mu) - s \right).$$

    **Limits.** $0 \cdot \log 0 = 0$: a logit of $-\infty$ masks its class, which has a zero
    gradient. Logits of $+\infty$ share the probability: the loss is the logarithm of their number. A
    row of $-\infty$ alone has no softmax and is NaN.

    **Accuracy.** The loss is summed from non-negative terms, $\log(1 + R) + \sum_c p_c (\max x -
    x_c)$ with $R$ the sum of all $e^{x_c - \max x}$ but the largest, so that it keeps its digits
    next to a certain prediction: at logits (20, 0) it is 4.33e-8 in float32 too, of which a $p$ rounded
    to 1 would take a twentieth. Each exponential of a difference $d$ of logits is within $(1 + |d|)$
    ulp, and value, gradient and Hessian-vector product add a few ulp to that; where a logit nearly is
    the mean logit, the gradient is a difference of two accurate terms.

    References
    ----------
    .. [1] C. E. Shannon, "A mathematical theory of communication", Bell Syst. Tech. J. 27, 1948.
    .. [2] Y. Grandvalet, Y. Bengio, "Semi-supervised learning by entropy minimization", NIPS 2004.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.EntropyLoss(reduction="none")(np.array([[0.0, 0.0], [50.0, 0.0], [1.0, -np.inf]]))
    array([6.93147181e-01, 9.83662422e-21, 0.00000000e+00])
    """

    layout = "classes"

    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)

    def __call__(
        self,
        input: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the entropy of the softmax of `input`.

        Parameters
        ----------
        input : array_like of shape (C,), (N, C) or (N, C, d1, ...)
            Logits, of a float dtype.
        sample_weight : array_like, optional
            A scalar, (N,), or the input's shape without C: a weight per sample or loss; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the input's shape without C.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((input,), sample_weight, normalizer)

    def _bind(self, input: Any, *, sample_weight: ArrayLike | None) -> Terms:
        logits = floats(self.name, "input", input)
        layout = class_layout(self.name, logits)
        rows = Operand("input", logits, layout.lead, row_axes=(layout.axis,))
        return Terms((rows,), layout.shape)

    def _forward(self, logits: Array) -> tuple[Array, Any]:
        return numerics.softmax_entropy(logits)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is not None:
            numerics.entropy_slope(saved, c, out=out[0])

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is None:
            return
        if v[0] is None:
            out[0].fill(0)
        else:
            product = numerics.entropy_jvp_of_slope(saved, v[0])
            np.multiply(product, c[:, None], out=out[0])

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = numerics.softmax_entropy(operands[0])
        np.multiply(numerics.entropy_curvature_diag(saved), c[:, None], out=out)


def entropy_loss(
    input: ArrayLike,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the entropy of the softmax of logits.

    The functional form of `EntropyLoss`, which see for the formula, shapes, options and
    derivatives.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> float(F.entropy_loss(np.array([0.0, 0.0, -np.inf])))
    0.693147...
    """
    loss = EntropyLoss(reduction, normalizer=normalizer, empty=empty)
    return loss(input, sample_weight=sample_weight)
