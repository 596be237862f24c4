"""Weights of classes from how often they occur, for any loss with a `weight` or a `cost` per class."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npl.engine.arguments import Array, Interval, choice, number, position, real_values

__all__ = ["class_balanced_weights", "inverse_frequency_weights"]

Mean = Literal["class", "sample"]


def class_balanced_weights(
    counts: ArrayLike, beta: float = 0.999, *, mean: Mean = "class"
) -> NDArray[np.float64]:
    r"""Return weights of classes by the effective number of their samples.

    A sample may be a near-copy of those before it. With a chance $\beta$ of that growing towards 1, $n$
    samples are worth [1]_

    $$E_n = \frac{1 - \beta^n}{1 - \beta} = 1 + \beta + \dots + \beta^{n-1},$$

    and a class weighs $w_c \propto 1 / E_{n_c}$: between all the same ($\beta = 0$) and inverse
    frequency ($\beta \to 1$).

    Parameters
    ----------
    counts : array_like of shape (C,)
        How many samples each class has, 0 or above, as `np.bincount(labels, minlength=C)` counts them.
        A class without samples gets the weight 0 and takes no part in the mean.
    beta : float, default 0.999
        $\beta$ in [0, 1]; 1 gives the limit, inverse frequency. About $1 - 1/N$ for classes of $N$
        samples that differ.
    mean : {"class", "sample"}, default "class"
        Whose mean weight is 1: that of the classes, so that their weights add up to C (as the authors
        have it), or that of the samples.

    Returns
    -------
    ndarray of float64, shape (C,)
        For the `weight` of a loss over classes, or the `cost` of `CostSensitiveLoss`.

    Raises
    ------
    TypeError, ValueError
        For counts that are no vector of finite numbers from 0, or a `beta` out of range.

    Notes
    -----
    **Accuracy.** A few ulp for every $\beta$: $1 - \beta^n$ is `-expm1(n * log(beta))`, with the
    logarithm `log1p(beta - 1)` next to 1. As `1 - beta ** n` it would have four digits for $\beta = 1 -
    10^{-12}$ and $n = 1$.

    References
    ----------
    .. [1] Y. Cui, M. Jia, T.-Y. Lin, Y. Song, S. Belongie, "Class-balanced loss based on effective number
       of samples", CVPR 2019.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.class_balanced_weights([1000, 10], beta=0.99)
    array([0.17455299, 1.82544701])
    """
    name = "class_balanced_weights"
    number(name, "beta", beta, Interval(0, 1))
    present, samples = _counted(name, counts)
    if beta == 1:
        effective = samples
    elif beta == 0:
        effective = np.ones_like(samples)
    else:
        # beta - 1 is exact from a half upwards.
        log = math.log1p(beta - 1) if beta >= 0.5 else math.log(beta)
        effective = -np.expm1(samples * log)
    return _scaled(name, 1 / effective, present, samples, mean)


def inverse_frequency_weights(
    counts: ArrayLike, power: float = 1.0, *, mean: Mean = "sample"
) -> NDArray[np.float64]:
    r"""Return weights of classes by how rare they are: $w_c \propto n_c^{-q}$.

    Parameters
    ----------
    counts : array_like of shape (C,)
        How many samples each class has, 0 or above. A class without samples gets the weight 0 and takes
        no part in the mean.
    power : float, default 1.0
        $q$: 1 gives all classes the same weight in sum, 0.5 is the milder inverse square root, 0 weighs
        nothing.
    mean : {"sample", "class"}, default "sample"
        Whose mean weight is 1: that of the samples, so that a loss keeps its size (scikit-learn's
        `class_weight="balanced"` for $q = 1$, $w_c = N / (C n_c)$), or that of the classes.

    Returns
    -------
    ndarray of float64, shape (C,)
        For the `weight` of a loss over classes, or the `cost` of `CostSensitiveLoss`.

    Raises
    ------
    TypeError, ValueError
        For counts that are no vector of finite numbers from 0, or a negative `power`.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.inverse_frequency_weights([30, 10])
    array([0.66666667, 2.        ])
    """
    name = "inverse_frequency_weights"
    number(name, "power", power, Interval(0, math.inf))
    present, samples = _counted(name, counts)
    # Relative to the rarest class, of which no power leaves the range.
    rarest = samples.min(initial=math.inf)
    return _scaled(name, (rarest / samples) ** power, present, samples, mean)


def _counted(name: str, counts: ArrayLike) -> tuple[Array, Array]:
    """Return which classes have samples, and how many those have."""
    checked = real_values(name, "counts", counts)
    if checked.ndim != 1:
        raise ValueError(
            f"{name}: counts has shape {checked.shape}; it must be (C,). "
            "Did you mean np.bincount(labels, minlength=C)?"
        )
    wrong = np.flatnonzero(~((checked >= 0) & (checked < np.inf)))
    if wrong.size:
        where = position((wrong[0],))
        raise ValueError(
            f"{name}: counts{where} is {checked[wrong[0]]}; it must be finite, 0 or above."
        )
    present = checked > 0
    return present, checked[present].astype(np.float64)


def _scaled(name: str, weights: Array, present: Array, samples: Array, mean: Mean) -> Array:
    """Return weights whose mean over the classes, or over the samples, is 1, and 0 for the absent ones."""
    choice(name, "mean", mean, ("class", "sample"))
    whole = np.zeros(present.shape)
    if not len(weights):
        return whole
    if mean == "class":
        scale = len(weights) / weights.sum()
    else:
        shares = samples / samples.max()
        scale = shares.sum() / (shares * weights).sum()
    whole[present] = weights * scale
    return whole
