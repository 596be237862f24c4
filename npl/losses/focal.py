"""Focal loss of logits over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, floats, integer
from npl.engine.classes import class_labels, class_layout, class_weights
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.losses.focal_product import checked_gamma

__all__ = ["FocalLoss", "focal_loss"]


@dataclass(frozen=True, eq=False)
class FocalLoss(Loss):
    r"""Cross entropy of logits that counts less, the more certain the right class is.

    With $p = \mathrm{softmax}(x)$ over the classes and a class index $y$,

    $$\ell = -w_y\, (1 - p_y)^\gamma \log p_y.$$

    Parameters
    ----------
    gamma : float, default 2.0
        $\gamma \ge 0$, the focusing parameter: how fast easy samples fade. With 0 it is the cross
        entropy.
    weight : array_like of shape (C,), optional
        Class weights $w$, ones by default; the $\alpha_t$ of the literature. A class index whose
        weight is 0 adds nothing to the value and gets a zero gradient; the mean counts it.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of targets that are not ignored (the sum of their
        `sample_weight`), never by class weights, as is the practice for focal losses;
        `CrossEntropyLoss` divides by the sum of $w_y$. For that of detectors, the number of objects,
        pass it as `normalizer`. "batchmean" divides by N.
    ignore_index : int, default -100
        Class indices of this value are removed: they add nothing to the value, count for nothing in
        the mean and get a zero gradient, whatever the row's logits hold. It may be any integer,
        also a valid class.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (every target ignored, or no row). Its gradient is zero.

    Notes
    -----
    **Derivatives.** The loss is a function of one margin, $t = \log \sum_{k \ne y} e^{x_k} - x_y$: with
    $s = 1 - p_y = \sigma(t)$, $p_y = \sigma(-t)$ and $L = -\log p_y = \log(1 + e^t)$, as $s' = s p_y$ and
    $L' = s$,

    $$f = s^\gamma L, \qquad f' = s^\gamma (\gamma p_y L + s), \qquad
    f'' = s^\gamma \left(\gamma p_y L (\gamma p_y - s) + (2\gamma + 1) p_y s\right).$$

    With the shares $r_k = p_k / s$ of the other classes, $\partial t/\partial x_k = r_k$ and
    $\partial t/\partial x_y = -1$, so

    $$\frac{\partial \ell}{\partial x_k} = w_y f' r_k, \qquad
    \frac{\partial \ell}{\partial x_y} = -w_y f', \qquad
    \nabla^2 \ell = w_y \left( f'' \nabla t \nabla t^\top + f' (\mathrm{diag}(r) - r r^\top) \right).$$

    **Limits.** As $p_y \to 1$ value and derivatives vanish like $s^{\gamma + 1}$, for every $\gamma$,
    and are 0 where all other classes are masked by logits of $-\infty$. A masked target costs
    $+\infty$, with the gradient of the cross entropy. At logits of $+\infty$ the probability is
    shared among them. A row of $-\infty$ alone has no softmax and is NaN.

    **Accuracy.** $s$ is the sum of the other probabilities, never $1 - p_y$, so that easy samples
    keep all digits: at logits (20, 0) the loss is 8.76e-27 in float32 too. Value and gradient have
    but positive terms. Each exponential of a rounded difference $d$ of logits is within $(1 + |d|)$
    ulp, and is taken to the power of $\gamma + 1$; the rest adds a few ulp. The second derivative
    has a zero where the loss turns from convex to concave, and is accurate relative to its terms.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
       ICCV 2017.

    Examples
    --------
    >>> import numpy as np, npl
    >>> logits, labels = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 0])
    >>> npl.FocalLoss(reduction="none")(logits, labels)
    array([0.0018..., 1.65...])
    >>> npl.CrossEntropyLoss(reduction="none")(logits, labels)
    array([0.1269..., 2.1269...])
    """

    layout = "classes"

    gamma: float = 2.0
    weight: ArrayLike | None = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    ignore_index: int = -100
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        object.__setattr__(self, "gamma", checked_gamma(self.name, self.gamma))
        integer(self.name, "ignore_index", self.ignore_index)

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `input` against `target`.

        Parameters
        ----------
        input : array_like of shape (C,), (N, C) or (N, C, d1, ...)
            Logits, of a float dtype.
        target : array_like
            Class indices, of the input's shape without C and any integer dtype.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of `target`: a weight per sample or loss; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the input's shape without C.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a class index out of range.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        logits = floats(self.name, "input", input)
        layout = class_layout(self.name, logits)
        weight = class_weights(self.name, self.weight, layout.classes)
        labels = class_labels(self.name, target, layout, self.ignore_index, sample_weight)
        return Terms(
            (
                Operand("input", logits, layout.lead, row_axes=(layout.axis,)),
                Operand("target", labels.indices, layout.lead, index=True),
            ),
            layout.shape,
            weight=labels.counts(weight),
            counts=labels.valid,
        )

    def _forward(self, logits: Array, labels: Array) -> tuple[Array, Any]:
        return numerics.focal_softmax(logits, labels, self.gamma)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is not None:
            numerics.focal_gradient(saved, c, out=out[0])

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is None:
            return
        if v[0] is None:
            out[0].fill(0)
        else:
            numerics.focal_hvp(saved, c, v[0], out=out[0])

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        numerics.focal_curvature_diag(saved, c, out=out)


def focal_loss(
    input: ArrayLike,
    target: ArrayLike,
    gamma: float = 2.0,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    *,
    ignore_index: int = -100,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the focal loss between logits and class indices.

    The functional form of `FocalLoss`, which see for the formula, shapes, options and derivatives.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> float(F.focal_loss(np.array([[20.0, 0.0]], np.float32), np.array([0])))
    8.756...e-27
    """
    loss = FocalLoss(
        gamma, weight, reduction, ignore_index=ignore_index, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
