"""The adaptive softmax: its samples share the parameters, so the generic rows do not fit it.

It keeps no state: where torch's module has layers, the loss takes their parameters as arguments. torch has
no function of it, and so NPL has none.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import npl
from npl.losses import adaptive_log_softmax as module

Array = np.ndarray
STEP = mpf("1e-60")
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "two clusters": {"in_features": 6, "n_classes": 12, "cutoffs": [3, 7], "div_value": 2.0},
    "bias": {
        "in_features": 6,
        "n_classes": 12,
        "cutoffs": [3, 7],
        "div_value": 2.0,
        "head_bias": True,
    },
    "many classes": {"in_features": 4, "n_classes": 200, "cutoffs": [70, 140], "div_value": 2.0},
    "clusters of one class": {
        "in_features": 5,
        "n_classes": 4,
        "cutoffs": [1, 2, 3],
        "div_value": 1.5,
    },
    "no features left": {"in_features": 3, "n_classes": 5, "cutoffs": [1]},
}
ALL = pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)


def sample(
    options: dict[str, Any], dtype: type = np.float64, n: int | None = 9
) -> tuple[Array, Array, list[Array]]:
    rng = np.random.default_rng(3)
    parameters = npl.AdaptiveLogSoftmaxWithLoss(**options).initial_parameters(rng, dtype)
    shape = () if n is None else (n,)
    x = rng.normal(size=(*shape, options["in_features"])).astype(dtype)
    return x, rng.integers(0, options["n_classes"], shape), list(parameters.values())


def torch_module(options: dict[str, Any], parameters: list[Array]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers without features
        made = torch.nn.AdaptiveLogSoftmaxWithLoss(**options)
    state = {name: torch.tensor(p) for name, p in zip(made.state_dict(), parameters, strict=True)}
    made.to(next(iter(state.values())).dtype).load_state_dict(state)
    return made


def numbers(parameters: list[Array]) -> tuple[int, ...]:
    """Return the arguments with a derivative: the input, and the parameters after the target."""
    return (0, *range(2, 2 + len(parameters)))


@ALL
def test_parameters_are_torchs_state(options: dict[str, Any]) -> None:
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    parameters = loss.initial_parameters(np.random.default_rng(0), np.float32)
    state = torch_module(options, list(parameters.values())).state_dict()
    assert list(loss.parameter_shapes()) == list(parameters) == list(state)
    for name, shape in loss.parameter_shapes().items():
        assert tuple(state[name].shape) == parameters[name].shape == shape
        assert parameters[name].dtype == np.float32


@ALL
@pytest.mark.parametrize("n", [9, 1, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parity(options: dict[str, Any], n: int | None, dtype: type) -> None:
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-14}
    x, target, parameters = sample(options, dtype, n)
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    theirs = torch_module(options, parameters)
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor, torch.tensor(target))
    got = loss(x, target, *parameters)
    assert got.output.dtype == got.loss.dtype == dtype
    np.testing.assert_allclose(got.output, expected.output.detach(), **close)  # type: ignore[arg-type]
    np.testing.assert_allclose(got.loss, expected.loss.detach(), **close)  # type: ignore[arg-type]

    value, gradients = npl.value_and_grad(loss, numbers(parameters))(x, target, *parameters)
    assert value == got.loss
    every = [tensor, *theirs.parameters()]
    wanted = torch.autograd.grad(expected.loss, every, create_graph=True, allow_unused=True)
    v = [np.random.default_rng(i).normal(size=t.shape).astype(dtype) for i, t in enumerate(every)]
    products = npl.hvp(loss, (x, target, *parameters), (v[0], None, *v[1:]))
    own = [p for p in products if p is not None]
    along = sum(
        (g * torch.tensor(u)).sum() for g, u in zip(wanted, v, strict=True) if g is not None
    )
    curvature = torch.autograd.grad(along, every, allow_unused=True)
    for pair in (zip(gradients, wanted, strict=True), zip(own, curvature, strict=True)):
        for a, b in pair:
            other = np.zeros_like(a) if b is None else b.detach().numpy()
            np.testing.assert_allclose(a, other, **close)  # type: ignore[arg-type]
    change = npl.jvp(loss, (x, target, *parameters), (v[0], None, *v[1:]))[1]
    np.testing.assert_allclose(change, along.detach(), **close)  # type: ignore[arg-type]


@ALL
def test_log_prob_and_predict(options: dict[str, Any]) -> None:
    x, target, parameters = sample(options, n=20)
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    theirs = torch_module(options, parameters)
    log_p = loss.log_prob(x, *parameters)
    np.testing.assert_allclose(log_p, theirs.log_prob(torch.tensor(x)).detach(), rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(
        log_p[np.arange(20), target], loss(x, target, *parameters).output, rtol=1e-12
    )
    np.testing.assert_array_equal(loss.predict(x, *parameters), log_p.argmax(1))
    assert loss.log_prob(x[:0], *parameters).shape == (0, options["n_classes"])
    assert loss.log_prob(x.astype(np.float16), *parameters).dtype == np.float16


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_exact_arithmetic(dtype: type) -> None:
    """Integers make every logit exact: the bound is that of the loss, not of a product of matrices."""
    options: dict[str, Any] = {"in_features": 2, "n_classes": 5, "cutoffs": [2], "div_value": 1.0}
    x = np.array([[20, 0], [1, 1], [0, 12], [-3, 2]], dtype)
    target = np.array([0, 3, 4, 1])
    head = np.array([[1, 0], [0, -1], [-1, 1]], dtype)
    down, up = np.array([[1, 0], [1, 1]], dtype), np.array([[0, -1], [1, 0], [0, 2]], dtype)
    arrays = [x, head, down, up]
    sizes = np.cumsum([a.size for a in arrays])[:-1]

    def exact(point: list[Any]) -> Any:
        own = [list(part) for part in np.split(np.array(point, object), sizes)]
        rows = [
            np.array(part, object).reshape(a.shape) for part, a in zip(own, arrays, strict=True)
        ]
        samples, h, p, o = rows
        total = mpf(0)
        for row, label in zip(samples, target, strict=True):
            logits = h @ row
            total += mp.log(sum(mp.exp(z - logits[min(label, 2)]) for z in logits))
            if label >= 2:
                logits = o @ (p @ row)
                total += mp.log(sum(mp.exp(z - logits[label - 2]) for z in logits))
        return total

    loss = npl.AdaptiveLogSoftmaxWithLoss(**options, reduction="sum")
    value, gradients = npl.value_and_grad(loss, (0, 2, 3, 4))(x, target, head, down, up)
    with mp.workdps(200):
        point = [mpf(float(e)) for a in arrays for e in np.ravel(a)]
        eps = float(np.finfo(dtype).eps)
        assert abs(mpf(float(value)) - exact(point)) <= 16 * eps * exact(point)
        elements = np.concatenate([np.ravel(g) for g in gradients])
        size = float(np.abs(elements).max())
        for k, element in enumerate(elements):
            moved = [
                [p + sign * STEP if i == k else p for i, p in enumerate(point)] for sign in (1, -1)
            ]
            wanted = (exact(moved[0]) - exact(moved[1])) / (2 * STEP)
            assert abs(mpf(float(element)) - wanted) <= 16 * eps * size


def test_a_tiny_loss_has_its_digits() -> None:
    options: dict[str, Any] = {"in_features": 1, "n_classes": 3, "cutoffs": [1]}
    x, head = np.array([[20.0]], np.float32), np.array([[1.0], [0.0]], np.float32)
    down, up = np.zeros((0, 1), np.float32), np.zeros((2, 0), np.float32)
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    value, (dx, dhead) = npl.value_and_grad(loss, (0, 2))(x, np.array([0]), head, down, up)
    np.testing.assert_allclose(value, 2.0611536e-9, rtol=1e-6)
    np.testing.assert_allclose(dx, [[-2.0611536e-9]], rtol=1e-6)
    np.testing.assert_allclose(dhead, [[-4.122307e-8], [4.122307e-8]], rtol=1e-6)


@ALL
def test_chunks_change_nothing(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    x, target, parameters = sample(options, n=23)
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    whole = npl.value_and_grad(loss, numbers(parameters))(x, target, *parameters)
    monkeypatch.setattr(module, "CHUNK_BYTES", 1000)
    parts = npl.value_and_grad(loss, numbers(parameters))(x, target, *parameters)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-14)
    for got, wanted in zip(parts[1], whole[1], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-15)


def test_weight_zero_is_deletion() -> None:
    options = CONFIGURATIONS["bias"]
    x, target, parameters = sample(options)
    keep = np.arange(9) % 3 != 1
    x[~keep], target[~keep] = np.nan, 1000
    weight = np.where(keep, 2.0, 0.0)
    loss = npl.AdaptiveLogSoftmaxWithLoss(**options)
    wrt = numbers(parameters)
    value, gradients = npl.value_and_grad(loss, wrt)(x, target, *parameters, sample_weight=weight)
    expected, wanted = npl.value_and_grad(loss, wrt)(x[keep], target[keep], *parameters)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradients[0][keep], wanted[0], rtol=1e-12)
    assert (gradients[0][~keep] == 0).all()
    for got, other in zip(gradients[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(got, other, rtol=1e-12, atol=1e-15)
    called = loss(x, target, *parameters, sample_weight=weight)
    np.testing.assert_allclose(called.loss, value, rtol=1e-15)
    assert (called.output[~keep] == 0).all()
    np.testing.assert_allclose(
        called.output[keep], loss(x[keep], target[keep], *parameters).output, rtol=1e-14
    )


def test_reductions_and_the_mean_of_nothing() -> None:
    options = CONFIGURATIONS["two clusters"]
    x, target, parameters = sample(options)

    def made(**more: Any) -> Any:
        return npl.AdaptiveLogSoftmaxWithLoss(**options, **more)

    losses = made(reduction="none")(x, target, *parameters)
    assert losses.shape == (9,)
    np.testing.assert_allclose(made(reduction="sum")(x, target, *parameters).loss, losses.sum())
    np.testing.assert_allclose(made()(x, target, *parameters, normalizer=7).loss, losses.sum() / 7)
    for empty, expected in (("nan", np.nan), ("zero", 0.0)):
        loss = made(empty=empty)
        nothing = loss(x[:0], target[:0], *parameters)
        assert nothing.output.shape == (0,)
        np.testing.assert_equal(nothing.loss, expected)
        _, gradients = npl.value_and_grad(loss, numbers(parameters))(x[:0], target[:0], *parameters)
        assert all((g == 0).all() for g in gradients)


def test_training_lowers_the_loss() -> None:
    rng = np.random.default_rng(0)
    loss = npl.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], 2.0, True)
    parameters = list(loss.initial_parameters(rng).values())
    x, target = rng.normal(size=(30, 8)), rng.integers(0, 12, 30)
    step = npl.value_and_grad(loss, tuple(range(2, 2 + len(parameters))))
    first, _ = step(x, target, *parameters)
    for _ in range(300):
        value, gradients = step(x, target, *parameters)
        parameters = [p - g for p, g in zip(parameters, gradients, strict=True)]
    assert value < 0.2 * first
    assert (loss.predict(x, *parameters) == target).mean() > 0.8


def test_the_constructor_is_torchs_but_for_where_the_parameters_live() -> None:
    own = inspect.signature(npl.AdaptiveLogSoftmaxWithLoss).parameters
    other = dict(inspect.signature(torch.nn.AdaptiveLogSoftmaxWithLoss).parameters)
    del other["device"], other["dtype"]
    assert list(own)[: len(other)] == list(other)
    assert [own[name].default for name in other] == [p.default for p in other.values()]
    more = list(own.values())[len(other) :]
    assert [p.name for p in more] == ["reduction", "normalizer", "empty"]
    assert all(p.kind is p.KEYWORD_ONLY for p in more)


def test_torch_loses_a_tiny_loss() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(1, 3, [1])
    with torch.no_grad():
        theirs.head.weight.copy_(torch.tensor([[1.0], [0.0]]))
        assert theirs(torch.tensor([[20.0]]), torch.tensor([0])).loss == 0


def test_torch_names_the_range_of_a_class_out_of_range() -> None:
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(6, 12, [3, 7], 2.0)
    with pytest.raises(RuntimeError, match=r"values in range \[0, 12\] were found"):
        theirs(torch.zeros(2, 6), torch.tensor([0, 12]))


LOSS = npl.AdaptiveLogSoftmaxWithLoss(6, 12, [3, 7], 2.0)
X, Y, P = sample(CONFIGURATIONS["two clusters"])
NAME = "AdaptiveLogSoftmaxWithLoss: "


@pytest.mark.parametrize("cutoffs", [[], [5, 5], [7, 3], [0, 3], [3, 12], [2.5], [-1]])
def test_bad_cutoffs(cutoffs: Any) -> None:
    with pytest.raises(ValueError, match="cutoffs"):
        torch.nn.AdaptiveLogSoftmaxWithLoss(6, 12, cutoffs)
    with pytest.raises(ValueError, match="cutoffs") as error:
        npl.AdaptiveLogSoftmaxWithLoss(6, 12, cutoffs)
    assert str(error.value) == (
        f"{NAME}cutoffs is {cutoffs!r}; it must be a sequence of at least one integer, rising, each in "
        "[1, 11], the last class of 12."
    )


@pytest.mark.parametrize(
    ("call", "raises", "says"),
    [
        (
            lambda: LOSS(X, np.where(Y[2] == Y, 12, Y), *P),
            IndexError,
            f"target[{int(np.argmax(Y[2] == Y))}] is 12; for 12 classes it must lie in [0, 11]. "
            "Are your labels counted from 1? Did you mean target - 1?",
        ),
        (lambda: LOSS(X, Y - 20, *P), IndexError, f"target[0] is {Y[0] - 20}; for 12 classes "),
        (
            lambda: LOSS(X, Y.astype(float), *P),
            TypeError,
            "target has dtype float64 and shape (9,);",
        ),
        (
            lambda: LOSS(X, Y[:, None], *P),
            ValueError,
            "target has shape (9, 1); for input (9, 6) it",
        ),
        (
            lambda: LOSS(X, Y[0], *P),
            ValueError,
            "target has shape (); for input (9, 6) it must be (9,).",
        ),
        (
            lambda: LOSS(X[:, :5], Y, *P),
            ValueError,
            "input has shape (9, 5); it must be (6,) or (N, 6), as in_features is 6.",
        ),
        (lambda: LOSS.log_prob(X[0], *P), ValueError, "input has shape (6,); it must be (N, 6)."),
        (
            lambda: LOSS(X, Y, *P[:-1]),
            TypeError,
            "got 4 parameters; it must be 5: head.weight, tail.0.0.weight, tail.0.1.weight, "
            "tail.1.0.weight, tail.1.1.weight.",
        ),
        (
            lambda: LOSS(X, Y, P[0].T, *P[1:]),
            ValueError,
            "head.weight has shape (6, 5); for in_features=6 and cutoffs=[3, 7] it must be (5, 6).",
        ),
        (
            lambda: npl.AdaptiveLogSoftmaxWithLoss(0, 12, [3]),
            ValueError,
            "in_features is 0; it must be at least 1.",
        ),
        (
            lambda: npl.AdaptiveLogSoftmaxWithLoss(6, 12, [3], 0.0),
            ValueError,
            "div_value is 0.0; it must lie in (0, inf).",
        ),
    ],
)
def test_errors(call: Callable[[], Any], raises: type[Exception], says: str) -> None:
    with pytest.raises(raises) as error:
        call()
    assert str(error.value).startswith(NAME + says)
