"""Objective = cost + regularisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from npl.objectives.values import shape_of, weighted_and_logged
from npl.objectives.weighted_sum import WeightedSum, is_penalty

__all__ = ["Objective"]


@dataclass(frozen=True, eq=False)
class Objective:
    r"""Cost plus regularisation: $J(\theta) = C(\theta, x, y) + R(\theta)$, as a function of the parameters.

    The cost is the loss of a model's output, a function that takes the parameters first; the penalty is
    of the parameters alone. Any function of NumPy will do as a model.
    `npl.value_and_grad(objective)(parameters, x, y)` is what an optimiser asks for, with the gradient in
    the form of the parameters.

    Parameters
    ----------
    cost : callable
        `cost(parameters, *args, **kwargs)` returns a scalar: `lambda parameters, x, y:
        loss(model(parameters, x), y)`.
    penalty : Penalty or callable
        `penalty(parameters)` returns a scalar. Add several up: `npl.L1Penalty(1e-4) + npl.L2Penalty(1e-3)`.

    Raises
    ------
    TypeError
        If the cost or the penalty is not callable, or they are given the wrong way round.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.MSELoss()
    >>> def cost(parameters, x, y):
    ...     return loss(x @ parameters["w"] + parameters["b"], y)
    >>> objective = npl.Objective(cost, npl.L2Penalty(0.1))
    >>> parameters = {"w": np.array([1.0, -1.0]), "b": np.array(0.0)}
    >>> x, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, 0.0])
    >>> value, gradient = npl.value_and_grad(objective)(parameters, x, y)
    >>> float(value), gradient["w"].round(6).tolist(), float(gradient["b"])
    (1.1, [-3.9, -6.1], -2.0)
    """

    cost: Callable[..., Any]
    penalty: Callable[..., Any]

    def __post_init__(self) -> None:
        for name, value in (("cost", self.cost), ("penalty", self.penalty)):
            if not callable(value):
                raise TypeError(f"Objective: {name} is {value!r}; it must be callable.")
        if is_penalty(self.cost) and not is_penalty(self.penalty):
            raise TypeError(
                "Objective: cost is a penalty, and penalty is none; the cost comes first. Did you mean "
                "npl.Objective(penalty, cost), with what you have given the other way round?"
            )

    def __call__(
        self, parameters: Any, *args: Any, log: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Return the cost plus the penalty.

        Parameters
        ----------
        parameters : array_like, or tuple, list or dict
            What both are functions of.
        *args, **kwargs
            The other arguments of the cost.
        log : dict, optional
            Is filled with the value of the cost and of each penalty, as plain arrays, by the same pass.

        Returns
        -------
        scalar
        """
        cost = self.cost(parameters, *args, **kwargs)
        own: dict[str, Any] = {}
        if isinstance(self.penalty, WeightedSum):
            penalty = self.penalty(parameters, log=None if log is None else own)
        else:
            penalty = self.penalty(parameters)
        for name, value in (("cost", cost), ("penalty", penalty)):
            shape = shape_of(value)
            if shape != ():
                raise ValueError(
                    f"Objective: the {name} has shape {shape}; it must be a scalar. Did you mean "
                    'reduction="mean"?'
                )
        both: dict[str, Any] = {}
        values = {"cost": cost, "penalty": penalty}
        total = weighted_and_logged(
            values, dict.fromkeys(values, 1.0), None if log is None else both
        )
        if log is not None:
            log["cost"] = both["cost"]
            log.update(own or {_name(self.penalty): both["penalty"]})
        return total

    def terms(self, parameters: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the values of the cost, as "cost", and of each penalty, by its name, before its weight.

        To get them along with the value or a gradient, without computing them again, call with `log=`.
        """
        log: dict[str, Any] = {}
        self(parameters, *args, log=log, **kwargs)
        return log


def _name(penalty: Callable[..., Any]) -> str:
    return getattr(penalty, "__name__", type(penalty).__name__)
