"""The loss of several tasks with weights that are fixed or scheduled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import arguments
from npl.objectives import tasks
from npl.objectives.values import weighted_and_logged

__all__ = ["MultiTaskLoss"]


@dataclass(frozen=True, eq=False)
class MultiTaskLoss:
    r"""The weighted sum of the losses of several tasks, $\sum_k w_k(t) \, \ell_k(x_k, y_k)$.

    Inputs and targets are dicts with an entry for each task; the gradient with respect to the input has
    the same form. For losses of the same arguments, add them up: see `WeightedSum`. For weights that are
    learned, see `UncertaintyWeightedLoss`.

    Parameters
    ----------
    losses : dict of str to loss
        A loss, or function of input and target, for each task; its value is a scalar.
    weights : dict of str to float or callable, optional
        A number, finite and 0 or above, for each task, or a schedule: a function of the step that
        returns one. A task that has none has weight 1. A task of weight 0 has no part in the value: its
        loss is not computed, unless it is logged.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.MultiTaskLoss(
    ...     {"depth": npl.MSELoss(), "class": npl.CrossEntropyLoss()},
    ...     weights={"depth": lambda step: min(1.0, step / 100)},
    ... )
    >>> input = {"depth": np.array([1.0, 3.0]), "class": np.zeros((1, 2))}
    >>> target = {"depth": np.array([1.0, 1.0]), "class": np.array([0])}
    >>> log = {}
    >>> value, gradient = npl.value_and_grad(loss)(input, target, step=50, log=log)
    >>> {task: round(float(own), 4) for task, own in log.items()}, round(float(value), 4)
    ({'depth': 2.0, 'class': 0.6931}, 1.6931)
    >>> gradient
    {'depth': array([0., 1.]), 'class': array([[-0.5,  0.5]])}
    """

    losses: Mapping[str, Callable[..., Any]]
    weights: Mapping[str, float | Callable[[Any], float]] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "losses", tasks.checked_losses(_NAME, self.losses))
        if self.weights is None:
            return
        if not isinstance(self.weights, Mapping):
            raise TypeError(
                f"{_NAME}: weights is {type(self.weights).__name__}; it must be a dict of weights by task."
            )
        if unknown := [task for task in self.weights if task not in self.losses]:
            raise ValueError(
                f"{_NAME}: weights has the task {unknown[0]!r}; the losses are of {list(self.losses)}."
            )
        for task, weight in self.weights.items():
            if not callable(weight):
                arguments.number(_NAME, f"weights[{task!r}]", weight, _WEIGHT)

    def __call__(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        *,
        step: Any = None,
        sample_weight: Mapping[str, ArrayLike | None] | None = None,
        log: dict[str, Any] | None = None,
    ) -> Any:
        """Return the weighted sum of the tasks' losses.

        Parameters
        ----------
        input, target : dict
            Of each task, what its loss takes.
        step : optional
            What the schedules are called with: the number of the step, or of the epoch.
        sample_weight : dict, optional
            Of some tasks, the weights of their samples: 0 for one that has no label for the task.
        log : dict, optional
            Is filled with the loss of each task, before its weight, as a plain number, by the same pass.

        Returns
        -------
        scalar
            Of the widest dtype of the tasks' losses.
        """
        factors = self.weights_at(step)
        tasks.check_tasks(_NAME, "input", input, self.losses)
        tasks.check_tasks(_NAME, "target", target, self.losses)
        wanted = [task for task, factor in factors.items() if factor or log is not None]
        wanted = wanted or list(self.losses)
        found = tasks.values(
            _NAME,
            {task: self.losses[task] for task in wanted},
            {task: input[task] for task in wanted},
            {task: target[task] for task in wanted},
            _only(sample_weight, wanted, self.losses),
            None,
        )
        return weighted_and_logged(found, factors, log)

    def terms(
        self, input: Mapping[str, Any], target: Mapping[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """Return the loss of each task, before its weight; `log=` gets them along with a gradient."""
        log: dict[str, Any] = {}
        self(input, target, log=log, **kwargs)
        return log

    def weights_at(self, step: Any = None) -> dict[str, float]:
        """Return the weight of each task at a step."""
        result = {}
        for task in self.losses:
            weight: Any = (self.weights or {}).get(task, 1.0)
            if callable(weight):
                if step is None:
                    raise TypeError(
                        f"{_NAME}: weights[{task!r}] is a schedule, which needs the step. Pass step= to "
                        "the call."
                    )
                weight = weight(step)
                arguments.number(_NAME, f"weights[{task!r}] at step {step!r}", weight, _WEIGHT)
            result[task] = float(weight)
        return result


_NAME = "MultiTaskLoss"
_WEIGHT = arguments.Interval(0, np.inf, "[)")


def _only(
    sample_weight: Mapping[str, Any] | None, wanted: list[str], losses: Mapping[str, Any]
) -> dict[str, Any] | None:
    if sample_weight is None:
        return None
    return {t: own for t, own in sample_weight.items() if t in wanted or t not in losses}
