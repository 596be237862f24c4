"""The faults of a hand-written NumPy loss for torch, as tests: the adapter has none of them."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from npl.adapters import torch as adapter
from npl.adapters.torch import CrossEntropyLoss

LOGITS = torch.tensor(
    [
        [1.1785, -0.0969, 0.5756, -1.2113, -0.1120],
        [-0.5199, -0.8051, 1.0953, 0.1480, 0.2879],
        [2.3401, 0.6403, 1.4306, 0.0982, -0.7363],
    ]
)
LABELS = torch.tensor([4, 3, 1])


def test_the_printed_figures():
    x = LOGITS.clone().requires_grad_()
    loss = CrossEntropyLoss()(x, LABELS)
    loss.backward()
    assert round(loss.item(), 4) == 2.0187
    expected = [
        [0.1520, 0.0424, 0.0832, 0.0139, -0.2915],
        [0.0304, 0.0228, 0.1528, -0.2741, 0.0681],
        [0.1918, -0.2983, 0.0772, 0.0204, 0.0088],
    ]
    np.testing.assert_array_equal(x.grad.numpy().round(4), np.float32(expected))


@pytest.mark.parametrize("is_leaf", [True, False])
def test_it_does_not_write_to_the_logits(is_leaf):
    x = LOGITS.clone().requires_grad_()
    given = x if is_leaf else x * 1
    CrossEntropyLoss()(given, LABELS).backward()
    assert torch.equal(given, LOGITS)


@pytest.mark.parametrize("scale", [-2.0, 0.0, 1.0, 3.0])
def test_it_heeds_the_gradient_from_above(scale):
    gradients = []
    for criterion in (CrossEntropyLoss(), nn.CrossEntropyLoss()):
        x = LOGITS.clone().requires_grad_()
        (scale * criterion(x, LABELS)).backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


def test_the_loss_is_where_the_logits_are():
    x = torch.empty(3, 5, device="meta", requires_grad=True)
    loss = CrossEntropyLoss()(x, torch.empty(3, dtype=torch.long, device="meta"))
    loss.backward()
    assert loss.device == x.grad.device == x.device
    assert (loss.shape, x.grad.shape) == ((), (3, 5))


def test_it_takes_no_logarithm_of_a_probability_that_underflowed():
    x = torch.tensor([[1000.0, 0.0]], requires_grad=True)
    loss = CrossEntropyLoss()(x, torch.tensor([1]))
    loss.backward()
    assert loss.item() == 1000
    assert x.grad.tolist() == [[1, -1]]


def test_no_device_is_written_into_the_code():
    for path in Path(adapter.__file__).parent.glob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        names = {node.func.attr for node in calls if isinstance(node.func, ast.Attribute)}
        assert "cuda" not in names, path
