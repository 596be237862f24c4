"""The autograd Functions of second derivatives, where differentiation ends.

See `functions.py` for the whole of which these are a part.
"""

# ruff: noqa: D102 (the methods of a Function are torch's protocol)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from torch import Tensor
from torch.autograd import Function

from npl.adapters.torch.batched import Batched
from npl.adapters.torch.calls import Call
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
from npl.adapters.torch.legacy_vmap import apply


def curvature(
    call: Call, wrt: Numbers, which: Numbers, c: Tensor, v: Sequence[Tensor], x: Sequence[Tensor]
) -> Entries:
    """Return `Curvature`, None where there is nothing to differentiate along."""
    if not (wrt and which):
        return (None,) * len(wrt)
    products: Entries = apply(Curvature, call, wrt, which, c, *v, *_behind_barrier(call, x))
    return products


def second_derivative(
    call: Call,
    first: Numbers,
    second: Numbers,
    v: Sequence[Tensor],
    u: Sequence[Tensor],
    x: Sequence[Tensor],
) -> Tensor | None:
    """Return `SecondDerivative`, None where there is nothing to differentiate along."""
    if not (first and second):
        return None
    change: Tensor = apply(SecondDerivative, call, first, second, *v, *u, *_behind_barrier(call, x))
    return change


class Curvature(Function):
    """The Hessian of `sum(c * value)` times vectors of the operands `which`: a product for each of `wrt`.

    Linear in `c` and in the vectors, so that its derivatives along them are known; in x it has none,
    and x comes through `Barrier`, which says so if it is asked.
    """

    @staticmethod
    def forward(call: Call, wrt: Numbers, which: Numbers, c: Tensor, *tensors: Tensor) -> Any:
        n = len(which)
        cotangent, *arrays = arrays_of([c, *tensors])
        products = call.hvp(arrays[n:], cotangent, which, arrays[:n], wrt)
        return tuple(tensor_of(p, tensors[n + i]) for p, i in zip(products, wrt, strict=True))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.wrt, ctx.which, *tensors = inputs
        save(ctx, tensors)

    @staticmethod
    def backward(ctx: Any, *u: Tensor | None) -> Any:
        call, which, n = ctx.call, ctx.which, len(ctx.which)
        c, v, x = ctx.saved_tensors[0], ctx.saved_tensors[1 : 1 + n], ctx.saved_tensors[1 + n :]
        first, vectors = given(ctx.wrt, u)
        if not first:
            return (None,) * len(ctx.needs_input_grad)
        along_c = None
        if ctx.needs_input_grad[3]:
            along_c = apply(SecondDerivative, call, which, first, *v, *vectors, *x)
        places = needed(ctx, 4, n)
        wrt = tuple(which[k] for k in places)
        along_v = apply(Curvature, call, wrt, first, c, *vectors, *x) if wrt else ()  # symmetric
        return None, None, None, along_c, *spread(places, along_v, n), *_stop(ctx, 4 + n, x)

    @staticmethod
    def jvp(ctx: Any, _call: None, _wrt: None, _which: None, dc: Any, *tangents: Any) -> Any:
        call, wrt, which, n = ctx.call, ctx.wrt, ctx.which, len(ctx.which)
        c, v, x = ctx.saved_tensors[0], ctx.saved_tensors[1 : 1 + n], ctx.saved_tensors[1 + n :]
        changes: Entries = (None,) * len(wrt)
        if dc is not None:
            changes = apply(Curvature, call, wrt, which, dc, *v, *x)
        own, dv = given(which, tangents[:n])
        if own:
            along_v = apply(Curvature, call, wrt, own, c, *dv, *x)
            changes = [add(a, b) for a, b in zip(changes, along_v, strict=True)]
        return tuple(changes)

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, call: Call, wrt: Numbers, which: Numbers, *tensors: Tensor
    ) -> Any:
        size = info.batch_size
        x = in_front(size, tensors, in_dims[3:])
        return apply(Curvature, Batched(call, size), wrt, which, *x), (0,) * len(wrt)


class SecondDerivative(Function):
    """The second derivative of the value along vectors of the operands `first` and `second`."""

    @staticmethod
    def forward(call: Call, first: Numbers, second: Numbers, *tensors: Tensor) -> Tensor:
        arrays, n, m = arrays_of(tensors), len(first), len(first) + len(second)
        change = call.second(arrays[m:], first, arrays[:n], second, arrays[n:m])
        return tensor_of(change, tensors[m])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call, ctx.first, ctx.second, *tensors = inputs
        save(ctx, tensors)

    @staticmethod
    def backward(ctx: Any, c: Tensor | None) -> Any:
        if c is None:
            return (None,) * len(ctx.needs_input_grad)
        call, first, second = ctx.call, ctx.first, ctx.second
        n, m = len(first), len(first) + len(second)
        saved = ctx.saved_tensors
        v, u, x = saved[:n], saved[n:m], saved[m:]
        of_v, of_u = needed(ctx, 3, n), needed(ctx, 3 + n, m - n)
        wrt_v, wrt_u = tuple(first[k] for k in of_v), tuple(second[k] for k in of_u)
        along_v = apply(Curvature, call, wrt_v, second, c, *u, *x) if wrt_v else ()
        along_u = apply(Curvature, call, wrt_u, first, c, *v, *x) if wrt_u else ()
        entries = (*spread(of_v, along_v, n), *spread(of_u, along_u, m - n))
        return None, None, None, *entries, *_stop(ctx, 3 + m, x)

    @staticmethod
    def jvp(ctx: Any, _call: None, _first: None, _second: None, *tangents: Any) -> Any:
        call, first, second = ctx.call, ctx.first, ctx.second
        n, m = len(first), len(first) + len(second)
        saved = ctx.saved_tensors
        v, u, x = saved[:n], saved[n:m], saved[m:]
        own, dv = given(first, tangents[:n])
        others, du = given(second, tangents[n:m])
        along_v = apply(SecondDerivative, call, own, second, *dv, *u, *x) if own else None
        along_u = apply(SecondDerivative, call, first, others, *v, *du, *x) if others else None
        return add(along_v, along_u)

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, call: Call, first: Numbers, second: Numbers, *tensors: Tensor
    ) -> Any:
        size = info.batch_size
        x = in_front(size, tensors, in_dims[3:])
        return apply(SecondDerivative, Batched(call, size), first, second, *x), 0


class Barrier(Function):
    """An operand on its way into a second derivative; a derivative that comes this way is a third one.

    A Function's `backward` cannot tell which of its inputs' gradients will be used, so it cannot raise for
    one of them. Its edge in the graph can: autograd visits it only if the gradient is asked for.
    """

    @staticmethod
    def forward(call: Call, tensor: Tensor) -> Tensor:
        return tensor.view_as(tensor)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.call = inputs[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> NoReturn:
        raise _third_order(ctx.call)

    @staticmethod
    def jvp(ctx: Any, _call: None, tangent: Tensor) -> NoReturn:
        raise _third_order(ctx.call)

    @staticmethod
    def vmap(info: Any, in_dims: Any, call: Call, tensor: Tensor) -> tuple[Tensor, int]:
        return apply(Barrier, call, tensor), in_dims[1]


def _third_order(call: Call) -> RuntimeError:
    return RuntimeError(
        f"{call.name}: NPL has derivatives up to second order, and a third one was asked for."
    )


def _behind_barrier(call: Call, x: Sequence[Tensor]) -> list[Tensor]:
    return [
        apply(Barrier, call, one) if i < call.operands and one.is_floating_point() else one
        for i, one in enumerate(x)
    ]


def _stop(ctx: Any, start: int, x: Sequence[Tensor]) -> list[Tensor | None]:
    """Return what a second derivative sends towards x: anything at all, `Barrier` stops it."""
    needed = ctx.needs_input_grad[start:]
    return [
        one.new_zeros(()).expand(one.shape) if need else None
        for one, need in zip(x, needed, strict=True)
    ]
