"""How a loss is evaluated on tensors: dtypes, autocast, and eager or compiled."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import npl
from npl.adapters.torch import compiled, functions
from npl.adapters.torch.calls import loss_call

# NumPy has no bfloat16, and NPL computes float16 in float32 anyway.
_HALVES = (torch.float16, torch.bfloat16)


def evaluate(
    loss: type[npl.Loss],
    operands: Mapping[str, Tensor | None],
    held: Mapping[str, Any],
    **options: Any,
) -> Tensor:
    """Return the value of a loss on tensors, differentiable with respect to its operands.

    Parameters
    ----------
    loss : type of npl.Loss
    operands : mapping of str to Tensor or None
        Those of its arguments that have derivatives, in the order of its call, by NPL's names; after them
        options of its class that have derivatives, such as `pos_weight`. None: not given.
    held : mapping of str to Tensor, array_like or None
        Arguments and options that are arrays or numbers without a derivative.
    **options
        Options of its class that are no arrays.
    """
    tensors: list[Tensor] = []
    names: list[str] = []
    for name, tensor in operands.items():
        if tensor is not None:
            if not isinstance(tensor, Tensor):
                raise _not_a_tensor(loss.__name__, name, tensor)
            tensors.append(tensor)
            names.append(name)
    count = len(names)
    for name, value in held.items():
        if value is not None:
            tensors.append(constant(loss.__name__, name, value))
            names.append(name)
    tensors, dtype = computable(tensors)
    if is_opaque(tensors):
        if tensors[0].is_meta:  # a number goes along with tensors anywhere, as in torch
            tensors = [t.to("meta") if t.ndim == 0 and t.is_cpu else t for t in tensors]
        _check_devices(loss.__name__, names, tensors)
        call = compiled.describe(loss.__name__, names, count, options)
        value = compiled.evaluate(call, count, options.get("reduction", "none") != "none", tensors)
    else:
        value = functions.evaluate(loss_call(loss, tuple(names), count, **options), tensors)
    return value if dtype is None else value.to(dtype)


def _check_devices(loss: str, names: Sequence[str], tensors: Sequence[Tensor]) -> None:
    """Raise if some tensors have no data (meta) and others have: there is nothing to compute with."""
    meta = [
        name for name, tensor in zip(names, tensors, strict=True) if tensor.device.type == "meta"
    ]
    if meta and len(meta) < len(names):
        places = ", ".join(f"{n} on {t.device}" for n, t in zip(names, tensors, strict=True))
        raise RuntimeError(
            f"{loss}: {' and '.join(meta)} on the meta device, which holds no data, beside others that "
            f"have it ({places}). Move all of them to one device."
        )


def constant(loss: str, name: str, value: Any) -> Tensor:
    """Return an argument without a derivative as a tensor."""
    if isinstance(value, float | int):
        return torch.tensor(value, dtype=torch.float64)
    if not isinstance(value, Tensor):
        tensor = torch.as_tensor(value)
        # Python's numbers have the digits of float64, whatever torch makes of them by default.
        is_python = isinstance(value, list | tuple) and tensor.is_floating_point()
        return torch.as_tensor(value, dtype=torch.float64) if is_python else tensor
    if value.requires_grad and torch.is_grad_enabled():
        raise RuntimeError(
            f"{loss}: {name} requires a gradient, but the loss has no derivative with respect to it. "
            f"Did you mean {name}.detach()?"
        )
    if name == "normalizer" and value.numel() == 1:  # counts are often summed over ranks as (1,)
        return value.reshape(())
    return value


def computable(tensors: Sequence[Tensor]) -> tuple[list[Tensor], torch.dtype | None]:
    """Return tensors with half precision widened to float32, and what the value is then cast to.

    Both casts happen on the tensors' device and are autograd's, so gradients come back in the caller's
    dtype; between them they are scaled in float32, where those of a float16 mean do not underflow. Under
    autocast the value stays in float32, as torch's own losses return it there.
    """
    dtype = None
    first = tensors[0]
    if first.dtype in _HALVES and not _is_autocast(first.device.type):
        dtype = first.dtype
    return [t.float() if t.dtype in _HALVES else t for t in tensors], dtype


def _is_autocast(device: str) -> bool:
    # torch raises for a device without autocast, such as meta.
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def is_opaque(tensors: Sequence[Tensor]) -> bool:
    """Whether there is no data to compute with: Dynamo traces, or tensors are meta or fake."""
    if torch.compiler.is_compiling():
        return True
    for tensor in tensors:
        if tensor.is_meta:
            return True
        kind = type(tensor)
        if kind is not Tensor and kind is not torch.nn.Parameter:
            from torch._subclasses.fake_tensor import FakeTensor

            if isinstance(tensor, FakeTensor):
                return True
    return False


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return the reduction that torch's deprecated pair of arguments stands for, with its warning."""
    if size_average is None and reduce is None:
        return reduction
    kept = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{kept}' instead.",
        UserWarning,
        stacklevel=3,
    )
    return kept


def _not_a_tensor(loss: str, name: str, value: object) -> TypeError:
    return TypeError(
        f"{loss}: {name} is {type(value).__name__}; it must be a torch.Tensor. "
        f"For arrays, did you mean npl.{loss}?"
    )
