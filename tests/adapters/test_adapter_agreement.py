"""The adapter and torch agree: values, gradients, Hessian-vector products."""

import pytest
import torch

import npl.adapters.torch.functional as F
from adapter_cases import CASES, REDUCTIONS, labels, logits
from adapter_cases import Torch as T

CLOSE = {"rtol": 1e-8, "atol": 1e-10}  # torch's second derivatives of BCE have an epsilon of 1e-12


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_value_gradient_and_curvature(case, reduction):
    of, tensors = case.build(reduction)
    results = []
    for functions in (F, T):
        torch.manual_seed(2)
        value = of(functions)(*tensors)
        c = torch.rand_like(value)
        gradients = torch.autograd.grad(value, tensors, c, create_graph=True)
        along = sum((g * torch.rand_like(g)).sum() for g in gradients)
        curvature = (None,) * len(tensors)  # of a linear loss, torch has no graph
        if along.requires_grad:
            curvature = torch.autograd.grad(along, tensors, allow_unused=True)
        results.append([value, *gradients, *curvature])
    for own, other in zip(*results, strict=True):
        expected = torch.zeros_like(own) if other is None else other
        torch.testing.assert_close(own, expected, **CLOSE)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_only_what_is_asked_for_is_differentiated(case, reduction):
    of, tensors = case.build(reduction)
    for i in range(len(tensors)):
        alone = [t.detach().requires_grad_(i == k) for k, t in enumerate(tensors)]
        of(F)(*alone).sum().backward()
        (expected,) = torch.autograd.grad(of(T)(*tensors).sum(), tensors[i])
        torch.testing.assert_close(alone[i].grad, expected, **CLOSE)
        assert all(t.grad is None for k, t in enumerate(alone) if k != i)


def test_batchmean_divides_by_the_samples():
    x, y = logits(4, 3, 5), labels(3, 4, 5)
    expected = T.cross_entropy(x, y, reduction="sum") / 4
    torch.testing.assert_close(F.cross_entropy(x, y, reduction="batchmean"), expected, **CLOSE)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_labels_may_be_of_any_integer_type(dtype):
    x, y = logits(4, 3), labels(3, 4)
    assert F.cross_entropy(x, y.to(dtype)) == F.cross_entropy(x, y)


def test_sample_weight_and_normalizer():
    x, y, w = logits(4, 3), labels(3, 4), torch.tensor([1.0, 0.0, 2.0, 0.5])
    x[1] = torch.nan  # weight 0 removes it
    losses = T.cross_entropy(x, y, reduction="none")[[0, 2, 3]] * w[[0, 2, 3]]
    torch.testing.assert_close(
        F.cross_entropy(x, y, sample_weight=w), losses.sum() / w.sum(), **CLOSE
    )
    for normalizer in (7, 7.0, torch.tensor(7), torch.tensor([7.0])):
        value = F.cross_entropy(x, y, sample_weight=w, normalizer=normalizer)
        torch.testing.assert_close(value, losses.sum() / 7, **CLOSE)


@pytest.mark.parametrize(
    ("empty", "expected"), [("nan", torch.tensor(torch.nan)), ("zero", torch.tensor(0.0))]
)
def test_the_mean_of_nothing(empty, expected):
    x = torch.randn(2, 3, requires_grad=True)
    value = F.cross_entropy(x, torch.tensor([-100, -100]), empty=empty)
    torch.testing.assert_close(value.detach(), expected, equal_nan=True)
    value.backward()
    assert torch.equal(x.grad, torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda x, y: F.cross_entropy(x, y[:, None]),
            ValueError,
            "CrossEntropyLoss: target has shape (2, 1); for input (2, 3) it must be (2,). "
            "Did you mean target[:, 0]?",
        ),
        (
            lambda x, y: F.cross_entropy(x, y + 3),
            IndexError,
            "CrossEntropyLoss: target[0] is 3; for 3 classes it must lie in [0, 2] or be "
            "ignore_index (-100). Are your labels counted from 1? Did you mean target - 1?",
        ),
        (
            lambda x, y: F.nll_loss(x, y, reduction="average"),
            ValueError,
            "NLLLoss: reduction is 'average'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
        ),
        (
            lambda x, y: F.cross_entropy(x.numpy(), y),
            TypeError,
            "CrossEntropyLoss: input is ndarray; it must be a torch.Tensor. "
            "For arrays, did you mean npl.CrossEntropyLoss?",
        ),
        (
            lambda x, y: F.cross_entropy(x, y, torch.ones(3, requires_grad=True)),
            RuntimeError,
            "CrossEntropyLoss: weight requires a gradient, but the loss has no derivative with "
            "respect to it. Did you mean weight.detach()?",
        ),
        (
            lambda x, y: F.cross_entropy(x.to_sparse(), y),
            TypeError,
            "NPL takes dense tensors; this one is torch.sparse_coo of torch.float32. "
            "Did you mean .to_dense() or .dequantize()?",
        ),
    ],
)
def test_errors(call, error, text):
    x, y = torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(error) as caught:
        call(x, y)
    assert str(caught.value) == text
