"""The Dice loss: how far predicted masks are from covering the true ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import (
    Array,
    Empty,
    Interval,
    Reduction,
    boolean,
    choice,
    floats,
    integer,
    number,
)
from npl.engine.classes import class_weights
from npl.engine.loss import Loss, Terms
from npl.engine.masks import (
    coefficients_of,
    from_pixels,
    mask_layout,
    mask_operands,
    masks,
    pixels_of,
    sets_of,
    write_sets,
)
from npl.engine.scratch import scratch_like

__all__ = ["DiceLoss", "dice_loss"]

Activation = Literal["none", "sigmoid", "softmax"]

# A block of float32 whose logits span less, and whose results are larger, has all digits in float32.
_SPAN, _SMALL = 69.0, 1e-25


class _Saved(NamedTuple):
    """What the derivatives of a block need."""

    pair: numerics.Overlap
    hidden: tuple[Array, Array] | None  # where the input and the target count for nothing
    is_coupled: bool  # whether a row is a whole sample, with a loss for each of its classes


@dataclass(frozen=True, eq=False)
class DiceLoss(Loss):
    r"""One minus the Dice coefficient: how far predicted masks are from covering the true ones.

    For each class of each sample, with the predicted probabilities $p$ and the targets $t$ of its
    pixels and `smooth` $s$,

    $$\ell = 1 - \frac{2 \sum p t + s}{\sum p + \sum t + s}.$$

    With `squared` the sums of the denominator are $\sum p^2$ and $\sum t^2$ [1]_; with `jaccard` it is
    the Jaccard index (intersection over union) $\frac{\sum p t + s}{\sum p + \sum t - \sum p t + s}$
    that is subtracted from 1. torch has no such loss; the numbers are those of MONAI's `DiceLoss` with
    its defaults (whose `smooth_nr` and `smooth_dr` are one here; see `weight` and `jaccard` too).

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        Rescales the losses of each class; 0 leaves a class out, as the background often is. The mean
        is a weighted one, as that of cross entropy is in torch. (MONAI's divides by N C.)
    ignore_index : int, default -100
        A target that removes its pixel: an index, or a number in the place of a 0 or 1.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of losses, each counted with its class weight (and sample weight);
        "batchmean" by the first dimension of the losses.
    activation : {"none", "sigmoid", "softmax"}, default "none"
        What makes probabilities of the input. By default it holds probabilities, and one outside [0, 1]
        raises, so that logits are never taken for such; "sigmoid" is for classes that may overlap and for
        one class alone, "softmax" for classes of which each pixel has one.
    smooth : float, default 1e-5
        $s$, 0 or above. Where target and prediction are both empty and $s = 0$, the loss is 0.
    squared : bool, default False
        Whether the sums of the denominator are of squares.
    jaccard : bool, default False
        Whether the Jaccard index takes the place of the Dice coefficient. (MONAI's smooths it by half
        as much.)
    batch : bool, default False
        Whether sums run over the samples too: one loss for each class.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no loss. Its gradient is zero.

    Notes
    -----
    **Derivatives.** With the difference $E = \sum p + \sum t - 2 \sum p t$ and the denominator $W$ the
    loss is $E / W$ (of Jaccard too, whose $W$ is half of $E + \sum p + \sum t + 2 s$). By the quotient
    rule,

    $$\frac{\partial \ell}{\partial p_i} = \frac{1 - 2 t_i - \ell}{W} = \frac{(1 - \ell) (1 - t_i) - (1 +
    \ell) t_i}{W},$$

    and with $\nabla\ell$ for it, from $W \nabla\ell = E' - \ell W'$,

    $$H v = \frac{(E'' - \ell W'') v - \nabla\ell\, (W' \cdot v) - W' (\nabla\ell \cdot v)}{W},$$

    where $E''$ couples each $p_i$ with its $t_i$ alone. The target's derivatives are those with $p$ and
    $t$ exchanged. Those of logits $x$ follow with $\frac{\partial p}{\partial x} = p (1 - p)$ of the
    sigmoid, $\operatorname{diag}(p) - p p^\top$ over the classes of a pixel of the softmax.

    **Limits.** Infinite logits are certain pixels. Without smoothing two empty masks have a loss of 0
    and a gradient of 0, and an empty target against any prediction has a loss of 1 and a gradient of 0.
    Squares that underflow, of probabilities below 1e-154, count as empty.

    **Accuracy.** A few ulp, with sums in float64, and all in float64 where float32 has not the range or
    a place counts with a weight. $E$ is the sum of $p (1 - t) + t (1 - p)$, without a
    negative term, where $1 - p$ of logits comes from the other side of the sigmoid, so the loss of a
    nearly perfect mask has all its digits; with `squared` it is the sum of $(p - t)^2$.

    References
    ----------
    .. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully Convolutional Neural Networks for
       Volumetric Medical Image Segmentation", 3DV, 2016.
    .. [2] C. H. Sudre et al., "Generalised Dice Overlap as a Deep Learning Loss Function for Highly
       Unbalanced Segmentations", DLMIA, 2017.

    Examples
    --------
    One sample, one class, three pixels of which the first belongs to it:

    >>> import numpy as np, npl
    >>> loss = npl.DiceLoss(smooth=0)
    >>> float(loss(np.array([[[0.5, 0.5, 0.0]]]), np.array([[[1, 0, 0]]])))
    0.5
    """

    weight: ArrayLike | None = None
    ignore_index: int = -100
    reduction: Reduction = "mean"
    _: KW_ONLY
    activation: Activation = "none"
    smooth: float = 1e-5
    squared: bool = False
    jaccard: bool = False
    batch: bool = False
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        integer(self.name, "ignore_index", self.ignore_index)
        choice(self.name, "activation", self.activation, get_args(Activation))
        number(self.name, "smooth", self.smooth, Interval(0, math.inf, "[)"))
        for option in ("squared", "jaccard", "batch"):
            boolean(self.name, option, getattr(self, option))

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of predicted masks against true ones.

        Parameters
        ----------
        input : array_like
            Probabilities, or logits with an `activation`, of a float dtype: (N, C, d1, ...).
        target : array_like
            Masks of the shape of the input, 0 and 1 or between; or the indices of the pixels' classes,
            integers of shape (N, d1, ...).
        sample_weight : array_like, optional
            A scalar, (N,), or (N, C): a weight per sample or mask; 0 removes. With `batch` a scalar or
            (N,): how often each sample counts in the sums.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of shape (N, C), with `batch` (C,).

        Raises
        ------
        IndexError
            For a class index out of range.
        TypeError, ValueError
            For a wrong dtype, a wrong shape, or a probability or mask outside [0, 1].
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses, not reduced, of arguments of the given shapes."""
        return tuple(shapes[0][1:2]) if self.batch else tuple(shapes[0][:2])

    # ------------------------------------------------------------------ arguments

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        x = floats(self.name, "input", input)
        self._check_input(x)
        given = masks(self.name, target, x.shape, self.ignore_index, sample_weight, self.batch)
        is_coupled = given.is_index or self.activation == "softmax"
        layout = mask_layout(x.shape, is_coupled=is_coupled, batch=self.batch)
        weight = class_weights(self.name, self.weight, x.shape[1])
        if weight is not None:
            weight = np.broadcast_to(weight, (*layout.lead, *layout.row_losses))
        return Terms(
            mask_operands(x, given, layout, are_logits=self.activation != "none"),
            layout.shape,
            weight=weight,
            counts=weight,
            row_losses=layout.row_losses,
            weighs_samples=self.batch,
        )

    def _check_input(self, x: Array) -> None:
        if x.ndim < 2:
            hint = " Did you mean input[None, None]?" if x.ndim else ""
            raise ValueError(
                f"{self.name}: input has shape {x.shape}; it must be (N, C, d1, ...), with an axis for the "
                f"classes even of one.{hint}"
            )
        if self.activation == "softmax" and x.shape[1] == 1:
            raise ValueError(
                f"{self.name}: activation is 'softmax', but input {x.shape} has one class, which would "
                "have a probability of 1 everywhere. Did you mean activation='sigmoid'?"
            )

    # ------------------------------------------------------------------ a block

    def _forward(self, x: Array, t: Array, counts: Array | None = None) -> tuple[Array, Any]:
        is_coupled = t.dtype.kind == "i" or self.activation == "softmax"
        if x.dtype == np.float32 and counts is None and self._fits_float32(x):
            pair = self._overlap(*self._sets(x, t, None, np.float32)[:2], None)
            if np.minimum(pair.distance, pair.size).min() > _SMALL:
                return pair.distance.T.reshape(-1), _Saved(pair, None, is_coupled)
        predicted, true, often = self._sets(x, t, counts, np.float64)
        hidden = None
        if often is not None:
            of_true: Array = np.equal(often, 0)
            # A logit of a softmax moves the probabilities of all classes at its place.
            hidden = np.all(of_true, 0) if self.activation == "softmax" else of_true, of_true
            predicted, true = np.where(hidden[0], 0, predicted), np.where(of_true, 0, true)
        pair = self._overlap(predicted, true, often)
        return pair.distance.T.reshape(-1), _Saved(pair, hidden, is_coupled)

    def _fits_float32(self, x: Array) -> bool:
        """Whether no probability of logits, nor a square of it, leaves few digits to float32."""
        if self.activation == "none":
            return True
        low, high = x.min(), x.max()
        span = high - low if self.activation == "softmax" else max(high, -low)
        return bool(span < (_SPAN / 2 if self.squared else _SPAN))

    def _sets(
        self, x: Array, t: Array, counts: Array | None, dtype: Any
    ) -> tuple[Array, Array, Array | None]:
        """Return a block as sets of places (k, n, D), class indices as the masks that they stand for."""
        is_index = t.dtype.kind == "i"
        is_coupled = is_index or self.activation == "softmax"
        predicted = sets_of(x, dtype, is_coupled=is_coupled)
        if not is_index:
            often = None if counts is None else sets_of(counts, dtype, is_coupled=is_coupled)
            return predicted, sets_of(t, dtype, is_coupled=is_coupled), often
        classes = np.arange(len(predicted)).reshape(-1, 1, 1)
        true = np.equal(t.reshape(1, len(t), -1), classes).astype(dtype)
        return predicted, true, None if counts is None else sets_of(counts, dtype, is_coupled=False)

    def _overlap(self, x: Array, t: Array, counts: Array | None) -> numerics.Overlap:
        return numerics.overlap(
            self._probabilities(x),
            numerics.Shares(t, np.subtract(1, t, out=scratch_like(t)), True),
            counts,
            squared=self.squared,
            jaccard=self.jaccard,
            smooth=self.smooth,
        )

    def _grad(self, saved: _Saved, c: Array, out: Sequence[Array | None]) -> None:
        along_x, along_t, *_ = out
        pair, own = saved.pair, coefficients_of(c, saved.pair.distance)
        if along_x is not None:
            slope = self._through(pair.p, numerics.overlap_slope(pair, own))
            write_sets(along_x, slope, is_coupled=saved.is_coupled)
        if along_t is not None:
            slope = numerics.overlap_slope(pair, own, of_target=True)
            write_sets(along_t, slope, is_coupled=saved.is_coupled)

    def _jvp(self, saved: _Saved, v: Sequence[Array | None], rows: int) -> Array:
        _, v_p, v_t = self._tangents(saved, v)
        return numerics.overlap_jvp(saved.pair, v_p, v_t).T.reshape(-1)

    def _hvp(
        self, saved: _Saved, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        along_x, along_t, *_ = out
        pair, own = saved.pair, coefficients_of(c, saved.pair.distance)
        v_x, v_p, v_t = self._tangents(saved, v)
        of_p, of_t = numerics.overlap_jvp_of_slope(pair, own, v_p, v_t)
        if along_x is not None:
            product = self._through(pair.p, of_p)
            if v_x is not None and self.activation != "none":
                product = product + self._bend(pair.p, numerics.overlap_slope(pair, own), v_x)
            write_sets(along_x, product, is_coupled=saved.is_coupled)
        if along_t is not None:
            write_sets(along_t, of_t, is_coupled=saved.is_coupled)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        pair, own = saved.pair, coefficients_of(c, saved.pair.distance)
        curvature, p = numerics.overlap_curvature(pair, own, of_target=which == 1), pair.p
        if which == 0 and self.activation != "none":
            # That of the losses in p, taken through the activation twice, and of the activation.
            shares = p.outside * p.outside * curvature
            if self.activation == "softmax":
                of_classes = pixels_of(p.inside * p.inside * curvature)
                shares += from_pixels(numerics.sum_of_others(of_classes), shares)
            curvature = p.inside * p.inside * shares
            slope = self._through(p, numerics.overlap_slope(pair, own))
            curvature = curvature + (p.outside - p.inside) * slope
        write_sets(out, curvature, is_coupled=saved.is_coupled)

    # ------------------------------------------------------------------ the activation

    def _probabilities(self, x: Array) -> numerics.Shares:
        if self.activation == "none":
            return numerics.Shares(x, np.subtract(1, x, out=scratch_like(x)), True)
        if self.activation == "sigmoid":
            return numerics.Shares(*numerics.sigmoid_sides(x), False)
        inside, outside = numerics.softmax_sides(pixels_of(x))
        return numerics.Shares(from_pixels(inside, x), from_pixels(outside, x), False)

    def _through(self, p: numerics.Shares, v: Array) -> Array:
        """Return the derivative of the activation times `v`; it is symmetric."""
        if self.activation == "none":
            return v
        if self.activation == "sigmoid":
            product: Array = p.inside * v
            product *= p.outside
            return product
        return from_pixels(numerics.softmax_jvp(pixels_of(p.inside), pixels_of(v)), v)

    def _bend(self, p: numerics.Shares, slope: Array, v: Array) -> Array:
        """Return the second derivative of the activation along `v`, pulled back from `slope`."""
        if self.activation == "sigmoid":
            return (p.outside - p.inside) * self._through(p, slope) * v
        own = pixels_of(p.inside)
        product = numerics.centered(own, pixels_of(slope)) * numerics.centered(own, pixels_of(v))
        return self._through(p, from_pixels(product, v))

    def _tangents(
        self, saved: _Saved, v: Sequence[Array | None]
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Return the tangents of the input, of the probabilities and of the target, 0 without effect."""
        dtype, coupled = saved.pair.p.inside.dtype, saved.is_coupled
        v_x, v_t = [None if u is None else sets_of(u, dtype, is_coupled=coupled) for u in v[:2]]
        if saved.hidden is not None:
            pairs = zip((v_x, v_t), saved.hidden, strict=True)
            v_x, v_t = [None if u is None else np.where(at, 0, u) for u, at in pairs]
        return v_x, None if v_x is None else self._through(saved.pair.p, v_x), v_t


def dice_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    *,
    activation: Activation = "none",
    smooth: float = 1e-5,
    squared: bool = False,
    jaccard: bool = False,
    batch: bool = False,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return one minus the Dice coefficients of predicted and true masks.

    The functional form of `DiceLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = DiceLoss(
        weight,
        ignore_index,
        reduction,
        activation=activation,
        smooth=smooth,
        squared=squared,
        jaccard=jaccard,
        batch=batch,
        normalizer=normalizer,
        empty=empty,
    )
    return loss(input, target, sample_weight=sample_weight)
