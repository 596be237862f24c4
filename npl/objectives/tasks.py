"""What the losses of several tasks share: one loss, input and target for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from npl.objectives.values import as_log, shape_of


def checked_losses(owner: str, losses: Any) -> dict[str, Callable[..., Any]]:
    """Return the losses by task, if they are."""
    if not isinstance(losses, Mapping):
        raise TypeError(
            f"{owner}: losses is {type(losses).__name__}; it must be a dict of the losses by task, such as "
            '{"depth": npl.L1Loss(), "class": npl.CrossEntropyLoss()}.'
        )
    if not losses:
        raise ValueError(f"{owner}: losses is empty; give a loss for each task.")
    for task, loss in losses.items():
        if not callable(loss):
            raise TypeError(f"{owner}: losses[{task!r}] is {loss!r}; it must be a loss.")
        if getattr(loss, "reduction", None) == "none":
            raise ValueError(
                f"{owner}: losses[{task!r}] has reduction 'none'; it must be reduced. Did you mean "
                'reduction="mean"?'
            )
    return dict(losses)


def check_tasks(owner: str, name: str, given: Any, tasks: Mapping[str, Any]) -> None:
    """Raise unless a mapping has the tasks as its keys."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{owner}: {name} is {type(given).__name__}; it must be a dict with the tasks {list(tasks)} "
            "as keys."
        )
    if set(given) != set(tasks):
        raise ValueError(
            f"{owner}: {name} has the tasks {list(given)}; it must have {list(tasks)}."
        )


def values(
    owner: str,
    losses: Mapping[str, Callable[..., Any]],
    input: Mapping[str, Any],
    target: Mapping[str, Any],
    sample_weight: Mapping[str, ArrayLike | None] | None,
    log: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return each task's loss, a scalar."""
    check_tasks(owner, "input", input, losses)
    check_tasks(owner, "target", target, losses)
    if sample_weight is not None and not set(sample_weight) <= set(losses):
        raise ValueError(
            f"{owner}: sample_weight has the tasks {list(sample_weight)}; the losses are of {list(losses)}."
        )
    result = {}
    for task, loss in losses.items():
        own = (sample_weight or {}).get(task)
        more = {} if own is None else {"sample_weight": own}
        value = loss(input[task], target[task], **more)
        shape = shape_of(value)
        if shape != ():
            raise ValueError(
                f"{owner}: losses[{task!r}] has a value of shape {shape}; it must be a scalar. Did you mean "
                'reduction="mean"?'
            )
        if log is not None:
            log[task] = as_log(value)
        result[task] = value
    return result
