"""Derivatives of every kind, against finite differences and against torch."""

import pytest
import torch
from torch.autograd import forward_ad, functional, gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import npl.adapters.torch.functional as F
from adapter_cases import CASES, REDUCTIONS, labels, logits
from adapter_cases import Torch as T

CLOSE = {"rtol": 1e-8, "atol": 1e-10}  # torch's second derivatives of BCE have an epsilon of 1e-12


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_finite_differences(case, reduction):
    of, tensors = case.build(reduction)
    every = {
        "check_forward_ad": True,
        "check_batched_grad": True,
        "check_batched_forward_grad": True,
    }
    assert gradcheck(of(F), tensors, **every)
    assert gradgradcheck(of(F), tensors, check_fwd_over_rev=True, check_batched_grad=True)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_fast_finite_differences(case, reduction):
    of, tensors = case.build(reduction)
    assert gradcheck(of(F), tensors, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(of(F), tensors, check_fwd_over_rev=True, fast_mode=True)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("transform", [jacrev, jacfwd])
def test_jacobian(case, reduction, transform):
    of, tensors = case.build(reduction)
    numbers = tuple(range(len(tensors)))
    own = transform(of(F), argnums=numbers)(*tensors)
    other = jacrev(of(T), argnums=numbers)(*tensors)
    torch.testing.assert_close(own, other, **CLOSE)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("outer", [jacrev, jacfwd])
@pytest.mark.parametrize("inner", [jacrev, jacfwd])
def test_second_derivatives_by_every_pair_of_modes(case, reduction, outer, inner):
    of, tensors = case.build(reduction)
    numbers = tuple(range(len(tensors)))
    own = outer(inner(of(F), argnums=numbers), argnums=numbers)(*tensors)
    other = jacrev(jacrev(of(T), argnums=numbers), argnums=numbers)(*tensors)
    torch.testing.assert_close(own, other, **CLOSE)


def test_transforms_of_torch_func():
    x, y, v = logits(4, 3), labels(3, 4), logits(4, 3)

    def own(x):
        return F.cross_entropy(x, y)

    def other(x):
        return T.cross_entropy(x, y)

    for transform in (grad, hessian, lambda f: lambda x: jvp(f, (x,), (v,))):
        torch.testing.assert_close(transform(own)(x), transform(other)(x), **CLOSE)
    pulled, expected = (vjp(f, x)[1](torch.tensor(3.0).double()) for f in (own, other))
    torch.testing.assert_close(pulled, expected, **CLOSE)


@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean", "none"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (logits(6, 1, 3), labels(3, 6, 1)),
        (logits(6, 4, 3), labels(3, 6, 4)),
        (logits(6, 3), labels(3, 6)),
        (logits(6, 2, 3, 2), labels(3, 6, 2, 2)),
        (logits(6, 2, 3), logits(6, 2, 3).softmax(-1)),
        (logits(6, 3, 3), torch.full((6, 3), -100)),
        (logits(6, 4, 3), torch.tensor([[0, 1, -100, 2]] * 6)),
    ],
    ids=["row", "rows", "unbatched", "images", "soft", "all ignored", "one ignored"],
)
def test_batches_of_problems_are_what_a_loop_gives(x, y, reduction):
    def f(x, y):
        return F.cross_entropy(x, y, reduction=reduction)

    def gradient(x, y):
        return vjp(lambda x: f(x, y).sum(), x)[1](torch.ones((), dtype=x.dtype))[0]

    def curvature(x, y):
        return jvp(lambda x: gradient(x, y), (x,), (x.cos(),))[1]

    def change(x, y):
        return jvp(lambda x: f(x, y), (x,), (x.cos(),))[1]

    for function in (f, gradient, curvature, change):
        expected = torch.stack([function(*pair) for pair in zip(x, y, strict=True)])
        torch.testing.assert_close(vmap(function)(x, y), expected, equal_nan=True, **CLOSE)


def test_batch_dimensions_anywhere_and_missing():
    x, y, w = logits(4, 3, 6), labels(3, 4), torch.rand(3, 6, dtype=torch.float64) + 0.5

    def f(functions):
        return lambda x, w: functions.cross_entropy(x, y, w)

    own, other = (vmap(f(functions), in_dims=(2, 1))(x, w) for functions in (F, T))
    torch.testing.assert_close(own, other, **CLOSE)
    own, other = (vmap(f(functions), in_dims=(None, 1))(x[..., 0], w) for functions in (F, T))
    torch.testing.assert_close(own, other, **CLOSE)


def test_per_sample_gradients_are_few_passes(count_passes):
    x, y = torch.randn(300, 10), labels(10, 300)

    def own(row, label):
        return F.cross_entropy(row[None], label[None])

    def other(row, label):
        return T.cross_entropy(row[None], label[None])

    gradients = vmap(grad(own))(x, y)
    assert len(count_passes) <= 4
    torch.testing.assert_close(gradients, vmap(grad(other))(x, y))


def test_a_batch_of_cotangents_through_autograd():
    x, y, c = logits(4, 3).requires_grad_(), labels(3, 4), logits(5, 4)
    own, other = (
        torch.autograd.grad(
            functions.cross_entropy(x, y, reduction="none"), x, c, is_grads_batched=True
        )
        for functions in (F, T)
    )
    torch.testing.assert_close(own, other, **CLOSE)


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("outer", [True, False])
def test_vectorized_jacobians(inner, outer):
    x, y = logits(3, 4), labels(4, 3)

    def twice(functions, inner, outer):
        def f(x):
            return functions.cross_entropy(x, y, reduction="none")

        def jacobian(x):
            return functional.jacobian(f, x, create_graph=True, vectorize=inner)

        return functional.jacobian(jacobian, x, vectorize=outer)

    torch.testing.assert_close(twice(F, inner, outer), twice(T, False, False), **CLOSE)


@pytest.mark.parametrize("name", ["hvp", "vhp", "hessian", "jacobian"])
def test_autograd_functional(name):
    x, y = logits(4, 3), labels(3, 4)
    more = (logits(4, 3),) if name in ("hvp", "vhp") else ()
    own, other = (
        getattr(functional, name)(lambda x, f=f: f.cross_entropy(x, y), x, *more) for f in (F, T)
    )
    torch.testing.assert_close(own, other, **CLOSE)


def test_forward_mode_over_backward():
    x, y, v = logits(4, 3).requires_grad_(), labels(3, 4), logits(4, 3)
    products = []
    for functions in (F, T):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, v)
            (gradient,) = torch.autograd.grad(functions.cross_entropy(dual, y), dual)
            products.append(forward_ad.unpack_dual(gradient).tangent)
    torch.testing.assert_close(*products, **CLOSE)


@pytest.mark.parametrize(
    "third",
    [
        lambda f, x: jacrev(jacrev(jacrev(f)))(x),
        lambda f, x: jacfwd(jacfwd(jacfwd(f)))(x),
        lambda f, x: jacfwd(hessian(f))(x),
        lambda f, x: functional.jacobian(lambda x: functional.hessian(f, x, create_graph=True), x),
    ],
)
def test_a_third_derivative_is_refused(third):
    x, y = logits(2, 3), labels(3, 2)
    with pytest.raises(RuntimeError, match="CrossEntropyLoss: NPL has derivatives up to second"):
        third(lambda x: F.cross_entropy(x, y), x)
