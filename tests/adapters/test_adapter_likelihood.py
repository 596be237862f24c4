"""The divergence and the likelihoods: numbers as variances, autocast, gradients without bound."""

import pytest
import torch
from torch import nn

import npl.adapters.torch.functional as F


def _gaussian(dtype=torch.float32):
    torch.manual_seed(3)
    return tuple(torch.rand(3, 4, 5).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_under_autocast_a_gaussian_keeps_its_dtype(dtype):
    arguments = _gaussian(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = F.gaussian_nll_loss(*arguments)
        other = nn.functional.gaussian_nll_loss(*arguments)
    assert own.dtype == other.dtype == dtype
    torch.testing.assert_close(own, other, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("var", [0.75, 1, torch.tensor(0.75)])
def test_a_variance_may_be_a_number(var):
    x, y, _ = _gaussian()
    x.requires_grad_()
    expected = nn.functional.gaussian_nll_loss(x, y, torch.full_like(x, float(var)))
    torch.testing.assert_close(F.gaussian_nll_loss(x, y, var), expected)
    own = torch.autograd.grad(F.gaussian_nll_loss(x, y, var), x)
    torch.testing.assert_close(own, torch.autograd.grad(expected, x))


def test_a_negative_variance_raises_with_its_place():
    x, y, v = _gaussian()
    v[2, 3] = -1
    with pytest.raises(
        ValueError, match=r"GaussianNLLLoss: var\[2, 3\] is -1.0; it must lie in \[0, inf\]"
    ):
        F.gaussian_nll_loss(x, y, v)
    with pytest.raises(ValueError, match="negative entry"):
        nn.functional.gaussian_nll_loss(x, y, v)


def test_an_infinitely_unlikely_target_has_gradients_everywhere():
    x = torch.tensor([-torch.inf, -1.0], requires_grad=True)
    y = torch.tensor([0.0, 1.0], requires_grad=True)
    F.kl_div(x, y, reduction="sum").backward()
    assert x.grad.tolist() == [0, -1]
    assert y.grad.tolist() == [0, 2]
