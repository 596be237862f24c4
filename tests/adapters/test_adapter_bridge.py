"""`from_npl`: NPL losses and functions of arrays as modules."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import npl
import npl.adapters.torch.functional as F
import npl.functional
from adapter_cases import labels
from npl.adapters.torch import from_npl


def smoothed(input, target, smoothing=0.1):
    """Return a loss of the user's own."""
    return npl.functional.cross_entropy(input, target, label_smoothing=smoothing)


def _data(dtype=torch.float64):
    x = torch.randn(4, 3, dtype=dtype, requires_grad=True)
    return x, labels(3, 4)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (npl.CrossEntropyLoss(label_smoothing=0.1), {"label_smoothing": 0.1}),
        (npl.CrossEntropyLoss([1.0, 2.0, 3.0]), {"weight": torch.tensor([1.0, 2.0, 3.0])}),
        (npl.CrossEntropyLoss(reduction="none"), {"reduction": "none"}),
        (npl.functional.cross_entropy, {}),
        (smoothed, {"label_smoothing": 0.1}),
    ],
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_it_is_the_loss(loss, options, dtype):
    x, y = _data(dtype)
    results = []
    for f in (from_npl(loss), lambda x, y: F.cross_entropy(x, y, **options)):
        value = f(x, y)
        results.append((value, *torch.autograd.grad(value.sum(), x)))
    torch.testing.assert_close(*results, rtol=0, atol=0)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_derivatives_of_a_loss(reduction):
    x, _ = _data()
    y = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    w = torch.tensor([1.0, 0.5, 0.0, 2.0])
    module = from_npl(npl.BCEWithLogitsLoss(np.array([1.0, 2.0, 3.0]), reduction=reduction))

    def f(x, y):
        return module(x, y, sample_weight=w)

    torch.testing.assert_close(
        f(x, y),
        F.binary_cross_entropy_with_logits(
            x, y, torch.tensor([1.0, 2.0, 3.0]), reduction=reduction, sample_weight=w
        ),
    )
    assert gradcheck(f, (x, y), check_forward_ad=True)
    assert gradgradcheck(f, (x, y), check_fwd_over_rev=True)


def test_derivatives_of_a_function():
    x, y = _data()
    module = from_npl(smoothed)
    assert gradcheck(lambda x: module(x, y, smoothing=0.3), x, check_forward_ad=True)
    assert gradgradcheck(lambda x: module(x, y, smoothing=0.3), x, check_fwd_over_rev=True)


def test_a_function_gets_arrays_and_what_else_it_was_given():
    seen = {}

    def loss(scale, input, target, *, weight, name):
        seen.update(scale=scale, target=target, weight=weight, name=name)
        return npl.functional.cross_entropy(input, target, weight)

    x, y = _data(torch.float32)
    w = torch.tensor([1.0, 2.0, 3.0])
    value = from_npl(loss)(2, x, y, weight=w, name="own")
    assert torch.equal(value, F.cross_entropy(x, y, w))
    assert (seen["scale"], seen["name"]) == (2, "own")
    assert np.shares_memory(seen["target"], y.numpy())
    assert np.shares_memory(seen["weight"], w.numpy())


def test_a_function_cannot_write_to_the_tensors():
    def rude(input, target):
        if isinstance(input, np.ndarray):
            input -= input.max()
        return npl.functional.cross_entropy(input, target)

    x, y = _data()
    before = x.detach().clone()
    with pytest.raises(ValueError, match="read-only"):
        from_npl(rude)(x.detach(), y)
    assert torch.equal(x, before)


@pytest.mark.parametrize("strange", [lambda a: a[::-1], lambda a: a, lambda a: a.astype(">f8")])
def test_a_value_of_a_function_is_the_callers_own(strange):
    x = torch.arange(3.0, dtype=torch.float64)
    value = from_npl(lambda a: strange(a))(x)
    np.testing.assert_array_equal(value.numpy(), strange(x.numpy()))
    value.zero_()
    assert x.tolist() == [0, 1, 2]


def test_arrays_and_lists_may_stand_for_constant_tensors_of_a_loss():
    x, y = _data(torch.float32)
    module = from_npl(npl.CrossEntropyLoss())
    expected = F.cross_entropy(x, y, sample_weight=torch.tensor([1.0, 2.0, 3.0, 4.0]), normalizer=3)
    value = module(x, y.numpy(), sample_weight=[1.0, 2.0, 3.0, 4.0], normalizer=3)
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("loss", [npl.CrossEntropyLoss([1.0, 2.0, 3.0]), smoothed])
def test_copies(loss, clone):
    x, y = _data()
    module = from_npl(loss)
    copied = clone(module)
    del module
    assert torch.equal(copied(x, y), from_npl(loss)(x, y))


def test_it_says_what_it_was_made_of():
    assert "label_smoothing=0.1" in repr(from_npl(npl.CrossEntropyLoss(label_smoothing=0.1)))
    assert "smoothed" in repr(from_npl(smoothed))


def test_without_a_tensor_it_says_what_to_do():
    with pytest.raises(TypeError, match=r"smoothed: no argument is a torch\.Tensor"):
        from_npl(smoothed)(np.zeros((1, 2)), np.array([0]))
