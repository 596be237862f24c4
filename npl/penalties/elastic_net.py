"""The elastic net penalty."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from npl.engine import arguments
from npl.penalties.parameters import Include
from npl.penalties.penalty import Penalty

__all__ = ["ElasticNetPenalty", "elastic_net_penalty"]


@dataclass(frozen=True, eq=False)
class ElasticNetPenalty(Penalty):
    r"""A mixture of the L1 and the L2 penalty: $\alpha \sum_i \rho |w_i| + \frac{1 - \rho}{2} w_i^2$.

    `alpha` and `l1_ratio` ($\rho$) are those of scikit-learn's `ElasticNet`. For two strengths of their
    own, add the penalties: `npl.L1Penalty(a) + npl.L2Penalty(b)`.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength, finite and 0 or above.
    l1_ratio : float, default 0.5
        The share of the magnitudes, from 0 (`L2Penalty`) to 1 (`L1Penalty`).
    include : callable, optional
        `include(name, array)` says whether a parameter takes part. By default all but biases do; an
        array given alone always does. The rule stands in the notes of `L2Penalty`.

    Notes
    -----
    **Derivatives.** $\frac{\partial}{\partial w} = \alpha (\rho \operatorname{sign} w + (1 - \rho) w)$,
    $H v = \alpha (1 - \rho) v$; zero for parameters that do not take part.

    **Kinks.** At $w = 0$ the gradient is 0, the subgradient of least norm, unless $\rho = 0$, where
    there is no kink.

    **Accuracy.** As of `L1Penalty` and `L2Penalty`: sums in float64, rounded once.

    References
    ----------
    .. [1] H. Zou, T. Hastie, "Regularization and variable selection via the elastic net", J. R.
       Stat. Soc. B 67(2), 2005.

    Examples
    --------
    >>> import numpy as np, npl
    >>> penalty = npl.ElasticNetPenalty(0.5, l1_ratio=0.5)
    >>> value, gradient = npl.value_and_grad(penalty)(np.array([3.0, 0.0, -4.0]))
    >>> float(value), gradient.tolist()
    (4.875, [1.0, 0.0, -1.25])
    """

    alpha: float = 1.0
    l1_ratio: float = 0.5
    _: KW_ONLY
    include: Include | None = None

    def __post_init__(self) -> None:
        self._strength("alpha", self.alpha)
        arguments.number(self.name, "l1_ratio", self.l1_ratio, arguments.UNIT)
        self._check_options()

    @property
    def strengths(self) -> tuple[float, float]:
        """The factors of the magnitudes and of half the squares."""
        return float(self.alpha * self.l1_ratio), float(self.alpha * (1 - self.l1_ratio))

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


def elastic_net_penalty(
    parameters: Any,
    alpha: float = 1.0,
    l1_ratio: float = 0.5,
    *,
    include: Include | None = None,
) -> Any:
    """Return a mixture of the sums of magnitudes and squares of parameters, times `alpha`.

    The functional form of `ElasticNetPenalty`, which see for the formula, who takes part, and the
    derivatives.
    """
    return ElasticNetPenalty(alpha, l1_ratio, include=include)(parameters)
