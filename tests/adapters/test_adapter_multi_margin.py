"""The modules of the hinges over classes as drop-ins, and batches of such problems."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.func import jvp, vjp, vmap

import npl.adapters.torch.functional as F
from adapter_cases import labels, logits
from npl.adapters import torch as adapter

NAMES = ["MultiMarginLoss", "MultiLabelMarginLoss"]
FUNCTIONS = ["multi_margin_loss", "multilabel_margin_loss"]
OWN = {"sample_weight": None, "normalizer": None, "empty": "nan"}
X, ONE = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
SEVERAL = torch.tensor([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]])


def arguments(name):
    return X, ONE if name == "MultiMarginLoss" else SEVERAL


def parameters(function, own=()):
    listed = [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]
    return listed + [(name, inspect.Parameter.KEYWORD_ONLY, OWN[name]) for name in own]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_torchs_signature_and_more(name):
    assert parameters(getattr(F, name)) == parameters(getattr(nn.functional, name), OWN)


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_torchs_and_more(name):
    own, other = getattr(adapter, name), getattr(nn, name)
    constructor = parameters(other.__init__, ("normalizer", "empty"))
    assert parameters(own.__init__) == constructor
    call = parameters(other.forward, ("sample_weight", "normalizer"))
    assert parameters(own.forward) == call
    assert issubclass(own, other)
    assert repr(own()) == repr(other())
    for reduction in ("sum", "none", "mean"):
        module, reference = own(reduction=reduction), other(reduction=reduction)
        torch.testing.assert_close(module(*arguments(name)), reference(*arguments(name)))


@pytest.mark.parametrize("options", [{}, {"p": 2, "margin": 0.3}])
def test_the_weight_is_a_buffer(options):
    own = adapter.MultiMarginLoss(weight=torch.rand(3), **options)
    other = nn.MultiMarginLoss(weight=torch.rand(3), **options)
    assert list(own.state_dict()) == list(other.state_dict()) == ["weight"]
    own.load_state_dict(other.state_dict())
    torch.testing.assert_close(own(X, ONE), other(X, ONE))
    for clone in (copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        assert torch.equal(clone(X, ONE), own(X, ONE))
    assert own.half()(X.half(), ONE).dtype == torch.float16


def test_bad_options_raise_at_construction():
    with pytest.raises(ValueError, match="only p == 1 and p == 2 supported"):
        adapter.MultiMarginLoss(p=3)
    with pytest.raises(ValueError, match="MultiMarginLoss: margin is nan"):
        adapter.MultiMarginLoss(margin=float("nan"))


@pytest.mark.parametrize("name", NAMES)
def test_legacy_arguments_warn_as_torch_does(name):
    results = []
    for library in (adapter, nn):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value = getattr(library, name)(size_average=False)(*arguments(name))
        results.append((value, [str(w.message) for w in caught]))
    (own, told), (other, expected) = results
    torch.testing.assert_close(own, other)
    assert told == expected


@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean", "none"])
@pytest.mark.parametrize(
    ("function", "x", "y", "options"),
    [
        (F.multi_margin_loss, logits(6, 4, 3), labels(3, 6, 4), {"p": 2}),
        (F.multi_margin_loss, logits(6, 3), labels(3, 6), {"p": 2}),
        (F.multilabel_margin_loss, logits(6, 4, 3), labels(4, 6, 4, 3) - 1, {}),
        (F.multilabel_margin_loss, logits(6, 3), labels(4, 6, 3) - 1, {}),
        (F.multilabel_margin_loss, logits(6), labels(2, 6) - 1, {}),
    ],
    ids=["rows", "unbatched", "rows of labels", "labels", "scalars"],
)
def test_batches_of_problems_are_what_a_loop_gives(function, x, y, options, reduction):
    def f(x, y):
        return function(x, y, reduction=reduction, **options)

    def gradient(x, y):
        return vjp(lambda x: f(x, y).sum(), x)[1](torch.ones((), dtype=x.dtype))[0]

    def curvature(x, y):
        return jvp(lambda x: gradient(x, y), (x,), (x.cos(),))[1]

    for g in (f, gradient, curvature):
        expected = torch.stack([g(a, b) for a, b in zip(x, y, strict=True)])
        torch.testing.assert_close(vmap(g)(x, y), expected)
