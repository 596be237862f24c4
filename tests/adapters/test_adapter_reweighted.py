"""The modules beyond torch's that weigh samples: their buffers, their state, under torch.compile."""

import copy
import pickle
import re

import numpy as np
import pytest
import torch

import npl
import npl.adapters.torch as adapter
import npl.adapters.torch.functional as F

COST = [[0.0, 1.0, 4.0], [2.0, 0.0, 1.0], [1.0, 6.0, 0.0]]


def test_cost_sensitive_module():
    x, y = torch.randn(5, 3, requires_grad=True), torch.tensor([0, 1, 2, 2, -100])
    for cost in (COST, COST[1], torch.tensor(COST), np.array(COST, np.float32)):
        module = adapter.CostSensitiveLoss(cost)
        value = module(x, y)
        assert value.dtype == torch.float32
        expected = npl.CostSensitiveLoss(module.cost.numpy())(x.detach().numpy(), y.numpy())
        assert value.item() == expected
        value.backward()
        other = adapter.CostSensitiveLoss(torch.zeros_like(module.cost))
        other.load_state_dict(module.state_dict())
        for same in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), other):
            assert same(x, y) == value
    assert module.half().cost.dtype == torch.float16
    assert adapter.CostSensitiveLoss(COST, reduction="none")(x, y)[4] == 0
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0, 1.0])
    twice = adapter.CostSensitiveLoss(COST, reduction="sum", ignore_index=-100)
    losses = adapter.CostSensitiveLoss(COST, reduction="none")(x, y)
    torch.testing.assert_close(twice(x, y, sample_weight=weight), (losses * weight).sum())
    module = adapter.CostSensitiveLoss(COST, normalizer=7.0)
    torch.testing.assert_close(module(x, y), losses.sum() / 7)


def test_the_cost_may_be_learned():
    cost = torch.nn.Parameter(torch.tensor(COST))
    x, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 2])
    F.cost_sensitive_loss(x, y, cost, reduction="sum").backward()
    p = x.softmax(-1)
    torch.testing.assert_close(cost.grad, torch.stack([p[0], p[1], p[2] + p[3]]))


@pytest.mark.parametrize(
    ("construct", "text"),
    [
        (
            lambda: adapter.CostSensitiveLoss(COST, reduction="avg"),
            "CostSensitiveLoss: reduction is 'avg'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
        ),
        (lambda: adapter.GHMCLoss(0), "GHMCLoss: bins is 0; it must be at least 1."),
        (
            lambda: adapter.GHMRLoss(-1.0),
            "GHMRLoss: mu is -1.0; it must lie in (0, inf).",
        ),
    ],
)
def test_options_are_checked_at_construction(construct, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        construct()


@pytest.mark.parametrize("name", ["GHMCLoss", "GHMRLoss"])
def test_running_counts(name):
    torch.manual_seed(0)
    module = getattr(adapter, name)(bins=5, momentum=0.75)
    core = getattr(npl, name)
    counts = np.zeros(5, np.float32)
    for step in range(4):
        x, y = 2 * torch.randn(20, 3), torch.randint(2, (20, 3)).float()
        weight = torch.randint(2, (20,)).float()
        x.requires_grad_()
        value = module(x, y, sample_weight=weight)
        own = core(bins=5, momentum=0.75, bin_counts=counts)
        arrays = x.detach().numpy(), y.numpy()
        assert value.item() == own(*arrays, sample_weight=weight.numpy())
        counts = own.updated_counts(*arrays, sample_weight=weight.numpy()).astype(np.float32)
        np.testing.assert_array_equal(module.bin_counts.numpy(), counts)
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)  # the counts have moved on
        gradient.sum().backward()
        assert step or list(module.state_dict()) == ["bin_counts"]
    module.eval()
    assert module(x, y) == module(x, y)
    np.testing.assert_array_equal(module.bin_counts.numpy(), counts)
    other = getattr(adapter, name)(bins=5, momentum=0.75).eval()
    other.load_state_dict(module.state_dict())
    for same in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert same(x, y) == module(x, y)
    assert module.half().bin_counts.dtype == torch.float32
    module.train()
    assert module(x.bfloat16(), y.bfloat16()).dtype == torch.bfloat16
    assert not torch.equal(module.bin_counts, other.bin_counts)


@pytest.mark.parametrize("name", ["GHMCLoss", "GHMRLoss"])
def test_without_momentum_there_is_no_state(name):
    module = getattr(adapter, name)()
    assert not module.state_dict()
    x, y = torch.randn(20), torch.randint(2, (20,)).float()
    assert module(x, y).item() == getattr(npl, name)()(x.numpy(), y.numpy())
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert compiled(x, y) == module(x, y)


def test_compiled_with_momentum():
    module = adapter.GHMCLoss(momentum=0.5)
    eager = copy.deepcopy(module)
    compiled = torch.compile(module, backend="aot_eager")
    for _ in range(3):
        x, y = torch.randn(20), torch.randint(2, (20,)).float()
        assert compiled(x, y) == eager(x, y)
        assert torch.equal(module.bin_counts, eager.bin_counts)


@pytest.mark.parametrize("name", ["GHMCLoss", "GHMRLoss"])
def test_an_evaluation_with_momentum_compiles_as_one_graph(name):
    x, y = torch.randn(8), torch.randint(0, 2, (8,)).float()
    module = getattr(adapter, name)(momentum=0.5)
    module(x, y)
    module.eval()
    counts = module.bin_counts.clone()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert compiled(x, y) == module(x, y)
    assert torch.equal(module.bin_counts, counts)


def test_each_slice_of_a_batch_has_its_own_weights():
    x, y = torch.randn(3, 8), torch.randint(2, (3, 8)).float()
    for function in (F.ghmc_loss, F.ghmr_loss):
        expected = torch.stack([function(*pair) for pair in zip(x, y, strict=True)])
        torch.testing.assert_close(torch.vmap(function)(x, y), expected)
