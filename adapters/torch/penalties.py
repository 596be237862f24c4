"""Penalties on the parameters of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch import compiled, functions
from npl.adapters.torch.calls import penalty_call
from npl.adapters.torch.evaluation import computable, is_opaque

Include: TypeAlias = Callable[[str, Tensor], bool]
Parameters: TypeAlias = nn.Module | Tensor | Iterable[Any] | Mapping[str, Any]
Penalty: TypeAlias = npl.L1Penalty | npl.L2Penalty | npl.ElasticNetPenalty


def _evaluate(penalty: Penalty, parameters: Parameters) -> Tensor:
    name = type(penalty).__name__
    tensors = list(_taking_part(penalty, parameters).values())
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"{name}: parameters holds {type(tensor).__name__}; it must hold torch.Tensors. For arrays, "
                f"did you mean npl.{name}?"
            )
        if not tensor.is_floating_point():
            raise TypeError(
                f"{name}: parameters holds a tensor of {tensor.dtype}; it must be of a float dtype."
            )
    widest = tensors[0].dtype
    for tensor in tensors:
        widest = torch.promote_types(widest, tensor.dtype)
    tensors, dtype = computable([tensor.to(widest) for tensor in tensors])
    fields = dataclasses.fields(penalty)
    options = {f.name: getattr(penalty, f.name) for f in fields if f.name != "include"}
    if any(not (tensor.is_cpu or tensor.is_meta) for tensor in tensors):
        value = _where_they_are(tensors, *penalty.strengths)
    elif is_opaque(tensors):
        names = [f"parameter {place}" for place in range(len(tensors))]
        call = compiled.describe(name, names, len(names), options)
        value = compiled.evaluate(call, len(tensors), True, tensors)
    else:
        value = functions.evaluate(penalty_call(type(penalty), len(tensors), **options), tensors)
    return value if dtype is None else value.to(dtype)


def _where_they_are(tensors: list[Tensor], magnitudes: float, squares: float) -> Tensor:
    """Return a penalty by torch's operations.

    A model's parameters are too many to cross from a GPU and back at every step, and the formula is short:
    torch has the same subgradient of a magnitude at 0, and sums in float64 when told.
    """
    total: Tensor | float = 0.0
    for tensor in tensors:
        exact = tensor.dtype if tensor.device.type == "mps" else torch.float64  # which MPS has not
        if magnitudes:
            total = total + (magnitudes * tensor.abs().sum(dtype=exact)).to(tensors[0].device)
        if squares:
            total = total + (squares / 2 * tensor.square().sum(dtype=exact)).to(tensors[0].device)
    if not isinstance(total, Tensor):  # a strength of 0
        return tensors[0].new_zeros(())
    return total.to(tensors[0].dtype)


def _taking_part(penalty: Penalty, parameters: Parameters) -> dict[str, Tensor]:
    found: dict[str, Tensor] = penalty.taking_part(_nest(penalty, parameters))
    return found


def _nest(penalty: Penalty, parameters: Parameters) -> Any:
    """Return parameters by name, or in the form in which they came."""
    if isinstance(parameters, nn.Module):
        parameters = parameters.named_parameters()
    if isinstance(parameters, Iterator):
        listed = list(parameters)
        if not listed:
            name = type(penalty).__name__
            raise ValueError(
                f"{name}: parameters is empty. An iterator, such as model.parameters(), can be gone "
                "through once: pass the model itself."
            )
        parameters = listed
    if isinstance(parameters, list | tuple) and all(map(_is_pair, parameters)):
        return dict(parameters)
    return parameters


def _is_pair(entry: Any) -> bool:
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


class _PenaltyModule(nn.Module):
    """A penalty of NPL, called with a model or its parameters."""

    def __init__(self, penalty: Penalty) -> None:
        super().__init__()
        self.penalty = penalty

    def forward(self, parameters: Parameters) -> Tensor:
        """Return the penalty of `parameters`.

        Parameters
        ----------
        parameters : nn.Module, Tensor or iterable
            A model, of which all parameters are asked; a tensor; tensors, or pairs of a name and a
            tensor, as `model.named_parameters()` gives them; or tuples, lists and dicts of tensors,
            nested in any way.

        Returns
        -------
        Tensor
            A scalar of the widest dtype of the parameters that take part, on the device of the first.
        """
        return _evaluate(self.penalty, parameters)

    def taking_part(self, parameters: Parameters) -> dict[str, Tensor]:
        """Return the parameters that the penalty acts on, by name."""
        return _taking_part(self.penalty, parameters)

    def extra_repr(self) -> str:
        """Return the options."""
        return repr(self.penalty).partition("(")[2][:-1]


class L1Penalty(_PenaltyModule):
    r"""The sum of the magnitudes of a model's parameters, biases left out: $\alpha \sum_i |w_i|$.

    Called with the model, or with its parameters: `criterion(output, target) + penalty(model)`. See
    `npl.L1Penalty` for who takes part, and the derivatives, which autograd has to second order.
    Parameters on another device than the CPU stay there, and the operations are torch's own.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength.
    include : callable, optional
        `include(name, tensor)` says whether a parameter takes part; by default all but biases do.
    """

    def __init__(self, alpha: float = 1.0, *, include: Include | None = None) -> None:
        super().__init__(npl.L1Penalty(alpha, include=include))  # type: ignore[arg-type]


class L2Penalty(_PenaltyModule):
    r"""Half the sum of the squares of a model's parameters, biases left out: $\frac{\alpha}{2} \sum_i w_i^2$.

    Called with the model, or with its parameters: `criterion(output, target) + penalty(model)`. With
    `torch.optim.SGD` it does what `weight_decay=alpha` does for the parameters that take part. See
    `npl.L2Penalty` for who does, and the derivatives, which autograd has to second order. Parameters on
    another device than the CPU stay there, and the operations are torch's own.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength.
    include : callable, optional
        `include(name, tensor)` says whether a parameter takes part; by default all but biases do.
    """

    def __init__(self, alpha: float = 1.0, *, include: Include | None = None) -> None:
        super().__init__(npl.L2Penalty(alpha, include=include))  # type: ignore[arg-type]


class ElasticNetPenalty(_PenaltyModule):
    r"""A mixture of the L1 and the L2 penalty of a model's parameters, biases left out.

    Called with the model, or with its parameters: `criterion(output, target) + penalty(model)`. See
    `npl.ElasticNetPenalty` for the formula, who takes part, and the derivatives, which autograd has to
    second order. Parameters on another device than the CPU stay there, and the operations are torch's own.

    Parameters
    ----------
    alpha : float, default 1.0
        The strength.
    l1_ratio : float, default 0.5
        The share of the magnitudes, from 0 (`L2Penalty`) to 1 (`L1Penalty`).
    include : callable, optional
        `include(name, tensor)` says whether a parameter takes part; by default all but biases do.
    """

    def __init__(
        self, alpha: float = 1.0, l1_ratio: float = 0.5, *, include: Include | None = None
    ) -> None:
        super().__init__(npl.ElasticNetPenalty(alpha, l1_ratio, include=include))  # type: ignore[arg-type]


def l1_penalty(
    parameters: Parameters, alpha: float = 1.0, *, include: Include | None = None
) -> Tensor:
    """Return the sum of the magnitudes of parameters, times `alpha`; see `L1Penalty`."""
    return _evaluate(npl.L1Penalty(alpha, include=include), parameters)  # type: ignore[arg-type]


def l2_penalty(
    parameters: Parameters, alpha: float = 1.0, *, include: Include | None = None
) -> Tensor:
    """Return half the sum of the squares of parameters, times `alpha`; see `L2Penalty`."""
    return _evaluate(npl.L2Penalty(alpha, include=include), parameters)  # type: ignore[arg-type]


def elastic_net_penalty(
    parameters: Parameters,
    alpha: float = 1.0,
    l1_ratio: float = 0.5,
    *,
    include: Include | None = None,
) -> Tensor:
    """Return a mixture of the sums of magnitudes and squares, times `alpha`; see `ElasticNetPenalty`."""
    return _evaluate(npl.ElasticNetPenalty(alpha, l1_ratio, include=include), parameters)  # type: ignore[arg-type]
