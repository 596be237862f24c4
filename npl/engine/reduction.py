"""What "mean" divides by, and the old names for a reduction.

One rule for every loss: the weighted losses are summed, and

- ``"sum"`` stops there;
- ``"mean"`` divides by the sum of what counts: 1 for each loss that takes part, times its sample weight,
  times its class weight where the loss says so (torch's weighted mean of class indices);
- ``"batchmean"`` divides by the number of samples, the first axis, each counted with the mean of its
  sample weights;
- `normalizer=`, where given, takes the place of both.
"""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction, held, real_values


def legacy_reduction(
    size_average: bool | None, reduce: bool | None, reduction: Reduction
) -> Reduction:
    """Return the reduction that torch's deprecated pair of arguments stands for, with its warning."""
    if size_average is None and reduce is None:
        return reduction
    kept: Reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warn_caller(
        f"size_average and reduce args will be deprecated, please use reduction='{kept}' instead."
    )
    return kept


def warn_caller(text: str) -> None:
    """Warn, as of the line of the first caller outside the core."""
    warnings.warn(text, UserWarning, stacklevel=_caller_level())


def _caller_level() -> int:
    """Return the `stacklevel` of the first caller outside the core: of a class or of a function form."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("npl."):
        level, frame = level + 1, frame.f_back
    return level


def sample_weights(
    loss: str, value: ArrayLike | None, shape: tuple[int, ...], lead: tuple[int, ...]
) -> Array | None:
    """Return `sample_weight` broadcast to the kernels' lead shape.

    Parameters
    ----------
    value : array_like or None
        A scalar, one weight per sample `(N,)`, or one per loss (its axes of size 1 broadcast).
    shape : tuple of int
        The shape of the unreduced losses.
    lead : tuple of int
        The same as kernels see it: `(1,)` for one unbatched sample.
    """
    if value is None:
        return None
    weight = real_values(loss, "sample_weight", value)
    if weight.ndim == 1 and len(shape) > 1 and weight.shape[0] == shape[0]:
        weight = weight.reshape(-1, *(1,) * (len(shape) - 1))  # per sample, whatever follows
    fits = weight.ndim in (0, len(shape)) and all(
        own in (1, size) for own, size in zip(weight.shape, shape, strict=False)
    )
    if not fits:
        wanted = f"{shape[:1]} or {shape}" if len(shape) > 1 else f"{shape}"
        raise ValueError(
            f"{loss}: sample_weight has shape {np.shape(value)}; for losses of shape {shape} it must be "
            f"a scalar or have shape {wanted}."
        )
    return np.broadcast_to(weight, shape).reshape(lead)


def denominator(
    loss: str,
    reduction: Reduction,
    shape: tuple[int, ...],
    sample_weight: Array | None,
    class_weight: Array | None,
    normalizer: float | None,
    empty: Empty,
) -> float | None:
    """Return what the sum of the weighted losses is divided by; None if they are not reduced.

    Parameters
    ----------
    sample_weight, class_weight : ndarray or None
        What each loss counts for in a mean, broadcast to the lead shape; None: 1 each. A batch mean
        counts samples, so it looks at the sample weights alone.
    """
    size = math.prod(shape)
    if normalizer is not None:
        total = checked_normalizer(loss, reduction, normalizer)
    elif reduction == "none":
        return None
    elif reduction == "sum":
        return 1.0
    elif reduction == "batchmean":
        samples = shape[0] if shape else 1
        total = _sum_of_products(sample_weight, None, size) * samples / max(size, 1)
    else:
        total = _sum_of_products(sample_weight, class_weight, size)
    if total == 0 and empty == "raise":
        cause = (
            "normalizer is 0"
            if normalizer is not None
            else f"of {size} losses, none counts (weights of 0, ignored targets)"
        )
        raise ValueError(
            f'{loss}: the mean of nothing: {cause}. Pass empty="zero" or empty="nan" if that may happen.'
        )
    return total


def _sum_of_products(first: Array | None, second: Array | None, size: int) -> float:
    if first is None or second is None:
        factor = second if first is None else first
        return float(size) if factor is None else _sum_of_broadcast(factor)
    with np.errstate(all="ignore"):
        return float(np.multiply(first, second, dtype=np.float64).sum())


def _sum_of_broadcast(factor: Array) -> float:
    """Return the sum of an array in which axes may be repeated: that of one copy, times the copies.

    NumPy would add the copies one by one, and not pairwise.
    """
    own = factor[tuple(slice(0, 1 if stride == 0 else None) for stride in factor.strides)]
    return float(own.sum(dtype=np.float64)) * (factor.size / max(1, own.size))


def checked_normalizer(loss: str, reduction: Reduction, normalizer: float) -> float:
    """Return what a mean is to be divided by, if that is a number and the reduction a mean."""
    if reduction not in ("mean", "batchmean"):
        raise ValueError(
            f"{loss}: normalizer is what a mean divides by; with reduction={reduction!r} nothing is "
            "divided. Did you mean reduction='mean'?"
        )
    normalizer = held(loss, "normalizer", normalizer)
    wanted = f"{loss}: normalizer is {normalizer!r}; it must be a finite number, 0 or above."
    number = np.asarray(normalizer)
    if number.size != 1 or number.dtype.kind not in "iuf":
        raise TypeError(wanted)
    value = float(number.item())
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(wanted)
    return value
