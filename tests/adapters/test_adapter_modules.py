"""The modules as drop-ins: signatures, attributes, state_dict, copies."""

import copy
import inspect
import pickle
import re
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from adapter_cases.arguments import arguments_of_function, arguments_of_module, construct
from npl.adapters import torch as adapter
from npl.adapters.torch import functional as F


# Functions that torch has built in, without a signature to inspect.
def _cosine_similarity(x1, x2, dim=1, eps=1e-8): ...
def _pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False): ...


BUILT_IN = {"cosine_similarity": _cosine_similarity, "pairwise_distance": _pairwise_distance}


def _torchs_function(name):
    return BUILT_IN.get(name) or getattr(nn.functional, name)


def _has(callable_, argument):
    return argument in inspect.signature(callable_).parameters


MODULES = [name for name in adapter.__all__ if name in nn.modules.__all__]
FUNCTIONS = [name for name in F.__all__ if hasattr(nn.functional, name)]
# What is reduced has NPL's keywords; distances and similarities have only torch's.
REDUCED = [name for name in MODULES if _has(getattr(nn, name), "reduction")]
WEIGHTED = [name for name in MODULES if _has(getattr(nn, name), "weight")]
DEPRECATED = [name for name in MODULES if _has(getattr(nn, name), "size_average")]
DEPRECATED_FUNCTIONS = [name for name in FUNCTIONS if _has(_torchs_function(name), "size_average")]

OWN = {"sample_weight": None, "normalizer": None, "empty": "nan"}
IN_CONSTRUCTOR = {"normalizer": None, "empty": "nan"}
AT_CALL = {"sample_weight": None, "normalizer": None}


def _parameters(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def _keyword_only(defaults):
    return [(name, inspect.Parameter.KEYWORD_ONLY, value) for name, value in defaults.items()]


@contextmanager
def _without_warnings():
    """Torch warns of the mean of a divergence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _weights(name):
    return {"weight": torch.rand(3) + 0.5} if name in WEIGHTED else {}


def _assert_same_results(own, other, arguments):
    with _without_warnings():
        torch.testing.assert_close(tuple_of(own(*arguments)), tuple_of(other(*arguments)))


def tuple_of(value):
    return tuple(value) if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_torchs_signature_and_more(name):
    own, other = getattr(F, name), _torchs_function(name)
    more = OWN if _has(other, "reduction") else {}
    assert _parameters(own) == _parameters(other) + _keyword_only(more)


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_torchs_signature_and_more(name):
    own, other = getattr(adapter, name), getattr(nn, name)
    in_constructor, at_call = (IN_CONSTRUCTOR, AT_CALL) if name in REDUCED else ({}, {})
    assert _parameters(own.__init__) == _parameters(other.__init__) + _keyword_only(in_constructor)
    assert _parameters(own.forward) == _parameters(other.forward) + _keyword_only(at_call)
    assert issubclass(own, other)
    assert repr(construct(adapter, name)) == repr(construct(nn, name))
    assert own.__doc__ != other.__doc__


@pytest.mark.parametrize(
    ("name", "buffers"),
    [
        *((name, ()) for name in MODULES),
        *((name, ("weight",)) for name in WEIGHTED),
        ("BCEWithLogitsLoss", ("weight", "pos_weight")),
    ],
)
def test_state_dict_round_trip_with_torchs_own(name, buffers):
    own, other = (
        construct(library, name, **{buffer: torch.rand(3) for buffer in buffers})
        for library in (adapter, nn)
    )
    assert list(own.state_dict()) == list(other.state_dict())
    assert set(buffers) <= set(own.state_dict())
    own.load_state_dict(other.state_dict())
    arguments = arguments_of_module(name)
    _assert_same_results(own, other, arguments)
    other.load_state_dict(own.state_dict())
    for key, value in other.state_dict().items():
        assert torch.equal(own.state_dict()[key], value)


@pytest.mark.parametrize("name", MODULES)
def test_casts_move_the_buffers(name):
    module = construct(adapter, name, **_weights(name)).half()
    assert all(t.dtype == torch.float16 for t in module.state_dict().values())
    halves = [
        t.half() if isinstance(t, Tensor) and t.is_floating_point() else t
        for t in arguments_of_module(name)
    ]
    assert all(t.dtype == torch.float16 for t in tuple_of(module(*halves)))
    assert all(t.is_meta for t in module.to("meta").state_dict().values())


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies(name, clone):
    options = {"reduction": "sum", "empty": "zero"} if name in REDUCED else {}
    module = construct(adapter, name, **_weights(name), **options)
    arguments = arguments_of_module(name)
    copied = clone(module)
    for own, other in zip(tuple_of(copied(*arguments)), tuple_of(module(*arguments)), strict=True):
        assert torch.equal(own, other)
    assert {option: getattr(copied, option) for option in options} == options
    if name in WEIGHTED:
        copied.weight.zero_()
        assert module.weight.count_nonzero() == 3


def test_a_graph_can_be_followed_after_the_module_is_gone():
    x = torch.randn(4, 3, requires_grad=True)
    loss = adapter.CrossEntropyLoss(weight=torch.rand(3))(x, torch.tensor([0, 2, 1, 1]))
    loss.backward()
    assert x.grad.count_nonzero() == 12


@pytest.mark.parametrize("name", REDUCED)
def test_options_may_change_after_construction(name):
    own, other = construct(adapter, name), construct(nn, name)
    own.load_state_dict(other.state_dict())
    arguments = arguments_of_module(name)
    for reduction in ("sum", "none", "mean"):
        own.reduction = other.reduction = reduction
        _assert_same_results(own, other, arguments)


@pytest.mark.parametrize(
    "legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}]
)
@pytest.mark.parametrize("name", DEPRECATED)
def test_legacy_arguments_warn_as_torch_does(name, legacy):
    results = []
    for library in (adapter, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module = construct(library, name, **legacy, reduction="sum")
        results.append((module.reduction, [(w.category, str(w.message)) for w in caught]))
    assert results[0] == results[1]
    assert len(results[0][1]) == 1


@pytest.mark.parametrize("name", DEPRECATED_FUNCTIONS)
def test_legacy_arguments_of_functions_warn_where_they_are_given(name):
    arguments = arguments_of_function(name)
    with pytest.warns(UserWarning, match="please use reduction='sum' instead") as caught:
        value = getattr(F, name)(*arguments, size_average=False)
    assert [w.filename for w in caught] == [__file__]
    assert torch.equal(value, getattr(F, name)(*arguments, reduction="sum"))


@pytest.mark.parametrize(("option", "value"), [("reduction", "avg"), ("empty", "no")])
@pytest.mark.parametrize("name", REDUCED)
def test_an_unknown_option_is_refused_at_construction(name, option, value):
    with pytest.raises(ValueError, match=f"{name}: {option} is '{value}'"):
        construct(adapter, name, **{option: value})


@pytest.mark.parametrize(
    ("name", "option", "value", "error"),
    [
        ("CrossEntropyLoss", "label_smoothing", 2.0, ValueError),
        ("HingeEmbeddingLoss", "margin", "1", TypeError),
        ("HuberLoss", "delta", 0, ValueError),
        ("MarginRankingLoss", "margin", "1", TypeError),
        ("MultiMarginLoss", "margin", float("nan"), ValueError),
        ("SmoothL1Loss", "beta", -1, ValueError),
    ],
)
def test_an_option_out_of_its_range_is_refused_at_construction(name, option, value, error):
    with pytest.raises(error, match=re.escape(f"{name}: {option} is {value!r}")):
        getattr(adapter, name)(**{option: value})


def test_a_power_that_torch_refuses_is_refused_in_its_words():
    with pytest.raises(ValueError, match="only p == 1 and p == 2 supported"):
        adapter.MultiMarginLoss(p=3)


@pytest.mark.parametrize("name", REDUCED)
def test_normalizer_of_the_module(name):
    arguments = arguments_of_module(name)
    module = construct(adapter, name, normalizer=8)
    with _without_warnings():
        value = module(*arguments)
        assert value.dtype == torch.float32
        for normalizer in (2, 2.0, torch.tensor(2)):
            torch.testing.assert_close(module(*arguments, normalizer=normalizer), value * 4)


@pytest.mark.parametrize("name", REDUCED)
def test_sample_weight_of_the_module(name):
    arguments = arguments_of_module(name)
    summed, each = (construct(adapter, name, reduction=r) for r in ("sum", "none"))
    each.load_state_dict(summed.state_dict())
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5])
    expected = each(*arguments).reshape(4, -1).sum(1) @ weight
    torch.testing.assert_close(summed(*arguments, sample_weight=weight), expected)


def test_a_mean_is_the_sum_over_the_normalizer():
    x, y = arguments_of_module("CrossEntropyLoss")
    total = adapter.CrossEntropyLoss(reduction="sum")(x, y)
    torch.testing.assert_close(adapter.CrossEntropyLoss(normalizer=8)(x, y), total / 8)


def test_empty_of_the_module():
    x, y = (argument[:0] for argument in arguments_of_module("CrossEntropyLoss"))
    assert adapter.CrossEntropyLoss(empty="zero")(x, y) == 0
    with pytest.raises(ValueError, match="mean of nothing"):
        adapter.CrossEntropyLoss(empty="raise")(x, y)


@pytest.mark.parametrize(
    ("normalizer", "error"), [(-1.0, ValueError), ("a", TypeError), (float("nan"), ValueError)]
)
@pytest.mark.parametrize("name", REDUCED)
def test_a_normalizer_is_checked_at_construction(name, normalizer, error):
    with pytest.raises(error, match="normalizer"):
        construct(adapter, name, normalizer=normalizer)
