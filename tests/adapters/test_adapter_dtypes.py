"""Dtypes in and out, half precision, autocast, tensors without data."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import npl.adapters.torch.functional as F
from adapter_cases import CASES, REDUCTIONS

HALVES = [torch.float16, torch.bfloat16]
FLOATS = [*HALVES, torch.float32, torch.float64]


# torch has no rule for these under autocast on the CPU: they stay in half precision, here they may.
UNRULED = {
    "cosine_similarity",
    "gaussian_nll_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "triplet_margin_with_distance_loss",
}


# These are means of what was rounded, or of what the caller computes.
ROUNDED = {"cosine_similarity", "pairwise_distance", "triplet_margin_with_distance_loss"}
# With a weight these are operators of torch, without a rule.
UNRULED_ROWS = {"l1-weighted", "mse-weighted"}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("case", CASES)
def test_dtype_in_is_dtype_out(case, reduction, dtype):
    of, tensors = case.build(reduction, dtype)
    value = of(F)(*tensors)
    value.sum().backward()
    assert value.dtype == dtype
    assert all(t.grad.dtype == dtype for t in tensors)
    if case.name in ROUNDED and dtype in HALVES:
        return
    # The same call in double precision, of the same rounded numbers.
    exact = widened(case, reduction, dtype)[0].to(dtype)
    close = {"rtol": 0, "atol": 0} if dtype in HALVES else {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(value.detach(), exact.detach(), **close)


def widened(case, reduction, dtype, functions=F):
    """Return the value and gradients of a case whose numbers are those of a narrower dtype."""
    of, tensors = case.build(reduction, dtype, widen=True)
    value = of(functions)(*tensors)
    return value, *torch.autograd.grad(value.sum(), tensors)


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


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CASES)
def test_under_autocast_the_loss_is_in_float32(case, dtype):
    of, tensors = case.build("mean", dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = of(F)(*tensors)
    value.backward()
    assert all(t.grad.dtype == dtype for t in tensors)
    if case.name in UNRULED and dtype in HALVES:
        assert value.dtype in (dtype, torch.float32)
        return
    assert value.dtype == (torch.float64 if dtype is torch.float64 else torch.float32)
    expected, *gradients = widened(case, "mean", dtype)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(value.detach(), expected.detach().to(value.dtype), **close)
    for tensor, gradient in zip(tensors, gradients, strict=True):
        if dtype in HALVES:
            close = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 1e-6}
        torch.testing.assert_close(tensor.grad, gradient.to(dtype), **close)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "case",
    [
        row
        for row in CASES
        if row.values[0].name not in UNRULED
        and row.id not in UNRULED_ROWS
        and hasattr(torch.nn.functional, row.values[0].name)
    ],
)
def test_under_autocast_torch_has_the_same_dtypes(case, dtype):
    of, tensors = case.build("mean", dtype)
    tensors = [t.detach() for t in tensors]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert of(torch.nn.functional)(*tensors).dtype == of(F)(*tensors).dtype


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_meta_tensors_have_shapes_and_gradients(case, reduction, dtype):
    of, tensors = case.build(reduction, dtype)
    expected = of(F)(*tensors)
    of, tensors = case.build(reduction, dtype, "meta")
    value = of(F)(*tensors)
    value.sum().backward()
    assert (value.shape, value.dtype, value.device.type) == (expected.shape, dtype, "meta")
    assert all((t.grad.shape, t.grad.dtype) == (t.shape, dtype) for t in tensors)


def test_numbers_go_along_with_meta_tensors():
    x, y = torch.empty(2, 3, device="meta"), torch.empty(2, device="meta", dtype=torch.long)
    for normalizer in (3, 3.0, torch.tensor(3)):
        assert F.cross_entropy(x, y, normalizer=normalizer).is_meta


def test_meta_tensors_that_broadcast():
    x = torch.empty(2, 3, 4, device="meta")
    losses = F.binary_cross_entropy_with_logits(x, x[:1], pos_weight=x[0], reduction="none")
    assert losses.shape == x.shape


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_fake_tensors_have_shapes(case, reduction):
    of, tensors = case.build(reduction)
    expected = of(F)(*tensors).shape
    with FakeTensorMode(allow_non_fake_inputs=True):  # labels may be a tensor of the table
        of, tensors = case.build(reduction)
        assert of(F)(*tensors).shape == expected


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
