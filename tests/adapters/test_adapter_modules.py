"""The modules as drop-ins: signatures, attributes, state_dict, copies."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import nn

from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F

MODULES = ["CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss"]
FUNCTIONS = [
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]

OWN = {"sample_weight": None, "normalizer": None, "empty": "nan"}
IN_CONSTRUCTOR = {"normalizer": None, "empty": "nan"}
AT_CALL = {"sample_weight": None, "normalizer": None}


def _parameters(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def _keyword_only(defaults):
    return [(name, inspect.Parameter.KEYWORD_ONLY, value) for name, value in defaults.items()]


def _arguments(module):
    """Return an input and a target for a module of any of the four."""
    if module.__name__ in ("CrossEntropyLoss", "NLLLoss"):
        return torch.randn(4, 3).log_softmax(1), torch.tensor([0, 2, 1, 1])
    return torch.rand(4, 3), torch.rand(4, 3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_torchs_signature_and_more(name):
    own, other = getattr(F, name), getattr(nn.functional, name)
    assert _parameters(own) == _parameters(other) + _keyword_only(OWN)


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_torchs_signature_and_more(name):
    own, other = getattr(adapter, name), getattr(nn, name)
    assert _parameters(own.__init__) == _parameters(other.__init__) + _keyword_only(IN_CONSTRUCTOR)
    assert _parameters(own.forward) == _parameters(other.forward) + _keyword_only(AT_CALL)
    assert issubclass(own, other)
    assert repr(own()) == repr(other())
    assert own.__doc__ != other.__doc__


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("buffers", [(), ("weight",), ("weight", "pos_weight")])
def test_state_dict_round_trip_with_torchs_own(name, buffers):
    own, other = getattr(adapter, name), getattr(nn, name)
    if "pos_weight" in buffers and name != "BCEWithLogitsLoss":
        pytest.skip("has no pos_weight")
    a = own(**{buffer: torch.rand(3) for buffer in buffers})
    b = other(**{buffer: torch.rand(3) for buffer in buffers})
    assert list(a.state_dict()) == list(b.state_dict()) == list(buffers)
    a.load_state_dict(b.state_dict())
    arguments = _arguments(own)
    torch.testing.assert_close(a(*arguments), b(*arguments))
    b.load_state_dict(a.state_dict())
    assert all(torch.equal(a.state_dict()[key], b.state_dict()[key]) for key in buffers)


@pytest.mark.parametrize("name", MODULES)
def test_casts_move_the_buffers(name):
    module = getattr(adapter, name)(weight=torch.rand(3))
    assert module.half().weight.dtype == torch.float16
    x, y = _arguments(type(module))
    assert module(x.half(), y.half() if y.is_floating_point() else y).dtype == torch.float16
    assert module.to("meta").weight.is_meta


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(name, clone):
    module = getattr(adapter, name)(weight=torch.rand(3), reduction="sum", empty="zero")
    arguments = _arguments(type(module))
    copied = clone(module)
    assert torch.equal(copied(*arguments), module(*arguments))
    assert (copied.reduction, copied.empty) == ("sum", "zero")
    copied.weight.zero_()
    assert module.weight.count_nonzero() == 3


def test_a_graph_can_be_followed_after_the_module_is_gone():
    x = torch.randn(4, 3, requires_grad=True)
    loss = adapter.CrossEntropyLoss(weight=torch.rand(3))(x, torch.tensor([0, 2, 1, 1]))
    loss.backward()
    assert x.grad.count_nonzero() == 12


@pytest.mark.parametrize("name", MODULES)
def test_options_may_change_after_construction(name):
    own, other = getattr(adapter, name)(), getattr(nn, name)()
    arguments = _arguments(type(own))
    for reduction in ("sum", "none", "mean"):
        own.reduction = other.reduction = reduction
        torch.testing.assert_close(own(*arguments), other(*arguments))


@pytest.mark.parametrize(
    "legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}]
)
@pytest.mark.parametrize("name", MODULES)
def test_legacy_arguments_warn_as_torch_does(name, legacy):
    results = []
    for library in (adapter, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module = getattr(library, name)(**legacy, reduction="sum")
        results.append((module.reduction, [(w.category, str(w.message)) for w in caught]))
    assert results[0] == results[1]
    assert len(results[0][1]) == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_legacy_arguments_of_functions_warn_where_they_are_given(name):
    x, y = (torch.rand(4, 3), torch.rand(4, 3))
    if name in FUNCTIONS[:2]:
        y = torch.tensor([0, 2, 1, 1])
    with pytest.warns(UserWarning, match="please use reduction='sum' instead") as caught:
        value = getattr(F, name)(x, y, size_average=False)
    assert [w.filename for w in caught] == [__file__]
    assert torch.equal(value, getattr(F, name)(x, y, reduction="sum"))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"reduction": "avg"}, ValueError, "CrossEntropyLoss: reduction is 'avg'"),
        ({"empty": "no"}, ValueError, "CrossEntropyLoss: empty is 'no'"),
        ({"label_smoothing": 2.0}, ValueError, "CrossEntropyLoss: label_smoothing is 2.0"),
    ],
)
def test_an_unknown_option_is_refused_at_construction(options, error, text):
    with pytest.raises(error, match=text):
        adapter.CrossEntropyLoss(**options)


def test_normalizer_and_empty_of_the_module():
    x, y = _arguments(adapter.CrossEntropyLoss)
    total = adapter.CrossEntropyLoss(reduction="sum")(x, y)
    module = adapter.CrossEntropyLoss(normalizer=8)
    torch.testing.assert_close(module(x, y), total / 8)
    torch.testing.assert_close(module(x, y, normalizer=torch.tensor(2)), total / 2)
    assert adapter.CrossEntropyLoss(empty="zero")(x[:0], y[:0]) == 0
    with pytest.raises(ValueError, match="mean of nothing"):
        adapter.CrossEntropyLoss(empty="raise")(x[:0], y[:0])


@pytest.mark.parametrize(
    ("normalizer", "error"), [(-1.0, ValueError), ("a", TypeError), (float("nan"), ValueError)]
)
def test_a_normalizer_is_checked_at_construction(normalizer: object, error: type) -> None:
    with pytest.raises(error, match="normalizer"):
        adapter.BCELoss(normalizer=normalizer)
