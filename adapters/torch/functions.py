"""The autograd Functions of a value and of its first derivatives.

For a function s = f(x) of several operands, with a cotangent c of its value and tangents v, u of its
operands, all derivatives up to the second order are five functions, and the derivatives of each but the
last two in x are others of the five:

    Value             f(x)
    Gradient          c · f'(x)           for each operand
    Derivative        f'(x) v
    Curvature         c · f''(x) v        for each operand
    SecondDerivative  f''(x)[v, u]        (the last two in `curvature.py`)

So reverse and forward mode, over one another and under `torch.vmap`, come from the analytic formulas of NPL.
In the signatures `wrt`, `which`, `first` and `second` are tuples of operands' numbers: those that a result
has an entry for, and those that the given vectors belong to.
"""

# ruff: noqa: D102 (the methods of a Function are torch's protocol)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from npl.adapters.torch.batched import Batched
from npl.adapters.torch.calls import Call
from npl.adapters.torch.curvature import curvature, second_derivative
from npl.adapters.torch.entries import (
    Entries,
    Numbers,
    add,
    given,
    in_front,
    needed,
    save,
    spread,
)
from npl.adapters.torch.host import arrays_of, tensor_of
from npl.adapters.torch.legacy_vmap import apply, is_batched


def evaluate(call: Call, tensors: Sequence[Tensor]) -> Tensor:
    """Return the value of a call on tensors, differentiable with respect to its operands."""
    if torch._C._are_functorch_transforms_active():
        value: Tensor = apply(Value, call, *tensors)
        return value
    wrt: Numbers = ()
    if torch.is_grad_enabled():
        wrt = tuple([i for i in range(call.operands) if tensors[i].requires_grad])
    value = RecordedValue.apply(call, wrt, *tensors)  # type: ignore[no-untyped-call]
    return value


class RecordedValue(Function):
    """A value whose gradient, if it will be wanted, is computed in the same pass.

    The way of plain training, without torch.func: it does without `setup_context`, which has torch inspect
    a signature at every call (20 µs).
    """

    @staticmethod
    def forward(ctx: Any, call: Call, wrt: Numbers, *tensors: Tensor) -> Tensor:
        arrays = arrays_of(tensors)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.call, ctx.wrt = call, wrt
        ctx.gradients = ctx.pullback = None
        if not wrt:
            value = call.value(arrays)
        elif call.is_reduced:
            value, gradients = call.value_and_grad(arrays, wrt)
            ctx.gradients = [tensor_of(g, tensors[i]) for g, i in zip(gradients, wrt, strict=True)]
        else:
            value, pullback = call.vjp(arrays, wrt)
            if call.is_reduced is False or np.ndim(value):
                ctx.pullback = pullback
            else:  # the gradient is all that a scalar's backward needs: nothing else is kept
                own = pullback(np.ones((), value.dtype))
                ctx.gradients = [tensor_of(g, tensors[i]) for g, i in zip(own, wrt, strict=True)]
        return tensor_of(value, tensors[0])

    @staticmethod
    def backward(ctx: Any, c: Tensor | None) -> Any:
        if c is None:
            return (None,) * len(ctx.needs_input_grad)
        wrt = ctx.wrt
        if torch.is_grad_enabled() or _is_transformed(c):
            gradients = apply(Gradient, ctx.call, wrt, c, *ctx.saved_tensors)
        elif ctx.gradients is not None:
            # Handed over once: a second backward computes its own, so that nobody who writes to the
            # gradient of the first one changes that of the second.
            gradients, ctx.gradients = ctx.gradients, None
            if not (c.is_cpu and c.item() == 1):
                for gradient in gradients:
                    gradient.mul_(c)
        else:
            tensors = ctx.saved_tensors  # raises if the graph was freed or a tensor written to
            if ctx.pullback is not None:
                (cotangent,) = arrays_of([c])
                arrays = ctx.pullback(cotangent)
                if not torch._C._autograd._get_current_graph_task_keep_graph():
                    ctx.pullback = None  # and all that it holds, as torch frees its saved tensors
                gradients = [tensor_of(g, tensors[i]) for g, i in zip(arrays, wrt, strict=True)]
            else:
                gradients = _gradients(ctx.call, wrt, c, tensors)
        entries: list[Tensor | None] = [None] * len(ctx.needs_input_grad)
        for i, gradient in zip(wrt, gradients, strict=True):
            entries[2 + i] = gradient
        return tuple(entries)

    @staticmethod
    def jvp(ctx: Any, _call: None, _wrt: None, *tangents: Tensor | None) -> Tensor | None:
        return _push(ctx.call, tangents, ctx.saved_tensors)


class Value(Function):
    """A value, under the transforms of torch.func."""

    @staticmethod
    def forward(call: Call, *tensors: Tensor) -> Tensor:
        return tensor_of(call.value(arrays_of(tensors)), tensors[0])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, *tensors = inputs
        save(ctx, tensors)

    @staticmethod
    def backward(ctx: Any, c: Tensor | None) -> Any:
        wrt = needed(ctx, 1, ctx.call.operands)
        if c is None or not wrt:
            return (None,) * len(ctx.needs_input_grad)
        tensors = ctx.saved_tensors
        gradients = apply(Gradient, ctx.call, wrt, c, *tensors)
        return None, *spread(wrt, gradients, len(tensors))

    @staticmethod
    def jvp(ctx: Any, _call: None, *tangents: Tensor | None) -> Tensor | None:
        return _push(ctx.call, tangents, ctx.saved_tensors)

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, int]:
        size = info.batch_size
        return apply(Value, Batched(call, size), *in_front(size, tensors, in_dims[1:])), 0


class Gradient(Function):
    """The gradients of `sum(c * value)`: one for each operand of `wrt`."""

    @staticmethod
    def forward(call: Call, wrt: Numbers, c: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        return _gradients(call, wrt, c, tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.wrt, *tensors = inputs
        save(ctx, tensors)

    @staticmethod
    def backward(ctx: Any, *u: Tensor | None) -> Any:
        call, (c, *x) = ctx.call, ctx.saved_tensors
        which, vectors = given(ctx.wrt, u)
        if not which:
            return (None,) * len(ctx.needs_input_grad)
        along_c = apply(Derivative, call, which, *vectors, *x) if ctx.needs_input_grad[2] else None
        need = needed(ctx, 3, call.operands)
        return (
            None,
            None,
            along_c,
            *spread(need, curvature(call, need, which, c, vectors, x), len(x)),
        )

    @staticmethod
    def jvp(ctx: Any, _call: None, _wrt: None, dc: Tensor | None, *dx: Tensor | None) -> Any:
        call, wrt, (c, *x) = ctx.call, ctx.wrt, ctx.saved_tensors
        which, vectors = given(range(call.operands), dx)
        changes = curvature(call, wrt, which, c, vectors, x)
        if dc is None:
            return changes
        pulled = apply(Gradient, call, wrt, dc, *x)
        return tuple(add(a, b) for a, b in zip(changes, pulled, strict=True))

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Call, wrt: Numbers, *tensors: Tensor) -> Any:
        size = info.batch_size
        x = in_front(size, tensors, in_dims[2:])
        return apply(Gradient, Batched(call, size), wrt, *x), (0,) * len(wrt)


class Derivative(Function):
    """The derivative of the value along tangents of the operands `which`."""

    @staticmethod
    def forward(call: Call, which: Numbers, *tensors: Tensor) -> Tensor:
        arrays, n = arrays_of(tensors), len(which)
        return tensor_of(call.jvp(arrays[n:], which, arrays[:n]), tensors[n])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.which, *tensors = inputs
        save(ctx, tensors)

    @staticmethod
    def backward(ctx: Any, c: Tensor | None) -> Any:
        if c is None:
            return (None,) * len(ctx.needs_input_grad)
        call, which, n = ctx.call, ctx.which, len(ctx.which)
        v, x = ctx.saved_tensors[:n], ctx.saved_tensors[n:]
        wrt = tuple(which[k] for k in needed(ctx, 2, n))
        along_v = apply(Gradient, call, wrt, c, *x) if wrt else ()
        need = needed(ctx, 2 + n, call.operands)
        along_x = curvature(call, need, which, c, v, x)
        places = tuple(which.index(i) for i in wrt)
        return None, None, *spread(places, along_v, n), *spread(need, along_x, len(x))

    @staticmethod
    def jvp(ctx: Any, _call: None, _which: None, *tangents: Tensor | None) -> Tensor | None:
        call, which, n = ctx.call, ctx.which, len(ctx.which)
        v, x = ctx.saved_tensors[:n], ctx.saved_tensors[n:]
        own, dv = given(which, tangents[:n])
        change = apply(Derivative, call, own, *dv, *x) if own else None
        others, dx = given(range(call.operands), tangents[n:])
        return add(change, second_derivative(call, which, others, v, dx, x))

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Call, which: Numbers, *tensors: Tensor) -> Any:
        size = info.batch_size
        x = in_front(size, tensors, in_dims[2:])
        return apply(Derivative, Batched(call, size), which, *x), 0


def _is_transformed(c: Tensor) -> bool:
    """Whether torch.func, a vmap or forward mode may be looking: then what is computed is recorded."""
    return (
        torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or is_batched(c)
    )


def _gradients(
    call: Call, wrt: Numbers, c: Tensor, tensors: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    cotangent, *arrays = arrays_of([c, *tensors])
    _, pullback = call.vjp(arrays, wrt)
    return tuple(tensor_of(g, tensors[i]) for g, i in zip(pullback(cotangent), wrt, strict=True))


def _push(call: Call, tangents: Entries, x: Sequence[Tensor]) -> Tensor | None:
    which, v = given(range(call.operands), tangents)
    return apply(Derivative, call, which, *v, *x) if which else None
