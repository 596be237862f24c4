"""Between tensors and arrays: shared memory on the CPU, staged transfers elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from npl.adapters.torch.calls import Array


def arrays_of(tensors: Sequence[Tensor]) -> list[Array]:
    """Return tensors as arrays, all of them in one visit to their device.

    An array of a CPU tensor is a view of its memory, and must not be written to.
    """
    for tensor in tensors:
        if not tensor.is_cpu:
            tensors = _staged(tensors)
            break
    try:
        # `force` resolves conjugate and negative bits and drops the graph; it copies nothing else.
        return [tensor.numpy(force=True) for tensor in tensors]
    except TypeError as error:
        raise _unreadable(tensors) from error


def _staged(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors on the CPU: CUDA copies are all enqueued before the one wait for them."""
    staged, streams = [], set()
    for tensor in tensors:
        if not tensor.is_cuda:
            staged.append(tensor.cpu())
            continue
        source = tensor.detach().resolve_neg()
        for axis, stride in enumerate(source.stride()):
            if stride == 0 and source.shape[axis] > 1:  # expanded: one of them says it all
                source = source.narrow(axis, 0, 1)
        # A pinned buffer of the tensor's own strides (dense ones) takes a plain copy of its memory.
        buffer = torch.empty_like(source, device="cpu", pin_memory=True)
        staged.append(buffer.copy_(source, non_blocking=True).expand(tensor.shape))
        streams.add(torch.cuda.current_stream(tensor.device))
    for stream in streams:
        stream.synchronize()
    return staged


def tensor_of(result: Any, like: Tensor) -> Tensor:
    """Return a result of NPL as a tensor on the device of `like`, sharing its memory on the CPU."""
    tensor = torch.from_numpy(_presentable(np.asarray(result)))
    if like.is_cpu:
        return tensor
    if not like.is_cuda:
        return tensor.to(like.device)
    if tensor.ndim == 0:
        # A scalar travels as the argument of a fill kernel: no transfer, nothing to wait for.
        return torch.full((), tensor.item(), dtype=tensor.dtype, device=like.device)
    return tensor.pin_memory().to(like.device, non_blocking=True)


def _presentable(array: Array) -> Array:
    """Return what torch can share the memory of; NPL's own results always are, a stranger's may not be."""
    flags = array.flags
    if flags.c_contiguous and flags.writeable and array.dtype.isnative:
        return array
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def _unreadable(tensors: Sequence[Tensor]) -> TypeError:
    for tensor in tensors:
        if tensor.layout is not torch.strided or tensor.is_quantized:
            return TypeError(
                f"NPL takes dense tensors; this one is {tensor.layout} of {tensor.dtype}. "
                "Did you mean .to_dense() or .dequantize()?"
            )
    dtypes = ", ".join(str(tensor.dtype) for tensor in tensors)
    return TypeError(
        f"NPL got tensors of {dtypes}, one of which NumPy has not. Did you mean .float()?"
    )
