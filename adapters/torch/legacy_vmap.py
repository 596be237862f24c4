"""The older vmap of torch, which `torch.autograd` still uses where it is asked for batches.

`torch.autograd.grad(is_grads_batched=True)`, `torch.autograd.functional.jacobian(vectorize=True)` and
gradcheck's batched checks hand batched tensors to a Function as they are, without its `vmap`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from npl.adapters.torch.batched import Batched
from npl.adapters.torch.calls import Call

is_batched: Callable[[Tensor], bool] = torch._C._functorch.is_legacy_batchedtensor


def apply(function: type[Function], call: Call, *args: Any) -> Any:
    """Apply a Function of a call, other things and tensors, to every slice of batched ones.

    The batches are taken off before, for autograd records what is inside of them.
    """
    if any(isinstance(arg, Tensor) and is_batched(arg) for arg in args):
        level = torch._C._vmapmode_increment_nesting() - 1
        torch._C._vmapmode_decrement_nesting()
        return _in_front(function, call, args, level)
    return function.apply(call, *args)  # type: ignore[no-untyped-call]


def _in_front(function: type[Function], call: Call, args: tuple[Any, ...], level: int) -> Any:
    """Apply with the batch of `level` as the first axis of every tensor, and wrap the results."""
    if level == 0:
        return function.apply(call, *args)  # type: ignore[no-untyped-call]
    # A tensor without a batch of this level is expanded to the size that is passed: 0 shows which.
    tensors = [arg for arg in args if isinstance(arg, Tensor)]
    size = max(torch._remove_batch_dim(tensor, level, 0, 0).shape[0] for tensor in tensors)
    if size == 0:
        return _in_front(function, call, args, level - 1)
    moved = tuple(
        torch._remove_batch_dim(arg, level, size, 0) if isinstance(arg, Tensor) else arg
        for arg in args
    )
    result = _in_front(function, Batched(call, size), moved, level - 1)
    if isinstance(result, Tensor):
        return torch._add_batch_dim(result, 0, level)
    return tuple(torch._add_batch_dim(one, 0, level) for one in result)
