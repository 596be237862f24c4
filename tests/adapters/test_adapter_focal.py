"""The modules of the entropy and the focal losses, which torch has not: signatures, state, results."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn

import npl
import npl.functional as core_functional
from adapter_cases import Torch as T
from adapter_cases import labels, probabilities
from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

MODULES = {
    "EntropyLoss": ("entropy_loss", lambda: (torch.randn(4, 3),)),
    "FocalLoss": ("focal_loss", lambda: (torch.randn(4, 3), labels(3, 4))),
    "SigmoidFocalLoss": ("sigmoid_focal_loss", lambda: (torch.randn(4, 3), torch.rand(4, 3))),
    "BinaryFocalLoss": (
        "binary_focal_loss",
        lambda: (probabilities(4, 3).float(), torch.rand(4, 3)),
    ),
}


def parameters(callable_):
    found = inspect.signature(callable_).parameters.values()
    return [(p.name, p.kind, p.default) for p in found if p.name != "self"]


@pytest.mark.parametrize("name", MODULES)
def test_signatures_are_those_of_the_core(name):
    function, _ = MODULES[name]
    core, own = getattr(npl, name), getattr(adapter, name)
    assert issubclass(own, nn.Module)
    assert parameters(own.__init__) == parameters(core)
    assert parameters(own.forward) == parameters(core.__call__)
    assert parameters(getattr(F, function)) == parameters(getattr(core_functional, function))
    assert own.__doc__


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", MODULES)
def test_results_are_those_of_the_formula(name, reduction):
    function, make = MODULES[name]
    arguments = make()
    module = getattr(adapter, name)(reduction=reduction)
    theirs = getattr(T, function)(*arguments, reduction=reduction)
    value = module(*arguments)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, theirs)
    torch.testing.assert_close(getattr(F, function)(*arguments, reduction=reduction), value)


@pytest.mark.parametrize("name", MODULES)
def test_own_options_at_construction_and_at_the_call(name):
    _, make = MODULES[name]
    arguments = make()
    total = getattr(adapter, name)(reduction="sum")(*arguments)
    module = getattr(adapter, name)(normalizer=8)
    torch.testing.assert_close(module(*arguments), total / 8)
    torch.testing.assert_close(module(*arguments, normalizer=torch.tensor(2)), total / 2)
    own = torch.tensor([1.0, 0, 2, 0.5])
    weighted = module(*arguments, sample_weight=own)
    losses = getattr(adapter, name)(reduction="none")(*arguments)
    expected = (losses * own.reshape(-1, *(1,) * (losses.ndim - 1))).sum() / 8
    torch.testing.assert_close(weighted, expected)
    with pytest.raises(ValueError, match=f"{name}: reduction is 'avg'"):
        getattr(adapter, name)(reduction="avg")
    assert getattr(adapter, name)(empty="zero")(*(a[:0] for a in arguments)) == 0


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("name", MODULES)
def test_copies(name, clone):
    _, make = MODULES[name]
    options = {} if name == "EntropyLoss" else {"gamma": 0.5}
    module, arguments = getattr(adapter, name)(**options), make()
    assert torch.equal(clone(module)(*arguments), module(*arguments))


def test_the_weight_is_a_buffer():
    weight = torch.tensor([0.5, 0.0, 2.0])
    module = adapter.FocalLoss(weight=weight)
    assert list(module.state_dict()) == ["weight"]
    assert module.double().weight.dtype == torch.float64
    other = adapter.FocalLoss(weight=torch.ones(3))
    other.load_state_dict(module.state_dict())
    x, y = MODULES["FocalLoss"][1]()
    assert torch.equal(other(x, y), module(x, y))
    assert list(adapter.FocalLoss().state_dict()) == []


@pytest.mark.parametrize("name", ["FocalLoss", "SigmoidFocalLoss", "BinaryFocalLoss"])
def test_an_option_out_of_its_range_is_refused_at_construction(name):
    with pytest.raises(ValueError, match=f"{name}: gamma is -1"):
        getattr(adapter, name)(gamma=-1)


def test_training_goes_on_where_the_formula_stops():
    # One easy sample makes the gradient of the formula NaN, here nothing.
    x = torch.tensor([[20.0, 0.0], [0.5, 0.0]], requires_grad=True)
    y = torch.tensor([0, 1])
    T.focal_loss(x, y, gamma=0.5).backward()
    assert x.grad[0].isnan().all()
    x.grad = None
    adapter.FocalLoss(gamma=0.5)(x, y).backward()
    assert x.grad.isfinite().all()
    assert x.grad[0, 1] > 0
