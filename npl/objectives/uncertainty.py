"""The loss of several tasks with weights that are learned: homoscedastic uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import arguments
from npl.objectives import tasks

__all__ = ["UncertaintyWeightedLoss"]

Kind = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class UncertaintyWeightedLoss:
    r"""The losses of several tasks, weighed by what noise each is learned to have.

    With $s_k = \log \sigma_k^2$, the logarithm of the variance of task $k$ [1]_,

    $$\sum_k f_k \, e^{-s_k} \, \ell_k(x_k, y_k) + \tfrac{1}{2} s_k, \qquad
    f_k = \begin{cases} 1/2 & \text{regression} \\ 1 & \text{classification} \end{cases}$$

    which is $\frac{1}{2 \sigma^2} \ell + \log \sigma$ for the squared error of a regression, and
    $\frac{1}{\sigma^2} \ell + \log \sigma$ for a cross entropy. The logarithms are an argument, to be
    learned with the other parameters: start them at 0.

    Parameters
    ----------
    losses : dict of str to loss
        A loss, or function of input and target, for each task; its value is a scalar.
    kinds : dict of str to {"regression", "classification"}, optional
        Which of the two forms a task has; "classification" where it says nothing.

    Notes
    -----
    **Derivatives.** $\frac{\partial}{\partial s_k} = \frac{1}{2} - f_k e^{-s_k} \ell_k$, so the minimum
    for given losses is at $\sigma_k^2 = 2 f_k \ell_k$; $\frac{\partial}{\partial x_k} = f_k e^{-s_k}
    \frac{\partial \ell_k}{\partial x_k}$. The tape takes the second derivatives from there.

    **Limits.** A loss of 0, or below (a likelihood), has no minimum in $s_k$: it falls without end.

    References
    ----------
    .. [1] A. Kendall, Y. Gal, R. Cipolla, "Multi-task learning using uncertainty to weigh losses for scene
       geometry and semantics", CVPR, 2018, equations 5 to 10.

    Examples
    --------
    >>> import numpy as np, npl
    >>> losses = {"depth": npl.MSELoss(), "class": npl.CrossEntropyLoss()}
    >>> loss = npl.UncertaintyWeightedLoss(losses, kinds={"depth": "regression"})
    >>> input = {"depth": np.array([1.0, 3.0]), "class": np.zeros((1, 2))}
    >>> target = {"depth": np.array([1.0, 1.0]), "class": np.array([0])}
    >>> s = {"depth": np.array(0.0), "class": np.array(0.0)}
    >>> of_input, of_s = npl.grad(loss, argnums=(0, 2))(input, target, s)
    >>> of_input["depth"].tolist(), float(of_s["depth"]), round(float(of_s["class"]), 4)
    ([0.0, 1.0], -0.5, -0.1931)
    """

    losses: Mapping[str, Callable[..., Any]]
    kinds: Mapping[str, Kind] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "losses", tasks.checked_losses(_NAME, self.losses))
        if self.kinds is None:
            return
        if not isinstance(self.kinds, Mapping):
            raise TypeError(
                f"{_NAME}: kinds is {type(self.kinds).__name__}; it must be a dict of kinds by task."
            )
        if unknown := [task for task in self.kinds if task not in self.losses]:
            raise ValueError(
                f"{_NAME}: kinds has the task {unknown[0]!r}; the losses are of {list(self.losses)}."
            )
        for task, kind in self.kinds.items():
            arguments.choice(_NAME, f"kinds[{task!r}]", kind, tuple(FACTORS))

    def __call__(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        log_variance: Mapping[str, Any] | ArrayLike,
        *,
        sample_weight: Mapping[str, ArrayLike | None] | None = None,
        log: dict[str, Any] | None = None,
    ) -> Any:
        """Return the sum of the tasks' losses, weighed by `log_variance`.

        Parameters
        ----------
        input, target : dict
            Of each task, what its loss takes.
        log_variance : dict or array_like
            Of each task a scalar, or all in one array in the order of `losses`.
        sample_weight : dict, optional
            Of some tasks, the weights of their samples.
        log : dict, optional
            Is filled with the loss of each task, before its weight, as a plain number, by the same pass.

        Returns
        -------
        scalar
        """
        logs = self._by_task(log_variance)
        found = tasks.values(_NAME, self.losses, input, target, sample_weight, log)
        total: Any = 0.0
        for task, loss in found.items():
            total = total + self._factor(task) * (np.exp(-logs[task]) * loss) + 0.5 * logs[task]
        return total

    def terms(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        log_variance: Mapping[str, Any] | ArrayLike,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return the loss of each task, before its weight; `log=` gets them along with a gradient."""
        log: dict[str, Any] = {}
        self(input, target, log_variance, log=log, **kwargs)
        return log

    def weights_at(self, log_variance: Mapping[str, Any] | ArrayLike) -> dict[str, float]:
        r"""Return what each task's loss is multiplied by: $f_k e^{-s_k}$."""
        logs = self._by_task(log_variance)
        return {task: self._factor(task) * float(np.exp(-logs[task])) for task in self.losses}

    def _factor(self, task: str) -> float:
        return FACTORS[(self.kinds or {}).get(task, "classification")]

    def _by_task(self, log_variance: Any) -> dict[str, Any]:
        if isinstance(log_variance, Mapping):
            tasks.check_tasks(_NAME, "log_variance", log_variance, self.losses)
            logs = {task: _number(log_variance[task]) for task in self.losses}
        else:
            log_variance = _number(log_variance)
            count = len(self.losses)
            if np.shape(log_variance) != (count,):
                raise ValueError(
                    f"{_NAME}: log_variance has shape {np.shape(log_variance)}; for the tasks "
                    f"{list(self.losses)} it must be ({count},), or a dict of scalars."
                )
            logs = {task: log_variance[place] for place, task in enumerate(self.losses)}
        for task, own in logs.items():
            if np.shape(own) != ():
                raise ValueError(
                    f"{_NAME}: log_variance[{task!r}] has shape {np.shape(own)}; it must be a scalar. Did "
                    f"you mean log_variance[{task!r}].reshape(())?"
                )
        return logs


def _number(value: Any) -> Any:
    """Return Python's numbers, and lists of them, as arrays; anything else as it is."""
    return np.asarray(value, np.float64)[()] if isinstance(value, int | float | list) else value


FACTORS: dict[str, float] = {"classification": 1.0, "regression": 0.5}
_NAME = "UncertaintyWeightedLoss"
