"""The divergence and the likelihoods as drop-ins: modules, numbers as variances, autocast, warnings."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import nn

import npl.adapters.torch.functional as F
from npl.adapters import torch as adapter

NAMES = {
    "KLDivLoss": "kl_div",
    "PoissonNLLLoss": "poisson_nll_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
}
LEGACY = ["KLDivLoss", "PoissonNLLLoss"]
OPTIONS = [
    ("KLDivLoss", {"reduction": "batchmean"}),
    ("KLDivLoss", {"reduction": "sum", "log_target": True}),
    ("PoissonNLLLoss", {}),
    ("PoissonNLLLoss", {"log_input": False, "eps": 0.25, "reduction": "sum"}),
    ("GaussianNLLLoss", {}),
    ("GaussianNLLLoss", {"full": True, "eps": 0.5, "reduction": "none"}),
]


def _arguments(name, dtype=torch.float32):
    torch.manual_seed(3)
    x, y, v = torch.rand(3, 4, 5).to(dtype)
    return (x, y, v) if name == "GaussianNLLLoss" else (x, y)


def _names(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_torchs_and_more(name):
    for own, other, more in (
        (getattr(F, NAMES[name]), getattr(nn.functional, NAMES[name]), 3),
        (getattr(adapter, name).__init__, getattr(nn, name).__init__, 2),
        (getattr(adapter, name).forward, getattr(nn, name).forward, 2),
    ):
        assert _names(own)[:-more] == _names(other)
        assert all(kind is inspect.Parameter.KEYWORD_ONLY for _, kind, _ in _names(own)[-more:])
    assert issubclass(getattr(adapter, name), getattr(nn, name))
    assert repr(getattr(adapter, name)()) == repr(getattr(nn, name)())


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_modules_are_torchs(name, options):
    own, other = getattr(adapter, name)(**options), getattr(nn, name)(**options)
    arguments = _arguments(name)
    expected = other(*arguments)
    for module in (own, copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        torch.testing.assert_close(module(*arguments), expected)
        assert not module.state_dict()
    weight = torch.tensor([1.0, 0.0, 2.0, 1.0])
    if own.reduction == "mean":
        torch.testing.assert_close(
            own(*arguments, sample_weight=weight, normalizer=7.0),
            getattr(nn, name)(**{**options, "reduction": "none"})(*arguments)
            .mul(weight[:, None])
            .sum()
            / 7,
        )


@pytest.mark.parametrize(
    "legacy", [{"size_average": False}, {"size_average": True, "reduce": True}]
)
@pytest.mark.parametrize("name", LEGACY)
def test_legacy_arguments_warn_as_torch_does(name, legacy):
    results = []
    for library in (adapter, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module = getattr(library, name)(**legacy, reduction="sum")
        results.append((module.reduction, [(w.category, str(w.message)) for w in caught]))
    assert results[0] == results[1]
    assert len(results[0][1]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_options_are_checked_at_construction(name):
    with pytest.raises(ValueError, match=f"{name}: reduction is 'avg'"):
        getattr(adapter, name)(reduction="avg")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_under_autocast_a_gaussian_keeps_its_dtype(dtype):
    arguments = _arguments("GaussianNLLLoss", dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = F.gaussian_nll_loss(*arguments)
        other = nn.functional.gaussian_nll_loss(*arguments)
    assert own.dtype == other.dtype == dtype
    torch.testing.assert_close(own, other, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("name", LEGACY)
def test_under_autocast_the_others_are_in_float32(name):
    arguments = _arguments(name, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = getattr(F, NAMES[name])(*arguments, reduction="sum")
        other = getattr(nn.functional, NAMES[name])(*arguments, reduction="sum")
    assert own.dtype == other.dtype == torch.float32


@pytest.mark.parametrize("var", [0.75, 1, torch.tensor(0.75)])
def test_a_variance_may_be_a_number(var):
    x, y, _ = _arguments("GaussianNLLLoss")
    x.requires_grad_()
    expected = nn.functional.gaussian_nll_loss(x, y, torch.full_like(x, float(var)))
    torch.testing.assert_close(F.gaussian_nll_loss(x, y, var), expected)
    own = torch.autograd.grad(F.gaussian_nll_loss(x, y, var), x)
    torch.testing.assert_close(own, torch.autograd.grad(expected, x))


def test_a_negative_variance_raises_with_its_place():
    x, y, v = _arguments("GaussianNLLLoss")
    v[2, 3] = -1
    with pytest.raises(
        ValueError, match=r"GaussianNLLLoss: var\[2, 3\] is -1.0; it must lie in \[0, inf\]"
    ):
        F.gaussian_nll_loss(x, y, v)
    with pytest.raises(ValueError, match="negative entry"):
        nn.functional.gaussian_nll_loss(x, y, v)


def test_one_variance_per_row_without_data():
    x = torch.empty(4, 5, device="meta")
    value = F.gaussian_nll_loss(x, x, torch.empty(4, device="meta"), reduction="none")
    assert value.shape == (4, 5)


def test_an_infinitely_unlikely_target_has_gradients_everywhere():
    x = torch.tensor([-torch.inf, -1.0], requires_grad=True)
    y = torch.tensor([0.0, 1.0], requires_grad=True)
    F.kl_div(x, y, reduction="sum").backward()
    assert x.grad.tolist() == [0, -1]
    assert y.grad.tolist() == [0, 2]
