"""Arguments of elementwise losses: which shapes go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, real_values, shape_mismatch


def paired_shape(loss: str, input: Array, target: Array) -> tuple[int, ...]:
    """Return the shape of the losses of `input` against `target`.

    Axes of size 1 broadcast between arrays of as many axes, and a scalar against anything. (N, 1)
    against (N,) is refused: NumPy would make N × N losses of it, the commonest silent bug in
    training code.
    """
    if input.shape == target.shape:
        return input.shape
    equal_axes = input.ndim == target.ndim and all(
        a == b or 1 in (a, b) for a, b in zip(input.shape, target.shape, strict=True)
    )
    if equal_axes or 0 in (input.ndim, target.ndim):
        return np.broadcast_shapes(input.shape, target.shape)
    raise shape_mismatch(loss, "target", target.shape, f"input {input.shape}", input.shape)


def broadcast_weight(loss: str, name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Check a weight that broadcasts to the losses' shape by NumPy's rules, and return it as it is."""
    weight = real_values(loss, name, value)
    try:
        fits = np.broadcast_shapes(weight.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise shape_mismatch(
            loss, name, weight.shape, f"losses of shape {shape}", f"broadcastable to {shape}"
        )
    return weight


def own_weight(loss: str, weight: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """Return a loss's `weight`, one per element, broadcast to the kernels' lead shape."""
    if weight is None:
        return None
    return np.broadcast_to(broadcast_weight(loss, "weight", weight, shape), shape or (1,))
