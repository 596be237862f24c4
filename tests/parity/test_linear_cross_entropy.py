"""Cross entropy of a linear layer beside torch's."""

from __future__ import annotations

import inspect
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import npl
from tests.support.linear_layers import layer_with_places
from tests.support.parity import assert_parity

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((5,), ()),
    ((3,), (2,)),
    ((2,), (2, 3)),
]


@pytest.mark.parametrize(("batch", "places"), SHAPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_parity(
    batch: Any, places: Any, soft: bool, bias: bool, label_smoothing: float, weighted: bool
) -> None:
    for dtype, reduction in product((np.float32, np.float64), ("none", "mean", "sum")):
        arguments = layer_with_places(dtype, batch, places, soft, bias)
        class_weight = np.array([0.5, 1, 2, 0.25], dtype) if weighted else None
        for ignore_index in (None,) if soft else (None, int(np.ravel(arguments[2])[0])):
            if ignore_index is not None and not batch and reduction == "mean":
                continue  # the mean of nothing
            options = {
                "reduction": reduction,
                "ignore_index": ignore_index,
                "label_smoothing": label_smoothing,
            }
            loss = npl.LinearCrossEntropyLoss(weight=class_weight, **options)  # type: ignore[arg-type]
            tensor = None if class_weight is None else torch.tensor(class_weight)

            def theirs(
                x: Any, w: Any, t: Any, b: Any = None, tensor: Any = tensor, options: Any = options
            ) -> Any:
                return torch.nn.functional.linear_cross_entropy(
                    x, w, t, linear_bias=b, weight=tensor, **options
                )

            assert_parity(loss, theirs, arguments, f"{options}")


def test_the_class_has_the_options_of_torch() -> None:
    own = inspect.signature(npl.LinearCrossEntropyLoss).parameters
    other = inspect.signature(torch.nn.LinearCrossEntropyLoss).parameters
    for name in ("weight", "reduction", "ignore_index", "label_smoothing"):
        assert (own[name].default, own[name].kind) == (other[name].default, other[name].kind)


def test_torch_loses_a_tiny_loss() -> None:
    x, weight = torch.tensor([[20.0]]), torch.tensor([[1.0], [0.0]])
    assert torch.nn.functional.linear_cross_entropy(x, weight, torch.tensor([0])) == 0


def test_torch_has_nan_of_an_ignored_row() -> None:
    x, weight = torch.tensor([[torch.nan], [1.0]]), torch.ones(2, 1, requires_grad=True)
    loss = torch.nn.functional.linear_cross_entropy(x, weight, torch.tensor([-100, 0]))
    assert torch.autograd.grad(loss, weight)[0].isnan().any()


def test_torch_refuses_second_derivatives_of_chunks() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    target = torch.zeros(4, dtype=torch.int64)

    def second() -> None:
        loss = torch.nn.functional.linear_cross_entropy(
            x, torch.ones(3, 2), target, options=options
        )
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        first.sum().backward()

    with pytest.raises(RuntimeError):
        second()
