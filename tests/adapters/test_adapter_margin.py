"""The modules of the margin losses as drop-ins: signatures, repr, state_dict, copies, shapes."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import nn

from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

FUNCTIONS = {
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "SoftMarginLoss": "soft_margin_loss",
}
OPTIONS = {
    "HingeEmbeddingLoss": {"margin": 0.75},
    "MarginRankingLoss": {"margin": 0.75},
    "MultiLabelSoftMarginLoss": {"weight": torch.tensor([0.5, 2.0, 1.0])},
    "SoftMarginLoss": {},
}
MODULES = list(FUNCTIONS)


def arguments(name):
    torch.manual_seed(0)
    y = torch.randint(2, (4, 3)) * 2.0 - 1
    if name == "MultiLabelSoftMarginLoss":
        y = (y + 1) / 2
    inputs = [torch.randn(4, 3) for _ in range(2 if name == "MarginRankingLoss" else 1)]
    return [*inputs, y]


def parameters(function, more=()):
    own = [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]
    return own + [(n, inspect.Parameter.KEYWORD_ONLY, value) for n, value in more]


@pytest.mark.parametrize("name", MODULES)
def test_signatures_are_torchs_and_more(name):
    own, other = getattr(adapter, name), getattr(nn, name)
    in_constructor = [("normalizer", None), ("empty", "nan")]
    at_call = [("sample_weight", None), ("normalizer", None)]
    assert parameters(own.__init__) == parameters(other.__init__, in_constructor)
    assert parameters(own.forward) == parameters(other.forward, at_call)
    both = [("sample_weight", None), ("normalizer", None), ("empty", "nan")]
    function = FUNCTIONS[name]
    theirs = parameters(getattr(nn.functional, function), both)
    assert parameters(getattr(F, function)) == theirs


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_drop_in(name, reduction):
    options = OPTIONS[name]
    own = getattr(adapter, name)(**options, reduction=reduction)
    other = getattr(nn, name)(**options, reduction=reduction)
    assert isinstance(own, type(other))
    assert repr(own) == repr(other)
    assert list(own.state_dict()) == list(other.state_dict())
    values = own(*arguments(name)), other(*arguments(name))
    torch.testing.assert_close(*values)
    for clone in (copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        assert torch.equal(clone(*arguments(name)), values[0])


@pytest.mark.parametrize("name", MODULES)
def test_own_options(name):
    inputs = arguments(name)
    module = getattr(adapter, name)(**OPTIONS[name], normalizer=8)
    total = getattr(adapter, name)(**OPTIONS[name], reduction="sum")(*inputs)
    torch.testing.assert_close(module(*inputs), total / 8)
    torch.testing.assert_close(module(*inputs, normalizer=torch.tensor(2)), total / 2)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5])
    inputs[0][1] = torch.nan
    losses = getattr(F, FUNCTIONS[name])(*inputs, **OPTIONS[name], reduction="none")
    kept = losses.reshape(4, -1)[[0, 2, 3]].sum(1) @ weight[[0, 2, 3]]
    torch.testing.assert_close(module(*inputs, sample_weight=weight), kept / 8)
    with pytest.raises(ValueError, match=f"{name}: reduction is 'avg'"):
        getattr(adapter, name)(reduction="avg")


@pytest.mark.parametrize("name", ["HingeEmbeddingLoss", "MarginRankingLoss"])
def test_a_margin_is_checked_at_construction(name):
    with pytest.raises(TypeError, match=f"{name}: margin is '1'"):
        getattr(adapter, name)("1")


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_tensors_without_data_have_the_shape_of_the_losses(name, reduction):
    module = getattr(adapter, name)(reduction=reduction)
    inputs = arguments(name)
    assert module(*[t.to("meta") for t in inputs]).shape == module(*inputs).shape


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(name, dtype):
    inputs = [t.to(dtype) for t in arguments(name)]
    inputs[0].requires_grad_()
    value = getattr(adapter, name)()(*inputs)
    value.backward()
    wide = getattr(adapter, name)()(*[t.detach().float() for t in inputs])
    assert value.dtype == inputs[0].grad.dtype == dtype
    torch.testing.assert_close(value.detach(), wide.to(dtype))


@pytest.mark.parametrize("name", MODULES)
def test_per_sample_gradients(name):
    function = getattr(F, FUNCTIONS[name])
    inputs = [t.double() for t in arguments(name)]
    mapped = torch.vmap(torch.func.grad(function))(*inputs)
    loop = [torch.func.grad(function)(*row) for row in zip(*inputs, strict=True)]
    torch.testing.assert_close(mapped, torch.stack(loop), rtol=1e-12, atol=0)
