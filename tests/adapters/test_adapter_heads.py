"""The modules that keep a layer: torch's state, gradients to every parameter, training."""

import copy
import inspect

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import npl.adapters.torch as adapter
import npl.adapters.torch.functional as F

CLUSTERS = {"in_features": 6, "n_classes": 12, "cutoffs": [3, 7], "div_value": 2.0}


def _parameters(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def _pair(name, **options):
    own = getattr(adapter, name)(**options, dtype=torch.float64)
    other = getattr(nn, name)(**options, dtype=torch.float64)
    assert list(own.state_dict()) == list(other.state_dict())
    other.load_state_dict(own.state_dict())
    own.load_state_dict(other.state_dict())
    assert repr(own) == repr(other)
    return own, other


def _agree(own, other, results):
    """Compare first and second derivatives in the input and all parameters."""
    derivatives = []
    for module, (x, value) in zip((own, other), results, strict=True):
        every = [x, *module.parameters()]
        first = torch.autograd.grad(value, every, create_graph=True)
        along = sum((g * g.detach().cos()).sum() for g in first)
        second = torch.autograd.grad(along, every)
        derivatives.append([value, *first, *second])
    for a, b in zip(*derivatives, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("out_features", [(), (2,)])
def test_linear_cross_entropy_is_torchs(bias, out_features):
    options = {"in_features": 3, "num_classes": 4, "bias": bias, "out_features": out_features}
    own, other = _pair("LinearCrossEntropyLoss", **options)
    target = torch.randint(4, (5, *out_features))
    results = []
    x = torch.randn(5, 3, dtype=torch.float64)
    for module in (own, other):
        leaf = x.clone().requires_grad_()
        results.append((leaf, module(leaf, target)))
    _agree(own, other, results)


def test_linear_cross_entropy_has_torchs_signature_and_more():
    own, other = adapter.LinearCrossEntropyLoss, nn.LinearCrossEntropyLoss
    count = len(_parameters(other.__init__))
    assert _parameters(own.__init__)[:count] == _parameters(other.__init__)
    assert [p[0] for p in _parameters(own.__init__)[count:]] == ["normalizer", "empty"]
    names = [p[0] for p in _parameters(F.linear_cross_entropy)]
    count = len(_parameters(nn.functional.linear_cross_entropy))
    assert _parameters(F.linear_cross_entropy)[:count] == _parameters(
        nn.functional.linear_cross_entropy
    )
    assert names[count:] == ["sample_weight", "normalizer", "empty"]


def test_linear_cross_entropy_takes_options_and_weights():
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    module = adapter.LinearCrossEntropyLoss(3, 4, weight=torch.rand(4), options=options)
    plain = nn.LinearCrossEntropyLoss(3, 4, weight=module.weight)
    plain.load_state_dict(module.state_dict())
    x, y = torch.randn(5, 3), torch.randint(4, (5,))
    torch.testing.assert_close(module(x, y), plain(x, y))
    keep = torch.tensor([1.0, 1, 0, 1, 0])
    torch.testing.assert_close(module(x, y, sample_weight=keep), plain(x[keep > 0], y[keep > 0]))
    with pytest.raises(ValueError, match="reduction"):
        adapter.LinearCrossEntropyLoss(3, 4, reduction="average")


@pytest.mark.parametrize("head_bias", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_adaptive_softmax_is_torchs(head_bias, batched):
    own, other = _pair("AdaptiveLogSoftmaxWithLoss", **CLUSTERS, head_bias=head_bias)
    x = torch.randn(9, 6, dtype=torch.float64)
    target = torch.tensor([0, 11, 5, 3, 2, 7, 4, 0, 10])
    if not batched:
        with torch.no_grad():
            values = own(x[1], target[1]), other(x[1], target[1])
        torch.testing.assert_close(*values)
        return
    results = []
    for module in (own, other):
        leaf = x.clone().requires_grad_()
        output, loss = module(leaf, target)
        results.append((leaf, loss + (output * torch.arange(9)).sum()))
    _agree(own, other, results)
    torch.testing.assert_close(own.log_prob(x), other.log_prob(x))
    assert torch.equal(own.predict(x), other.predict(x))
    assert type(own(x, target)) is type(other(x, target))
    assert _parameters(type(own).__init__) == _parameters(type(other).__init__)
    assert _parameters(type(own).forward) == _parameters(type(other).forward)


def test_adaptive_softmax_by_finite_differences():
    module = adapter.AdaptiveLogSoftmaxWithLoss(3, 6, [2, 4], 1.5, dtype=torch.float64)
    names = [name for name, _ in module.named_parameters()]
    target = torch.tensor([0, 3, 5])

    def f(x, *parameters):
        state = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(module, state, (x, target))

    tensors = [torch.randn(3, 3, dtype=torch.float64), *module.parameters()]
    tensors = [t.detach().clone().requires_grad_() for t in tensors]
    assert gradcheck(f, tensors, check_forward_ad=True)
    assert gradgradcheck(f, tensors)


def test_a_class_out_of_range_is_refused():
    module = adapter.AdaptiveLogSoftmaxWithLoss(**CLUSTERS)
    with pytest.raises(IndexError, match=r"target\[1\] is 12; for 12 classes"):
        module(torch.randn(2, 6), torch.tensor([0, 12]))
    with pytest.raises(ValueError, match="cutoffs"):
        adapter.AdaptiveLogSoftmaxWithLoss(6, 12, [5, 3])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_is_half_precision_out(dtype):
    adaptive = adapter.AdaptiveLogSoftmaxWithLoss(**CLUSTERS).to(dtype)
    linear = adapter.LinearCrossEntropyLoss(6, 12).to(dtype)
    x, y = torch.randn(5, 6, dtype=dtype, requires_grad=True), torch.randint(12, (5,))
    for module, value in ((adaptive, adaptive(x, y).loss), (linear, linear(x, y))):
        assert value.dtype == dtype
        value.backward()
        assert all(p.grad.dtype == dtype for p in module.parameters())


@pytest.mark.parametrize("name", ["AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"])
def test_training_takes_torchs_steps(name):
    is_adaptive = name.startswith("Adaptive")
    torch.manual_seed(0)
    x, y = torch.randn(40, 8, dtype=torch.float64), torch.randint(12, (40,))
    body = nn.Linear(8, 6, dtype=torch.float64)
    options = CLUSTERS if is_adaptive else {"in_features": 6, "num_classes": 12}
    runs = []
    for criterion in _pair(name, **options):
        own_body = copy.deepcopy(body)
        optimizer = torch.optim.SGD([*own_body.parameters(), *criterion.parameters()], lr=0.5)
        values = []
        for _ in range(100):
            optimizer.zero_grad()
            result = criterion(own_body(x), y)
            loss = result.loss if is_adaptive else result
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        runs.append(values)
    own, other = runs
    assert own[-1] < 0.7 * own[0]
    assert own == pytest.approx(other, rel=1e-9)
