"""The losses of several tasks, as modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch.bridge import from_npl

Loss: TypeAlias = nn.Module | npl.Loss | Callable[..., Tensor]


class _Tasks(nn.Module):
    """A loss for each task; those that are modules move and are saved with this one."""

    def __init__(self, losses: Mapping[str, Loss]) -> None:
        super().__init__()
        own = {
            task: from_npl(loss) if isinstance(loss, npl.Loss) else loss
            for task, loss in losses.items()
        }
        self.tasks = tuple(own)
        self.losses = nn.ModuleDict({t: m for t, m in own.items() if isinstance(m, nn.Module)})
        self._functions = {t: f for t, f in own.items() if not isinstance(f, nn.Module)}

    def _values(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        sample_weight: Mapping[str, Any] | None,
        log: dict[str, Tensor] | None,
        leave_out: tuple[str, ...] = (),
    ) -> dict[str, Tensor]:
        """Return each task's loss, a scalar."""
        name = type(self).__name__
        self._check(name, "input", input)
        self._check(name, "target", target)
        weights = sample_weight or {}
        if not set(weights) <= set(self.tasks):
            raise ValueError(
                f"{name}: sample_weight has the tasks {list(weights)}; the losses are of {list(self.tasks)}."
            )
        result: dict[str, Tensor] = {}
        for task in self.tasks:
            if task in leave_out:
                continue
            loss = self.losses[task] if task in self.losses else self._functions[task]
            own = weights.get(task)
            more = {} if own is None else {"sample_weight": own}
            value = loss(input[task], target[task], **more)
            if value.shape != ():
                raise ValueError(
                    f"{name}: losses[{task!r}] has a value of shape {tuple(value.shape)}; it must be a "
                    'scalar. Did you mean reduction="mean"?'
                )
            if log is not None:
                log[task] = value.detach()
            result[task] = value
        return result

    def _check(self, name: str, argument: str, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name}: {argument} is {type(given).__name__}; it must be a dict with the tasks "
                f"{list(self.tasks)} as keys."
            )
        if set(given) != set(self.tasks):
            raise ValueError(
                f"{name}: {argument} has the tasks {list(given)}; it must have {list(self.tasks)}."
            )


class MultiTaskLoss(_Tasks):
    r"""The weighted sum of the losses of several tasks, $\sum_k w_k(t) \, \ell_k(x_k, y_k)$.

    See `npl.MultiTaskLoss`. Inputs and targets are dicts with an entry for each task.

    Parameters
    ----------
    losses : dict of str to nn.Module, npl.Loss or callable
        The loss of each task; its value is a scalar.
    weights : dict of str to float or callable, optional
        A number for each task, or a function of the step that returns one; 1 for a task that has none.
    """

    def __init__(
        self,
        losses: Mapping[str, Loss],
        weights: Mapping[str, float | Callable[[Any], float]] | None = None,
    ) -> None:
        checked = npl.MultiTaskLoss(losses, weights)
        super().__init__(losses)
        self._weights = checked

    def forward(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        *,
        step: Any = None,
        sample_weight: Mapping[str, Any] | None = None,
        log: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the weighted sum; `log` is filled with each task's loss, before its weight, detached."""
        factors = self._weights.weights_at(step)
        unused = () if log is not None else tuple(t for t, factor in factors.items() if not factor)
        if len(unused) == len(factors):
            unused = unused[1:]  # a value needs a loss
        found = self._values(input, target, sample_weight, log, unused)
        part = [task for task in found if factors[task]] or list(found)
        return _sum([factors[task] * found[task] for task in part])

    def extra_repr(self) -> str:
        """Return the weights."""
        return f"weights={self._weights.weights!r}"


class UncertaintyWeightedLoss(_Tasks):
    r"""The losses of several tasks, weighed by what noise each is learned to have.

    See `npl.UncertaintyWeightedLoss` for the formula. The logarithms of the variances are parameters of
    the module, `log_variance`, 0 at the start: give them to the optimiser with the model's.

    Parameters
    ----------
    losses : dict of str to nn.Module, npl.Loss or callable
        The loss of each task; its value is a scalar.
    kinds : dict of str to {"regression", "classification"}, optional
        Which of the two forms a task has; "classification" where it says nothing.

    Attributes
    ----------
    log_variance : nn.ParameterDict
        A scalar for each task.
    """

    def __init__(
        self,
        losses: Mapping[str, Loss],
        kinds: Mapping[str, Literal["classification", "regression"]] | None = None,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        own = npl.UncertaintyWeightedLoss(losses, kinds)
        super().__init__(losses)
        # At a variance of 1 nothing is left of a weight but the factor of its form.
        self._factors = own.weights_at(dict.fromkeys(losses, 0.0))
        self.log_variance = nn.ParameterDict()
        for task in losses:  # one by one: of a dict it would sort them
            self.log_variance[task] = nn.Parameter(torch.zeros((), device=device, dtype=dtype))

    def forward(
        self,
        input: Mapping[str, Any],
        target: Mapping[str, Any],
        *,
        sample_weight: Mapping[str, Any] | None = None,
        log: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """Return the sum; `log` is filled with each task's loss, before its weight, detached."""
        found = self._values(input, target, sample_weight, log)
        logs = self.log_variance
        return _sum(
            [
                self._factors[task] * (torch.exp(-logs[task]) * loss) + 0.5 * logs[task]
                for task, loss in found.items()
            ]
        )

    def weights(self) -> dict[str, float]:
        """Return what each task's loss is multiplied by now."""
        return {
            task: factor * float(torch.exp(-self.log_variance[task].detach()))
            for task, factor in self._factors.items()
        }


def _sum(terms: list[Tensor]) -> Tensor:
    total, *rest = terms
    for term in rest:
        total = total + term
    return total
