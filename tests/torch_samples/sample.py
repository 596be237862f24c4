"""One sample, as this suite handles them, and all samples of a loss."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from tests.torch_samples.databases import databases

T = TypeVar("T")

# Modules without samples of their own, but of the function with their constructor's options.
FUNCTIONS_OF_MODULES = {
    "CosineSimilarity": "cosine_similarity",
    "PairwiseDistance": "pairwise_distance",
    "TripletMarginLoss": "triplet_margin_loss",
    "TripletMarginWithDistanceLoss": "triplet_margin_with_distance_loss",
}


@dataclass(frozen=True)
class Sample:
    """A call of a loss: of a function, or of what a constructor makes.

    Parameters
    ----------
    label : str
        What messages say of it.
    values : dict
        The arguments: positional ones by number, others by name.
    constructor : dict
        The arguments of the constructor, likewise.
    reference : callable, optional
        torch's own plain formula of a module, `reference(module, *arguments)`.
    fails_early : bool
        Of a sample that must be refused: whether the constructor has to do it.
    """

    label: str
    values: dict[int | str, Any]
    constructor: dict[int | str, Any] = field(default_factory=dict)
    reference: Callable[..., Any] | None = None
    fails_early: bool = False

    @property
    def moving(self) -> list[int | str]:
        """The tensors that torch's samples take gradients of.

        Weights are none of them: they are constants of NPL's losses.
        """
        return [
            place
            for place, value in self.values.items()
            if isinstance(value, Tensor) and value.requires_grad and place != "weight"
        ]

    def map(self, f: Callable[[Any], Any]) -> Sample:
        """Return the sample with `f` of every argument."""
        return replace(
            self,
            values={k: f(v) for k, v in self.values.items()},
            constructor={k: f(v) for k, v in self.constructor.items()},
        )

    def detached(self) -> Sample:
        """Return the sample with constant tensors, that share nothing with it."""
        return self.map(lambda v: v.detach().clone() if isinstance(v, Tensor) else v)

    def make(self, factory: Callable[..., Any]) -> Any:
        """Return what a class makes of the constructor's arguments."""
        return _call(factory, self.constructor)

    def make_and_call(self, factory: Callable[..., Any]) -> Any:
        """Construct and, unless that has to fail, call what a class makes."""
        made = self.make(factory)
        return None if self.fails_early else self.call(made)

    def call(self, function: Callable[..., Any], moved: dict[int | str, Any] | None = None) -> Any:
        """Call a function with the arguments, some of them replaced."""
        return _call(function, {**self.values, **(moved or {})})


def _call(function: Callable[..., Any], values: dict[int | str, Any]) -> Any:
    args = [values[i] for i in range(sum(isinstance(k, int) for k in values))]
    return function(*args, **{k: v for k, v in values.items() if isinstance(k, str)})


def _values(args: Sequence[Any], kwargs: dict[str, Any]) -> dict[int | str, Any]:
    values = {**dict(enumerate(args)), **kwargs}
    weight = values.get("weight")
    return {**values, "weight": weight.detach()} if isinstance(weight, Tensor) else values


def _describe(value: Any) -> str:
    return f"{tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)


def _label(*parts: dict[int | str, Any]) -> str:
    return "; ".join(", ".join(f"{k}={_describe(v)}" for k, v in part.items()) for part in parts)


def _seed() -> None:
    torch.manual_seed(0)
    random.seed(0)


def samples_of_function(name: str, dtype: torch.dtype) -> list[Sample]:
    """Return torch's samples of a function, of every variant of it."""
    return [Sample(_label(values), values) for values in _op_values(name, dtype)]


def _op_values(name: str, dtype: torch.dtype) -> Iterator[dict[int | str, Any]]:
    _seed()
    for op in databases()[0][name]:
        samples = list(op.sample_inputs("cpu", dtype, requires_grad=True))
        if op.reference_inputs_func is not None:
            samples += op.reference_inputs("cpu", dtype, requires_grad=True)
        for sample in samples:
            yield _values((sample.input, *sample.args), sample.kwargs)


def errors_of_function(name: str) -> list[Sample]:
    """Return calls of a function that torch refuses."""
    _seed()
    found = []
    for op in databases()[0][name]:
        if op.error_inputs_func is not None:
            for error in op.error_inputs("cpu"):
                sample = error.sample_input
                values = _values((sample.input, *sample.args), sample.kwargs)
                found.append(Sample(f"{_label(values)}: {error.error_regex}", values))
    return found


def samples_of_module(name: str, dtype: torch.dtype, training: bool = True) -> list[Sample]:
    """Return torch's samples of a module, or those of its function, or the few that stand here."""
    if name in FUNCTIONS_OF_MODULES:
        return list(_from_function(FUNCTIONS_OF_MODULES[name], dtype))
    if name == "AdaptiveLogSoftmaxWithLoss":
        return list(_adaptive(dtype))
    return list(_from_module(name, dtype, training))


def _from_module(name: str, dtype: torch.dtype, training: bool) -> Iterator[Sample]:
    info = databases()[1][name]
    _seed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training
        )
        for sample in found:
            made = _values(sample.constructor_input.args, sample.constructor_input.kwargs)
            values = _values(sample.forward_input.args, sample.forward_input.kwargs)
            label = f"{name} {sample.desc} {_label(made, values)}"
            yield Sample(label, values, made, sample.reference_fn)


def _from_function(name: str, dtype: torch.dtype) -> Iterator[Sample]:
    for values in _op_values(name, dtype):
        made = {k: v for k, v in values.items() if isinstance(k, str)}
        given = {k: v for k, v in values.items() if isinstance(k, int)}
        yield Sample(_label(made, given), given, made)


def _adaptive(dtype: torch.dtype) -> Iterator[Sample]:
    _seed()
    for shape in [(6, 8), (8,), (1, 8), (0, 8)]:
        for made in (
            {0: 8, 1: 10, 2: [3, 6]},
            {0: 8, 1: 10, 2: [4], "div_value": 2.0, "head_bias": True},
        ):
            values = {
                0: torch.randn(shape, dtype=dtype, requires_grad=True),
                1: torch.randint(10, shape[:-1]),
            }
            made = {**made, "dtype": dtype}
            yield Sample(_label(made, values), values, made)


def errors_of_module(name: str) -> list[Sample]:
    """Return constructions and calls of a module that torch refuses."""
    info = databases()[1].get(name)
    if info is None or info.module_error_inputs_func is None:
        return []
    _seed()
    found = []
    for error in info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=False, training=True
    ):
        sample = error.module_error_input
        made = _values(sample.constructor_input.args, sample.constructor_input.kwargs)
        forward = sample.forward_input
        values = {} if forward is None else _values(forward.args, forward.kwargs)
        found.append(
            Sample(
                f"{name} {_label(made, values)}: {error.error_regex}",
                values,
                made,
                fails_early=error.error_on.name == "CONSTRUCTION_ERROR",
            )
        )
    return found


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return `count` of the items, from everywhere, always the same.

    Drawn, not in regular steps: samples come out of nested loops, whose inner period a step may hit.
    """
    if len(items) <= count:
        return list(items)
    return [items[i] for i in sorted(random.Random(count).sample(range(len(items)), count))]


def noncontiguous(value: Any) -> Any:
    """Return a tensor of the same values with a stride of 2, NaN between them; others as they are."""
    if not isinstance(value, Tensor) or value.numel() < 2:
        return value
    gap = torch.nan if value.is_floating_point() else 0
    wide = value.new_full((*value.shape, 2), gap)
    wide[..., 1] = value.detach()
    return wide[..., 1].requires_grad_(value.requires_grad)
