"""Losses as custom operators, for torch.compile and for tensors without data.

Dynamo would trace NumPy calls into torch's operators, and so replace NPL's kernels without a word. A
custom operator is opaque to it. All that one gets besides tensors is a description of the call, a literal
that says everything: a compiled graph can be cached on disk and loaded by another process.

First derivatives only: second ones, and the transforms of torch.func, are for outside of torch.compile.
"""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

import npl
from npl.adapters.torch.calls import Call, FunctionCall, LossCall, loss_call, penalty_call
from npl.adapters.torch.host import arrays_of, tensor_of
from npl.adapters.torch.structure import Form, from_literal, literal, put_together, take_apart


class Registered:
    """Something callable that a description can name, for as long as this object lives."""

    def __init__(self, f: Any) -> None:
        self.f = f
        self.name = f"registered:{uuid.uuid4()}"
        _REGISTRY[self.name] = self


_REGISTRY: WeakValueDictionary[str, Registered] = WeakValueDictionary()


def describe(f: str, names: Sequence[str], operands: int, options: Mapping[str, Any]) -> str:
    """Return a literal that `_call` makes a call of a loss of."""
    pairs = "".join([f"{name!r}: {_literal(f, value)!r}, " for name, value in options.items()])
    own = "".join([f"{name!r}, " for name in names])
    return f"({f!r}, ({own}), {operands!r}, {{{pairs}}})"


def describe_function(
    f: str, name: str, names: Sequence[str], operands: int, form: Form, places: Sequence[int]
) -> str:
    """Return a literal that `_call` makes a `FunctionCall` of."""
    own = "".join([f"{name!r}, " for name in names])
    at = "".join([f"{place!r}, " for place in places])
    return f"({f!r}, ({own}), {operands!r}, {literal(form, _refusal(name))!r}, ({at}))"


def _literal(name: str, value: object) -> Form:
    return literal(take_apart(value, []), _refusal(name))


def _refusal(name: str) -> Callable[[str], Exception]:
    def refuse(kind: str) -> Exception:
        return TypeError(
            f"{name}: under torch.compile an argument can be a tensor, an array, a number, a string or a "
            f"tuple, list or dict of them, but one is {kind}. Give it outside, as functools.partial does, or "
            "wrap the module in torch.compiler.disable."
        )

    return refuse


@lru_cache(maxsize=1024)
def _call(description: str) -> Call:
    f, names, operands, *rest = ast.literal_eval(description)
    if not f.startswith("registered:"):
        options = {name: put_together(from_literal(form), ()) for name, form in rest[0].items()}
        named = getattr(npl, f)
        if issubclass(named, npl.Loss):
            return loss_call(named, names, operands, **options)
        return penalty_call(named, operands, **options)
    registered = _REGISTRY.get(f)
    if registered is None:
        raise RuntimeError(
            "from_npl: the module that this graph was compiled for no longer exists."
        )
    if isinstance(registered.f, npl.Loss):
        return LossCall(registered.f, names, operands, are_options=False)
    form, places = rest
    return FunctionCall(registered.f, names, operands, from_literal(form), places)


def evaluate(call: str, operands: int, is_reduced: bool, tensors: Sequence[Tensor]) -> Tensor:
    """Return the value of the call that `describe` has described."""
    wrt = []
    if torch.is_grad_enabled():
        wrt = [i for i, tensor in enumerate(tensors[:operands]) if tensor.requires_grad]
    if wrt and is_reduced:
        together: list[Tensor] = torch.ops.npl.value_and_grad(call, tensors, wrt)
        return together[0]
    value: Tensor = torch.ops.npl.value(call, tensors)
    return value


# ---------------------------------------------------------------------- the operators


@torch.library.custom_op(
    "npl::value", mutates_args=(), schema="(str call, Tensor[] tensors) -> Tensor"
)
def _value_op(call: str, tensors: Sequence[Tensor]) -> Tensor:
    own = _call(call)
    value = own.value(arrays_of(tensors))
    if isinstance(own, FunctionCall):
        own.check_scalar(value)
    return tensor_of(value, tensors[0])


@torch.library.custom_op(
    "npl::value_and_grad",
    mutates_args=(),
    schema="(str call, Tensor[] tensors, int[] wrt) -> Tensor[]",
)
def _value_and_grad(call: str, tensors: Sequence[Tensor], wrt: Sequence[int]) -> list[Tensor]:
    value, gradients = _call(call).value_and_grad(arrays_of(tensors), tuple(wrt))
    results = [tensor_of(g, tensors[i]) for g, i in zip(gradients, wrt, strict=True)]
    return [tensor_of(value, tensors[0]), *results]


@torch.library.custom_op(
    "npl::gradient",
    mutates_args=(),
    schema="(str call, Tensor cotangent, Tensor[] tensors, int[] wrt) -> Tensor[]",
)
def _gradient(
    call: str, cotangent: Tensor, tensors: Sequence[Tensor], wrt: Sequence[int]
) -> list[Tensor]:
    c, *arrays = arrays_of([cotangent, *tensors])
    _, pullback = _call(call).vjp(arrays, tuple(wrt))
    return [tensor_of(g, tensors[i]) for g, i in zip(pullback(c), wrt, strict=True)]


@_value_op.register_fake
def _(call: str, tensors: Sequence[Tensor]) -> Tensor:
    own = _call(call)
    shape: Sequence[int] = ()
    if not own.is_reduced and isinstance(own, LossCall):
        shape = own.loss.losses_shape(*(tuple(t.shape) for t in tensors[: own.operands]))
    # A function of integers alone, such as a metric, returns what NumPy would.
    dtype = torch.float64 if isinstance(own, FunctionCall) and not own.operands else None
    return tensors[0].new_empty(shape, dtype=dtype)


@_value_and_grad.register_fake
def _(call: str, tensors: Sequence[Tensor], wrt: Sequence[int]) -> list[Tensor]:
    return [tensors[0].new_empty(()), *(tensors[i].new_empty(tensors[i].shape) for i in wrt)]


@_gradient.register_fake
def _(call: str, cotangent: Tensor, tensors: Sequence[Tensor], wrt: Sequence[int]) -> list[Tensor]:
    return [tensors[i].new_empty(tensors[i].shape) for i in wrt]


# ---------------------------------------------------------------------- and their derivatives


def _save_inputs(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.call, tensors = inputs
    ctx.save_for_backward(*tensors)


def _value_backward(ctx: Any, c: Tensor) -> Any:
    tensors = ctx.saved_tensors
    operands = _call(ctx.call).operands
    wrt = [i for i, need in enumerate(ctx.needs_input_grad[1][:operands]) if need]
    gradients = torch.ops.npl.gradient(ctx.call, c, tensors, wrt)
    return None, _in_places(gradients, wrt, len(tensors))


def _save_gradients(ctx: Any, inputs: Any, output: Any) -> None:
    _, tensors, ctx.wrt = inputs
    ctx.count = len(tensors)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*output[1:])


def _value_and_grad_backward(ctx: Any, grads: Sequence[Tensor | None]) -> Any:
    c, *of_gradients = grads
    if any(one is not None for one in of_gradients):
        raise RuntimeError(
            "NPL: second derivatives are not available inside torch.compile. Call the loss outside of it."
        )
    if c is None:
        return None, [None] * ctx.count, None
    return None, _in_places([g * c for g in ctx.saved_tensors], ctx.wrt, ctx.count), None


def _in_places(gradients: Sequence[Tensor], wrt: Sequence[int], count: int) -> list[Tensor | None]:
    entries: list[Tensor | None] = [None] * count
    for i, gradient in zip(wrt, gradients, strict=True):
        entries[i] = gradient
    return entries


_value_op.register_autograd(_value_backward, setup_context=_save_inputs)
_value_and_grad.register_autograd(_value_and_grad_backward, setup_context=_save_gradients)
