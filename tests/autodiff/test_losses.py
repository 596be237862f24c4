"""NPL's losses inside a user's expression: their own analytic formulas, to both orders."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from npl.engine.problem import Problem
from tests.support.cases import EVERY_CASE, Case

RNG = np.random.default_rng(0)


def close(got: Any, expected: Any, rtol: float = 1e-12) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(got, expected, rtol=0, atol=rtol * scale + 1e-300)


def drawn(case: Case, n: int = 3) -> tuple[Any, ...]:
    return case.sample(np.random.default_rng(7), np.float64, n)


@EVERY_CASE
def test_a_scaled_sum_of_a_loss(case: Case) -> None:
    """The loss under scale, sum and a second term, against the loss itself."""
    loss = case.make(reduction="none")
    arguments = drawn(case)
    numbers = case.differentiable
    losses = loss(*arguments)
    factors = np.random.default_rng(1).uniform(0.5, 2, np.shape(losses))
    vectors = tuple(
        RNG.normal(size=np.shape(argument)) if i in numbers else None
        for i, argument in enumerate(arguments)
    )

    def composed(*arguments: Any) -> Any:
        value = loss(*arguments)
        return np.sum(3 * factors * value) + 0.5 * np.sum(arguments[numbers[0]] ** 2)

    value, gradients = npl.value_and_grad(composed, numbers)(*arguments)
    products = npl.hvp(composed, arguments, vectors)
    direct, pullback = npl.vjp(loss, *arguments)
    np.testing.assert_array_equal(direct, losses)
    close(value, np.sum(3 * factors * losses) + 0.5 * np.sum(np.square(arguments[numbers[0]])))
    own = pullback(3 * factors)
    direct_products = npl.hvp(loss, arguments, vectors, cotangent=3 * factors)
    for place, number in enumerate(numbers):
        more = arguments[number] if place == 0 else 0
        more_curvature = vectors[number] if place == 0 else 0
        close(gradients[place], own[number] + more)
        close(products[number], direct_products[number] + more_curvature)
    _, change = npl.jvp(composed, arguments, vectors)
    close(change, sum(np.sum(gradients[k] * vectors[n]) for k, n in enumerate(numbers)), 1e-9)


@EVERY_CASE
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_reduced_loss_of_a_function(case: Case, reduction: Any) -> None:
    """The loss of an argument that is itself computed: the chain rule to both orders."""
    loss = case.make(reduction=reduction)
    arguments = drawn(case)
    number = case.differentiable[0]
    x = np.asarray(arguments[number])
    shift, vector = RNG.normal(size=x.shape), RNG.normal(size=x.shape)

    def of(t: Any) -> Any:
        # At t = 0 the argument is x; its derivative is shift, its second one 2 times vector.
        moved = x + t * 1e-3 * shift + t**2 * 1e-3 * vector
        return loss(*[moved if i == number else a for i, a in enumerate(arguments)])

    def nested(t: Any) -> Any:
        return 2 * of(t) + np.exp(t)

    t = np.float64(0.0)
    value, slope = npl.value_and_grad(nested)(t)
    curvature = npl.hvp(nested, (t,), np.float64(1.0))
    direct_value, gradient = npl.value_and_grad(loss, number)(*arguments)
    product = npl.hvp(
        loss, arguments, tuple(shift if i == number else None for i in range(number + 1))
    )
    close(value, 2 * direct_value + 1)
    close(slope, 2e-3 * np.sum(gradient * shift) + 1, 1e-9)
    expected = 2e-6 * np.sum(product[number] * shift) + 4e-3 * np.sum(gradient * vector) + 1
    close(curvature, expected, 1e-9)
    close(npl.hessian(nested)(t), expected, 1e-9)
    close(npl.hessian_diag(nested)(t), expected, 1e-9)


def softmax_regression(w: Any, x: Any, y: Any, lam: float) -> Any:
    return F.cross_entropy(x @ w, y) + 0.5 * lam * np.sum(w**2)


def test_softmax_regression() -> None:
    """The expression of the issue, against its textbook derivatives."""
    x, y, w = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20), RNG.normal(size=(4, 3))
    v, lam = RNG.normal(size=(4, 3)), 0.1
    p = npl.special.softmax(x @ w, 1)
    onehot = np.eye(3)[y]
    value, gradient = npl.value_and_grad(softmax_regression)(w, x, y, lam)
    close(value, -np.mean(np.log(p[np.arange(20), y])) + 0.05 * np.sum(w**2))
    close(gradient, x.T @ (p - onehot) / 20 + lam * w)
    xv = x @ v
    middle = p * (xv - np.sum(p * xv, 1, keepdims=True))
    close(npl.hvp(softmax_regression, (w, x, y, lam), v), x.T @ middle / 20 + lam * v)
    dense = npl.hessian(softmax_regression)(w, x, y, lam).reshape(12, 12)
    close(dense @ v.ravel(), (x.T @ middle / 20 + lam * v).ravel())
    close(npl.hessian_diag(softmax_regression)(w, x, y, lam), np.diagonal(dense).reshape(4, 3))
    _, change = npl.jvp(softmax_regression, (w, x, y, lam), v)
    close(change, np.sum(gradient * v))
    npl.check_grads(lambda w: softmax_regression(w, x, y, lam), (w,))


def network(p: Any, x: Any, y: Any) -> Any:
    hidden = np.maximum(x @ p["w1"] + p["b1"], 0)
    logits = np.tanh(hidden) @ p["w2"] + p["b2"]
    return F.cross_entropy(logits, y, label_smoothing=0.1) + 1e-2 * sum(
        np.sum(p[k] ** 2) for k in ("w1", "w2")
    )


def test_a_two_layer_network_against_torch() -> None:
    torch = pytest.importorskip("torch")
    p = {
        "w1": RNG.normal(size=(4, 5)), "b1": RNG.normal(size=5),
        "w2": RNG.normal(size=(5, 3)), "b2": RNG.normal(size=3),
    }  # fmt: skip
    x, y = RNG.normal(size=(8, 4)), RNG.integers(0, 3, 8)
    value, gradients = npl.value_and_grad(network)(p, x, y)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in p.items()}

    def theirs(*values: Any) -> Any:
        t = dict(zip(tensors, values, strict=True))
        hidden = torch.relu(torch.tensor(x) @ t["w1"] + t["b1"])
        logits = torch.tanh(hidden) @ t["w2"] + t["b2"]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y), label_smoothing=0.1)
        return loss + 1e-2 * (t["w1"].square().sum() + t["w2"].square().sum())

    loss = theirs(*tensors.values())
    loss.backward()
    close(value, loss.item())
    for k, tensor in tensors.items():
        close(gradients[k], tensor.grad.numpy(), 1e-11)
    v = {k: RNG.normal(size=a.shape) for k, a in p.items()}
    (products,) = npl.hvp(network, (p, x, y), (v,))
    _, expected = torch.autograd.functional.hvp(
        theirs, tuple(tensors.values()), tuple(torch.tensor(a) for a in v.values())
    )
    for k, product in zip(p, expected, strict=True):
        close(products[k], product.numpy(), 1e-11)


def test_mixed_terms_and_weights() -> None:
    x, y, z = RNG.normal(size=(6, 3)), RNG.integers(0, 3, 6), RNG.uniform(size=(6, 3))
    weight = np.array([1.0, 0.5, 2.0])

    def f(w: Any) -> Any:
        logits = x @ w
        return (
            F.cross_entropy(logits, y, weight=weight, sample_weight=np.arange(6.0))
            + 0.3 * F.binary_cross_entropy_with_logits(logits, z, reduction="sum")
            + np.exp(-F.mse_loss(np.tanh(logits), z)) * F.l1_loss(logits, z + 9)
        )

    npl.check_grads(f, (RNG.normal(size=(3, 3)),))


def test_both_arguments_of_one_loss() -> None:
    x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    npl.check_grads(lambda x, y: F.mse_loss(np.sin(x), x * y), (x, y))
    npl.check_grads(lambda x: F.mse_loss(x, x**2), (x,))
    log_softmax, softmax = npl.special.log_softmax, npl.special.softmax
    kl = npl.KLDivLoss(reduction="sum")
    npl.check_grads(lambda x: kl(np.log(softmax(x, 1)), softmax(y, 1)), (x,))
    npl.check_grads(lambda x: kl(log_softmax(x, 1), softmax(2 * x, 1)), (x,))
    npl.check_grads(lambda x, y: F.cosine_similarity(x, y * 2) @ np.arange(4.0), (x, y))
    blocks = npl.hessian(lambda x, y: F.mse_loss(x, y, reduction="sum") * 1.0, (0, 1))(x, y)
    close(blocks[0][1].reshape(12, 12), -2 * np.eye(12))


def test_losses_of_losses() -> None:
    x, y = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 1])
    npl.check_grads(lambda x: F.cross_entropy(x, y) ** 2, (x,))
    npl.check_grads(lambda x: np.log(F.cross_entropy(x, y, reduction="none")), (x,))
    npl.check_grads(lambda x: np.max(F.cross_entropy(x, y, reduction="none")), (x,))
    npl.check_grads(
        lambda x: F.smooth_l1_loss(F.cross_entropy(x, y, reduction="none"), np.zeros(4)), (x,)
    )
    learned = RNG.normal(size=2)
    npl.check_grads(
        lambda x, s: (
            np.exp(-s[0]) * F.cross_entropy(x, y) + np.exp(-s[1]) * F.mse_loss(x, 0 * x) + np.sum(s)
        ),
        (x, learned),
    )


def test_a_loss_of_the_same_array_twice_and_of_parts() -> None:
    x, y = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 1])
    npl.check_grads(lambda x: F.cross_entropy(x, y) + F.cross_entropy(2 * x, y), (x,))
    npl.check_grads(lambda x: F.cross_entropy(x[:2], y[:2]) * F.cross_entropy(x[2:], y[2:]), (x,))
    npl.check_grads(lambda x: F.cross_entropy(np.stack([x[0], x[1] * 2]), y[:2]), (x,))
    npl.check_grads(lambda x: F.cross_entropy(x.T, np.array([0, 1, 2])), (x,))


def test_labels_and_weights_may_be_positional() -> None:
    x, y, w = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 1]), np.ones(3)
    (gx, gy, gw) = npl.vjp(lambda x, y, w: F.cross_entropy(2 * x, y, w) * 3, x, y, w)[1](1.0)
    assert gy is None
    assert gw is None
    close(gx, 6 * npl.grad(F.cross_entropy)(2 * x, y))


def test_the_gradient_keeps_digits_that_a_composition_would_lose() -> None:
    logits = np.array([[20.0, 0.0]], np.float32)
    w = np.float32(1.0)
    value, gradient = npl.value_and_grad(lambda w: F.cross_entropy(w * logits, np.array([0])))(w)
    exact = np.log1p(np.exp(-20.0))
    assert value.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(value, exact, rtol=1e-6)
    np.testing.assert_allclose(gradient, -20 * np.exp(-20.0) / (1 + np.exp(-20.0)), rtol=1e-6)


def test_gradients_of_gradients_of_a_loss() -> None:
    x, y = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 1])

    def penalised(x: Any) -> Any:  # a gradient penalty: the norm of the gradient in the loss
        return F.cross_entropy(x, y) + np.sum(npl.grad(lambda z: F.cross_entropy(z, y))(x) ** 2)

    numeric = np.empty_like(x)
    step = 1e-6
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = step
        numeric[index] = (penalised(x + unit) - penalised(x - unit)) / (2 * step)
    np.testing.assert_allclose(npl.grad(penalised)(x), numeric, rtol=1e-6, atol=1e-9)


def test_adversarial_inputs() -> None:
    """The gradient in the input, whose sign FGSM takes, with the parameters held."""
    w, x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 4)), RNG.integers(0, 3, 5)
    gradient = npl.grad(lambda x: F.cross_entropy(x @ w, y))(x)
    worse = x + 0.01 * np.sign(gradient)
    assert F.cross_entropy(worse @ w, y) > F.cross_entropy(x @ w, y)


@EVERY_CASE
@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_loss_alone(case: Case, layout: Any) -> None:
    """One pass gives its value and gradient: they are what the way back gives, bit for bit."""
    loss = case.make(reduction="sum")
    arguments = tuple(
        np.asarray(argument, order=layout) if isinstance(argument, np.ndarray) else argument
        for argument in drawn(case)
    )
    value, pullback = npl.vjp(loss, *arguments)
    walked = pullback(1.0)
    for numbers in {case.differentiable, case.differentiable[::-1], case.differentiable[:1]}:
        got, gradients = npl.value_and_grad(loss, numbers)(*arguments)
        assert got == value
        assert type(got) is type(value)
        for number, gradient in zip(numbers, gradients, strict=True):
            np.testing.assert_array_equal(gradient, walked[number])
            assert gradient.dtype == walked[number].dtype
            assert type(gradient) is type(walked[number])
            if isinstance(gradient, np.ndarray):
                assert gradient.flags.writeable
                assert gradient.flags.c_contiguous
                assert not any(
                    np.shares_memory(gradient, argument)
                    for argument in arguments
                    if isinstance(argument, np.ndarray)
                )


def test_the_gradient_of_a_loss_of_numbers_is_a_number() -> None:
    for x in (0.3, np.float64(0.3), np.float32(0.3)):
        got = npl.grad(npl.MSELoss())(x, 1.0)
        assert isinstance(got, np.floating)
        assert got == npl.vjp(npl.MSELoss(), x, 1.0)[1](1.0)[0]


@pytest.mark.parametrize(
    "function",
    [
        npl.KLDivLoss(reduction="sum"),
        F.poisson_nll_loss,
        F.cross_entropy,
        F.mse_loss,
        F.smooth_l1_loss,
    ],
)
def test_one_array_for_two_operands(function: Any) -> None:
    p = RNG.uniform(0.1, 0.9, (2, 3))
    got = npl.grad(lambda a: function(a, a))(p)
    close(got, npl.vjp(lambda a: function(a, a), p)[1](1.0)[0])
    first, second = npl.grad(function, (0, 1))(p, p)
    close(got, first + second)


def test_a_gradient_inside_what_calls_a_loss() -> None:
    calls = []

    @functools.wraps(F.mse_loss)
    def scaled(input: Any, target: Any) -> Any:
        calls.append(input)
        inner = npl.grad(lambda s: np.sum(s * input))(1.0)
        return F.mse_loss(input, inner * np.ones_like(target))

    x, target = np.array([1.0, 2.0, 3.0]), np.zeros(3)
    expected = 2 / 3 * ((x - x.sum()) - np.sum(x - x.sum()))
    close(npl.grad(scaled)(x, target), expected)
    assert len(calls) == 1


def test_a_loss_that_was_looked_at_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    one_pass = Problem.value_and_grad

    def counted(self: Problem, *args: Any) -> Any:
        passes.append(self)
        return one_pass(self, *args)

    monkeypatch.setattr(Problem, "value_and_grad", counted)
    logged = []

    def f(x: Any) -> Any:
        loss = F.mse_loss(x, np.zeros(3))
        logged.append(float(npl.stop_gradient(loss)))
        return loss

    value, gradient = npl.value_and_grad(f)(np.array([1.0, 2.0, 3.0]))
    assert logged == [value]
    close(gradient, [2 / 3, 4 / 3, 2])
    assert len(passes) == 1
