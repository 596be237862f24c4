"""Dtypes in and out, half precision, autocast, tensors without data."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import npl.adapters.torch.functional as F
from adapter_cases import Torch as T
from adapter_cases import labels

HALVES = [torch.float16, torch.bfloat16]
FLOATS = [*HALVES, torch.float32, torch.float64]


def _call(functions, name, x, t):
    """Return one of the four losses of logits `x` and a target `t` of zeros and ones."""
    return {
        "ce": lambda: functions.cross_entropy(x, t[:, 0].long()),
        "nll": lambda: functions.nll_loss(x.log_softmax(1), t[:, 0].long()),
        "bce": lambda: functions.binary_cross_entropy(x.sigmoid(), t),
        "bce-logits": lambda: functions.binary_cross_entropy_with_logits(x, t),
    }[name]()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_dtype_in_is_dtype_out(dtype, reduction):
    x = torch.randn(4, 3, dtype=dtype, requires_grad=True)
    y = torch.rand(4, 3, dtype=dtype, requires_grad=True)
    value = F.binary_cross_entropy_with_logits(x, y, reduction=reduction)
    value.sum().backward()
    assert value.dtype == x.grad.dtype == y.grad.dtype == dtype
    with torch.no_grad():
        exact = F.binary_cross_entropy_with_logits(x.double(), y.double(), reduction=reduction)
    torch.testing.assert_close(
        value.detach(), exact.to(dtype), rtol=0, atol=0 if dtype in HALVES else 1e-6
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("other", FLOATS)
def test_mixed_dtypes(dtype, other):
    x = torch.randn(4, 3, dtype=dtype, requires_grad=True)
    y = torch.rand(4, 3, dtype=other, requires_grad=True)
    w = torch.rand(3, dtype=other)
    value = F.cross_entropy(x, y, w)
    value.backward()
    assert (value.dtype, x.grad.dtype, y.grad.dtype) == (dtype, dtype, other)
    (h,) = torch.autograd.grad(
        (torch.autograd.grad(F.cross_entropy(x, y, w), x, create_graph=True)[0] ** 2).sum(), y
    )
    assert h.dtype == other


def test_half_gradients_are_scaled_before_they_are_rounded():
    """A loss scaler's point: 1 / 2**20 is below float16's range, times the scale it is not."""
    x = torch.zeros(2**12, 2, dtype=torch.float16, requires_grad=True)
    y = torch.zeros(2**12, dtype=torch.long)
    loss = F.cross_entropy(x, y, normalizer=2**30)
    (loss.float() * 2**15).backward()
    assert x.grad[0].tolist() == [-(2.0**-16), 2.0**-16]


def test_a_mean_of_many_halves_does_not_overflow():
    x = torch.full((70_000, 2), 0.0, dtype=torch.float16)
    x[:, 0] = 30
    assert F.cross_entropy(x, torch.ones(70_000, dtype=torch.long)) == 30


@pytest.mark.parametrize("name", ["ce", "nll", "bce", "bce-logits"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_under_autocast_the_loss_is_in_float32(name, dtype):
    x = torch.randn(4, 3, dtype=dtype)
    t = torch.randint(0, 2, (4, 3)).to(dtype)
    results = []
    for functions in (F, T):
        own = x.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = _call(functions, name, own, t)
        value.backward()
        results.append((value.detach(), own.grad))
    (value, gradient), (expected, expected_gradient) = results
    assert (
        value.dtype
        == expected.dtype
        == (torch.float64 if dtype is torch.float64 else torch.float32)
    )
    assert gradient.dtype == expected_gradient.dtype == dtype
    torch.testing.assert_close(value, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_meta_and_fake_tensors_have_shapes(reduction):
    shape = (2, 4) if reduction == "none" else ()
    x = torch.empty(2, 3, 4, device="meta", dtype=torch.bfloat16, requires_grad=True)
    y = torch.empty(2, 4, device="meta", dtype=torch.long)
    value = F.cross_entropy(x, y, torch.empty(3, device="meta"), reduction=reduction)
    value.sum().backward()
    assert (value.shape, value.dtype, value.device.type) == (shape, torch.bfloat16, "meta")
    assert x.grad.shape == x.shape
    value = F.binary_cross_entropy_with_logits(x, x[:1], pos_weight=x[0], reduction=reduction)
    assert value.shape == ((2, 3, 4) if reduction == "none" else ())
    with FakeTensorMode():
        assert (
            F.cross_entropy(torch.randn(2, 3, 4), labels(3, 2, 4), reduction=reduction).shape
            == shape
        )


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (torch.zeros(2, 3, dtype=torch.long), TypeError, "has dtype int64; it must be float16"),
        (torch.zeros(2, 3, dtype=torch.complex64), TypeError, "has dtype complex64; it must be"),
        (torch.zeros(2, 3).to_mkldnn(), TypeError, "dense tensors; this one is torch._mkldnn of"),
        (
            torch.zeros(2, 3).to(torch.float8_e4m3fn),
            TypeError,
            "tensors of torch.float8_e4m3fn, torch.int64, one of which NumPy has not",
        ),
    ],
)
def test_what_it_does_not_take(x, error, text):
    with pytest.raises(error, match=text):
        F.cross_entropy(x, torch.tensor([0, 1]))
