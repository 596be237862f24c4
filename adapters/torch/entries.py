"""What goes into the autograd Functions and comes out: tensors in places, some of them missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from torch import Tensor

Numbers: TypeAlias = tuple[int, ...]  # of operands
Entries: TypeAlias = Sequence[Tensor | None]


def save(ctx: Any, tensors: Sequence[Tensor]) -> None:
    """Keep tensors for both modes; gradients that are not there come as None, not as zeros."""
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def needed(ctx: Any, start: int, count: int) -> Numbers:
    """Return which of `count` inputs from `start` need a gradient."""
    return tuple(k for k in range(count) if ctx.needs_input_grad[start + k])


def given(numbers: Sequence[int], entries: Entries) -> tuple[Numbers, list[Tensor]]:
    """Return the numbers whose entry is a tensor, and these."""
    pairs = [(i, one) for i, one in zip(numbers, entries, strict=False) if one is not None]
    return tuple(i for i, _ in pairs), [one for _, one in pairs]


def spread(places: Numbers, values: Entries, count: int) -> list[Tensor | None]:
    """Return a list of `count` entries with `values` in their places, None elsewhere."""
    entries: list[Tensor | None] = [None] * count
    for place, value in zip(places, values, strict=True):
        entries[place] = value
    return entries


def add(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Return the sum of what is there."""
    return b if a is None else a if b is None else a + b


def in_front(size: int, tensors: Sequence[Tensor], dims: Sequence[int | None]) -> list[Tensor]:
    """Return tensors with the dimension that `torch.vmap` runs over in front.

    Those that have none are repeated, which costs no memory.
    """
    return [
        tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(tensors, dims, strict=True)
    ]
