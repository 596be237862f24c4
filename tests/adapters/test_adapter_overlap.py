"""The module of the Dice loss."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import npl
from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

OPTIONS = [
    {},
    {"activation": "softmax", "squared": True},
    {"activation": "sigmoid", "jaccard": True, "batch": True, "smooth": 0.5},
    {"weight": torch.tensor([0.0, 1.0, 2.0]), "activation": "softmax", "ignore_index": 2},
]


def tensors(options):
    x = torch.randn(4, 3, 2, 5)
    x = x if "activation" in options else x.sigmoid()
    return x.requires_grad_(), torch.randint(3, (4, 2, 5))


@pytest.mark.parametrize("options", OPTIONS)
def test_modules_are_the_loss(options):
    x, y = tensors(options)
    module = adapter.DiceLoss(**options)
    assert isinstance(module, nn.Module)
    assert list(module.state_dict()) == (["weight"] if "weight" in options else [])
    own = {k: v.numpy() if k == "weight" else v for k, v in options.items()}
    for one in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        for reduction in ("sum", "none", "mean", "batchmean"):
            one.reduction = reduction
            expected = npl.DiceLoss(**own, reduction=reduction)(x.detach().numpy(), y.numpy())
            torch.testing.assert_close(one(x, y).detach(), torch.as_tensor(expected))
    module.reduction = "mean"
    module(x, y).backward()
    gradient = npl.grad(npl.DiceLoss(**own))(x.detach().numpy(), y.numpy())
    torch.testing.assert_close(x.grad, torch.as_tensor(gradient))
    value = module(x, y, normalizer=2, sample_weight=torch.ones(4))
    module.reduction = "sum"
    torch.testing.assert_close(value, module(x, y) / 2)
    assert module.half()(x.half(), y).dtype == torch.float16


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("options", OPTIONS)
def test_modules_compile_into_one_graph(options, reduction):
    x, y = tensors(options)
    module = adapter.DiceLoss(**options, reduction=reduction)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    value, expected = compiled(x, y), module(x, y)
    torch.testing.assert_close(value, expected)
    (own,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(own, torch.autograd.grad(expected.sum(), x)[0])


def test_masks_may_require_a_gradient_and_indices_have_none():
    x, y = torch.rand(2, 1, 4, requires_grad=True), torch.rand(2, 1, 4, requires_grad=True)
    F.dice_loss(x, y).backward()
    assert x.grad is not None
    assert y.grad is not None


def test_a_sample_of_weight_zero_is_removed():
    x, y = tensors({})
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0])
    poisoned = x.detach().clone()
    poisoned[1] = torch.nan
    kept = [0, 2, 2, 3]
    for batch in (False, True):
        value = F.dice_loss(poisoned, y, batch=batch, sample_weight=weight)
        torch.testing.assert_close(value, F.dice_loss(x[kept], y[kept], batch=batch).detach())


def test_options_are_checked_at_construction():
    with pytest.raises(ValueError, match="activation is 'relu'"):
        adapter.DiceLoss(activation="relu")
    with pytest.raises(ValueError, match="smooth is -1"):
        adapter.DiceLoss(smooth=-1)
    with pytest.raises(ValueError, match=r"Are these logits\? Did you mean activation='sigmoid'"):
        F.dice_loss(torch.full((1, 2, 3), 4.0), torch.zeros(1, 3, dtype=torch.long))


def test_a_network_learns_a_mask():
    torch.manual_seed(0)
    images = torch.rand(8, 1, 16, 16)
    masks = (images > 0.6).long()[:, 0]
    network = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.05)
    criterion = adapter.DiceLoss(activation="softmax", batch=True)
    first = float(criterion(network(images), masks).detach())
    for _ in range(60):
        optimizer.zero_grad()
        loss = criterion(network(images), masks)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1 < first
    assert np.isfinite(first)
