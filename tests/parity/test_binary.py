"""Binary cross entropy, of probabilities and of logits, beside torch's."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl.functional as F
from tests.support.parity import Array, positive, sweep

N, C = 5, 3
BINARY_SHAPES = [(), (C,), (N, C), (N, 1), (2, N, C), (0,), (0, C), (N, 0)]
WEIGHT_SHAPES = [None, (), (C,), (N, 1), (N, C)]


def fits(own: tuple[int, ...] | None, shape: tuple[int, ...]) -> bool:
    """Whether `own` broadcasts to `shape`, and no further."""
    if own is None:
        return True
    try:
        return np.broadcast_shapes(own, shape) == shape
    except ValueError:
        return False


# Empty inputs are their own size of everything, so only full ones meet all weights.
BINARY = [
    (shape, weight)
    for shape, weight in product(BINARY_SHAPES, WEIGHT_SHAPES)
    if fits(weight, shape)
]


@pytest.mark.parametrize(("shape", "weight"), BINARY, ids=str)
def test_binary_cross_entropy(shape: tuple[int, ...], weight: tuple[int, ...] | None) -> None:
    def make(dtype: type) -> tuple[Array, Array]:
        rng = np.random.default_rng(11)
        # Away from 0 and 1, where torch's gradient is wrong.
        x, y = rng.uniform(0.02, 0.98, shape), rng.uniform(size=shape)
        return np.asarray(x, dtype), np.asarray(y, dtype)

    arrays = {} if weight is None else {"weight": positive(weight, 2)}
    sweep(F.binary_cross_entropy, TF.binary_cross_entropy, make, arrays)


def binary_arguments(shape: tuple[int, ...], dtype: type) -> tuple[Array, Array]:
    rng = np.random.default_rng(13)
    x, y = 3 * rng.normal(size=shape), rng.uniform(size=shape)
    return np.asarray(x, dtype), np.asarray(y, dtype)


@pytest.mark.parametrize(
    ("shape", "weight", "pos_weight"),
    [(s, w, p) for (s, w), p in product(BINARY, WEIGHT_SHAPES) if fits(p, s)],
    ids=str,
)
def test_binary_cross_entropy_with_logits(
    shape: tuple[int, ...], weight: tuple[int, ...] | None, pos_weight: tuple[int, ...] | None
) -> None:
    shapes = {"weight": weight, "pos_weight": pos_weight}
    sweep(
        F.binary_cross_entropy_with_logits,
        TF.binary_cross_entropy_with_logits,
        lambda dtype: binary_arguments(shape, dtype),
        {name: positive(own, 2) for name, own in shapes.items() if own is not None},
    )


@pytest.mark.parametrize("weight", [None, (N, 1)], ids=str)
@pytest.mark.parametrize(
    ("shape", "pos_weight"), [(s, p) for s, p in BINARY if p is not None], ids=str
)
def test_gradient_of_pos_weight(
    shape: tuple[int, ...], pos_weight: tuple[int, ...], weight: tuple[int, ...] | None
) -> None:
    # torch's own function refuses this gradient; its autograd has it from the formula.
    def formula(
        x: torch.Tensor,
        y: torch.Tensor,
        p: torch.Tensor,
        weight: torch.Tensor | None = None,
        reduction: str = "mean",
    ) -> torch.Tensor:
        losses = -(p * y * TF.logsigmoid(x) + (1 - y) * TF.logsigmoid(-x))
        losses = losses if weight is None else losses * weight
        return losses if reduction == "none" else getattr(losses, reduction)()

    fitting = weight if fits(weight, shape) else ()
    sweep(
        lambda x, y, p, **k: F.binary_cross_entropy_with_logits(x, y, pos_weight=p, **k),
        formula,
        lambda dtype: (*binary_arguments(shape, dtype), positive(pos_weight, 3)(dtype)),
        {} if fitting is None else {"weight": positive(fitting, 2)},
    )
