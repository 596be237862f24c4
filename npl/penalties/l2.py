"""The L2 penalty."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from npl.penalties.parameters import Include
from npl.penalties.penalty import Penalty

__all__ = ["L2Penalty", "l2_penalty"]


@dataclass(frozen=True, eq=False)
class L2Penalty(Penalty):
    r"""Half the sum of the squares of parameters (ridge): $\frac{\alpha}{2} \sum_i w_i^2$.

    Its gradient is $\alpha w$: added to a cost, it is the `weight_decay` of `torch.optim.SGD`. That of Adam
    differs, as Adam rescales the gradient of the sum; `torch.optim.AdamW` decays apart from it.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength, finite and 0 or above. To differentiate with respect to it, or to change it from
        step to step, leave it at 1 and multiply the value.
    include : callable, optional
        `include(name, array)` says whether a parameter takes part. By default all but biases do; an
        array given alone always does. See `Notes`.

    Notes
    -----
    **Who takes part.** A parameter's name consists of the keys that lead to it, joined by dots, as torch
    names those of a module: "layers.0.weight". Without `include`, biases are left out:

    - a parameter with a name of its own (the key of a dict, the field of a named tuple) is a bias if the
      last part of the name contains "bias" or "intercept", or is b, b1, b_2 and the like, in any case;
    - one that has only a place in a tuple or list is a bias if it has fewer axes than another array in that
      tuple or list: the vector of `(W, b)`, the scalar of `(w, b)`.

    What scales a normalisation layer takes part, as with torch's `weight_decay`; `include=lambda name,
    array: array.ndim >= 2` leaves it out as well. `taking_part(parameters)` returns them by name. If nobody
    takes part, the call raises. A None in a nest is no parameter.

    **Derivatives.** $\frac{\partial}{\partial w} = \alpha w$, $H v = \alpha v$; zero for parameters that
    do not take part.

    **Accuracy.** Squares are summed in float64, pairwise, and rounded once to the dtype of the value,
    the widest of the parameters'. It overflows or underflows only where the result does: squares beyond
    the range of float64 are scaled by a power of two.

    References
    ----------
    .. [1] A. E. Hoerl, R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
       Technometrics 12(1), 1970.
    .. [2] A. Krogh, J. A. Hertz, "A simple weight decay can improve generalization", NIPS, 1991.

    Examples
    --------
    >>> import numpy as np, npl
    >>> parameters = {"w": np.array([[3.0, 4.0]]), "b": np.array([10.0])}
    >>> value, gradient = npl.value_and_grad(npl.L2Penalty(0.1))(parameters)
    >>> float(value), gradient["w"].round(6).tolist(), gradient["b"].tolist()
    (1.25, [[0.3, 0.4]], [0.0])
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
        return 0.0, float(self.alpha)

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


def l2_penalty(parameters: Any, alpha: float = 1.0, *, include: Include | None = None) -> Any:
    """Return half the sum of the squares of parameters, times `alpha`.

    The functional form of `L2Penalty`, which see for the formula, who takes part, and the derivatives.
    """
    return L2Penalty(alpha, include=include)(parameters)
