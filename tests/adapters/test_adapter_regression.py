"""The modules of the losses of a residual as drop-ins, and what their functions say of a weight."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import nn

from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

MODULES = [
    ("L1Loss", {}),
    ("MSELoss", {}),
    ("SmoothL1Loss", {}),
    ("SmoothL1Loss", {"beta": 0.5}),
    ("HuberLoss", {}),
    ("HuberLoss", {"delta": 0.5}),
]
FUNCTIONS = ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss"]
WEIGHTED = ["l1_loss", "mse_loss", "huber_loss"]


def _defaults(function):
    return {p.name: (p.kind, p.default) for p in inspect.signature(function).parameters.values()}


def _keyword_only(**defaults):
    return {name: (inspect.Parameter.KEYWORD_ONLY, value) for name, value in defaults.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_torchs_signature_and_more(name):
    more = _keyword_only(sample_weight=None, normalizer=None, empty="nan")
    own, other = getattr(F, name), getattr(nn.functional, name)
    assert list(_defaults(own).items()) == list((_defaults(other) | more).items())


@pytest.mark.parametrize(("name", "options"), MODULES)
def test_modules_are_drop_ins(name, options):
    own, other = getattr(adapter, name), getattr(nn, name)
    of_class = _keyword_only(normalizer=None, empty="nan")
    of_call = _keyword_only(sample_weight=None, normalizer=None)
    expected = _defaults(other.__init__) | of_class
    assert list(_defaults(own.__init__).items()) == list(expected.items())
    expected = _defaults(other.forward) | of_call
    assert list(_defaults(own.forward).items()) == list(expected.items())
    a, b = own(**options), other(**options)
    assert repr(a) == repr(b)
    assert not a.state_dict()
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    for module in (a, copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        for reduction in ("sum", "none", "mean"):
            module.reduction = b.reduction = reduction
            torch.testing.assert_close(module(x, y), b(x, y))
    assert a.half()(x.half(), y.half()).dtype == torch.float16
    assert a(x, y, normalizer=2) == pytest.approx(float(own(**options, reduction="sum")(x, y)) / 2)


@pytest.mark.parametrize("name", ["L1Loss", "MSELoss", "SmoothL1Loss"])
def test_legacy_arguments_warn_as_torch_does(name):
    results = []
    for library in (adapter, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module = getattr(library, name)(size_average=False)
        results.append((module.reduction, [(w.category, str(w.message)) for w in caught]))
    assert results[0] == results[1]
    assert len(results[0][1]) == 1


def test_an_unknown_option_is_refused_at_construction():
    with pytest.raises(ValueError, match="beta is -1"):
        adapter.SmoothL1Loss(beta=-1)
    with pytest.raises(ValueError, match="delta is 0"):
        adapter.HuberLoss(delta=0)
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        adapter.MSELoss(reduction="avg")


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_weight_is_a_constant(name):
    function = getattr(F, name)
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    weight = torch.rand(4, 3)
    expected = getattr(nn.functional, name)(x, y, weight=weight)
    torch.testing.assert_close(function(x, y, weight=weight), expected)
    with pytest.raises(RuntimeError, match="weight requires a gradient"):
        function(x, y, weight=weight.requires_grad_())


def test_both_arguments_may_require_a_gradient_and_its_own():
    x, y = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    gradients = torch.autograd.grad(F.mse_loss(x, y, reduction="sum"), (x, y), create_graph=True)
    torch.testing.assert_close(gradients[0], 2 * (x - y))
    torch.testing.assert_close(gradients[1], 2 * (y - x))
    second = torch.autograd.grad(gradients[0].sum(), (x, y))
    assert [g.tolist() for g in second] == [[2.0] * 5, [-2.0] * 5]
