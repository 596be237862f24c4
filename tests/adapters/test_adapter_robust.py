"""The modules of the losses of a residual that torch lacks."""

import copy
import pickle

import pytest
import torch
from torch import nn

import npl
from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

MODULES = [("LogCoshLoss", {}), ("QuantileLoss", {}), ("QuantileLoss", {"quantile": 0.9})]


@pytest.mark.parametrize(("name", "options"), MODULES)
def test_modules_are_the_losses(name, options):
    x, y = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    module = getattr(adapter, name)(**options)
    assert isinstance(module, nn.Module)
    assert not module.state_dict()
    for own in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        for reduction in ("sum", "none", "mean", "batchmean"):
            own.reduction = reduction
            expected = getattr(npl, name)(**options, reduction=reduction)
            value = expected(x.detach().numpy(), y.detach().numpy())
            torch.testing.assert_close(own(x, y).detach(), torch.as_tensor(value))
    module.reduction = "mean"
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0])
    poisoned = x.detach().clone()
    poisoned[1] = torch.nan
    kept = [0, 2, 2, 3]
    torch.testing.assert_close(
        module(poisoned, y, sample_weight=weight).detach(), module(x[kept], y[kept]).detach()
    )
    module(x, y).backward()
    torch.testing.assert_close(x.grad, -y.grad)
    assert module.half()(x.half(), y.half()).dtype == torch.float16


def test_several_quantiles_at_once():
    quantiles = torch.tensor([0.1, 0.5, 0.9])
    x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 1)
    module = adapter.QuantileLoss(quantiles, reduction="none")
    assert list(module.state_dict()) == ["quantile"]
    columns = [F.quantile_loss(x[:, k], y[:, 0], q, "none") for k, q in enumerate((0.1, 0.5, 0.9))]
    expected = torch.stack(columns, 1)
    for one in (module, copy.deepcopy(module), torch.compile(module, backend="eager")):
        torch.testing.assert_close(one(x, y), expected)
    (own,) = torch.autograd.grad(module(x, y).sum(), x)
    torch.testing.assert_close(own, torch.autograd.grad(expected.sum(), x)[0])
    torch.testing.assert_close(F.quantile_loss(x, y, [0.1, 0.5, 0.9]), expected.mean())
    with pytest.raises(ValueError, match=r"quantile\[1\] is 5"):
        adapter.QuantileLoss(torch.tensor([0.5, 5.0]))


def test_options_are_checked_at_construction():
    with pytest.raises(ValueError, match="quantile is 2; it must lie strictly between 0 and 1"):
        adapter.QuantileLoss(2)
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        adapter.LogCoshLoss("avg")
    with pytest.raises(ValueError, match="quantile is 0"):
        F.quantile_loss(torch.zeros(3), torch.zeros(3), 0)


@pytest.mark.parametrize(("name", "options"), MODULES)
def test_modules_compile_into_one_graph(name, options):
    module = getattr(adapter, name)(**options)
    x, y = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, y), module(x, y))


def test_lists_keep_their_digits():
    x, y = torch.randn(4, 3, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    quantiles, weights = [0.1, 0.5, 0.9], [0.1, 0.2, 0.3, 0.4]
    exact = npl.QuantileLoss(quantiles)(x.numpy(), y.numpy(), sample_weight=weights)
    value = adapter.QuantileLoss(quantiles)(x, y, sample_weight=weights)
    assert value.item() == exact
    narrow = F.quantile_loss(x.float(), y.float(), quantiles, sample_weight=weights)
    assert narrow.dtype == torch.float32
