"""The L1 penalty."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from npl.penalties.parameters import Include
from npl.penalties.penalty import Penalty

__all__ = ["L1Penalty", "l1_penalty"]


@dataclass(frozen=True, eq=False)
class L1Penalty(Penalty):
    r"""The sum of the magnitudes of parameters (lasso): $\alpha \sum_i |w_i|$.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength, finite and 0 or above. To differentiate with respect to it, or to change it from
        step to step, leave it at 1 and multiply the value.
    include : callable, optional
        `include(name, array)` says whether a parameter takes part. By default all but biases do; an
        array given alone always does. The rule stands in the notes of `L2Penalty`.

    Notes
    -----
    **Derivatives.** $\frac{\partial}{\partial w} = \alpha \operatorname{sign} w$, $H v = 0$; zero for
    parameters that do not take part.

    **Kinks.** At $w = 0$ the gradient is 0, the subgradient of least norm. A gradient step then hardly ever
    reaches 0 from elsewhere: for parameters that are exactly 0, a proximal step shrinks towards it,
    `np.sign(w) * np.maximum(np.abs(w) - step * alpha, 0)` after a step on the cost alone.

    **Accuracy.** Magnitudes are summed in float64, pairwise, and rounded once to the dtype of the value,
    the widest of the parameters'. It overflows only where the result does.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Stat. Soc. B
       58(1), 1996.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, gradient = npl.value_and_grad(npl.L1Penalty(0.5))(np.array([3.0, 0.0, -4.0]))
    >>> float(value), gradient.tolist()
    (3.5, [0.5, 0.0, -0.5])
    """

    alpha: float = 1.0
    _: KW_ONLY
    include: Include | None = None

    def __post_init__(self) -> None:
        self._strength("alpha", self.alpha)
        self._check_options()

    @property
    def strengths(self) -> tuple[float, float]:
        """The factors of the magnitudes and of half the squares."""
        return float(self.alpha), 0.0

    def __call__(self, parameters: Any) -> Any:
        """Return the penalty of `parameters`.

        Parameters
        ----------
        parameters : array_like, or tuple, list or dict
            An array of floats, or tuples, lists and dicts of them, nested in any way.

        Returns
        -------
        scalar
            Of the widest dtype of the parameters that take part.

        Raises
        ------
        TypeError
            For a parameter that is no array of floats.
        ValueError
            If no parameter takes part.
        """
        return self._evaluate(parameters)


def l1_penalty(parameters: Any, alpha: float = 1.0, *, include: Include | None = None) -> Any:
    """Return the sum of the magnitudes of parameters, times `alpha`.

    The functional form of `L1Penalty`, which see for the formula, who takes part, and the derivatives.
    """
    return L1Penalty(alpha, include=include)(parameters)
