"""The argument space that NPL shares with torch: the same values and gradients from both.

Agreement is relative to the largest element of a result: where torch takes a difference of nearly
equal numbers, as p - y of a smoothed target, it loses what cancels. How exact NPL itself is stands
in `test_accuracy`; where it differs from torch on purpose, in `test_torch_differences`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F

Array = np.ndarray
RTOL = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 5e-6}
DTYPES = [np.float64, np.float32]
REDUCTIONS = ["none", "mean", "sum"]
CLASSES = 4


def assert_close(got: Any, expected: Any, what: str) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype, f"{what}: {got.dtype} instead of {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape} instead of {expected.shape}"
    rtol = RTOL[expected.dtype]
    finite = np.abs(expected[np.isfinite(expected)])
    atol = rtol * float(np.max(finite, initial=0.0))
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)


def assert_parity(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    arguments: Sequence[Array],
    what: str,
) -> None:
    """Compare two functions of `arguments`: their values, and the pullbacks of one cotangent.

    Gradients are compared for every float argument.
    """
    tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arguments]
    expected = theirs(*tensors)
    value, pullback = npl.vjp(ours, *arguments)
    assert_close(value, expected.detach().numpy(), f"{what}: value")

    cotangent = np.random.default_rng(1).uniform(0.5, 2.0, np.shape(value)).astype(value.dtype)
    wanted = [t for t in tensors if t.requires_grad]
    gradients = iter(torch.autograd.grad(expected, wanted, torch.tensor(cotangent)))
    for i, (tensor, got) in enumerate(zip(tensors, pullback(cotangent), strict=True)):
        if tensor.requires_grad:
            assert_close(got, next(gradients).numpy(), f"{what}: gradient of argument {i}")
        else:
            assert got is None

    if value.ndim == 0:  # one fused pass, which must agree with the separate ones
        numbers = tuple(i for i, a in enumerate(arguments) if a.dtype.kind == "f")
        fused, fused_gradients = npl.value_and_grad(ours, numbers)(*arguments)
        np.testing.assert_array_equal(fused, value)
        for i, gradient in zip(numbers, fused_gradients, strict=True):
            assert_close(gradient * cotangent, pullback(cotangent)[i], f"{what}: fused {i}")


def sweep(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    make: Callable[[type], tuple[Array, ...]],
    arrays: dict[str, Callable[[type], Array]] | None = None,
    **options: Any,
) -> None:
    """Compare two losses in both dtypes and all reductions; `arrays` are options of that dtype."""
    for dtype, reduction in product(DTYPES, REDUCTIONS):
        typed = {name: array(dtype) for name, array in (arrays or {}).items()}
        assert_parity(
            lambda *a, k=typed, r=reduction: ours(*a, **k, reduction=r, **options),
            lambda *a, k=typed, r=reduction: theirs(
                *a, **{n: torch.tensor(v) for n, v in k.items()}, reduction=r, **options
            ),
            make(dtype),
            f"{np.dtype(dtype)}, {reduction}, {options}, {sorted(typed)}",
        )


# ---------------------------------------------------------------------- losses over classes

# Input shapes; 70 classes are laid out differently from few. The target of an unbatched input may
# be () or (1,).
CLASS_SHAPES = [
    (CLASSES,),
    (6, CLASSES),
    (6, 70),
    (5, CLASSES, 3),
    (5, CLASSES, 1),
    (0, CLASSES, 1),
    (2, CLASSES, 3, 2),
    (2, 70, 3),
    (2, CLASSES, 1, 2, 3),
    (0, CLASSES),
    (0, CLASSES, 3),
    (3, CLASSES, 0),
    (3, 1),
]
# (ignore_index, which labels are set to it)
IGNORED = {
    "ignore-nothing": (-100, "none"),
    "ignore--100": (-100, "first"),
    "ignore--1": (-1, "some"),
    "ignore-a-class": (0, "as they come"),
    "ignore-all": (-100, "all"),
}
WEIGHTS = [pytest.param(False, id="unweighted"), pytest.param(True, id="weighted")]
SMOOTHING = [0.0, 0.1, 1.0]


def labels_for(shape: tuple[int, ...], ignored: str) -> tuple[Array, int]:
    """Return labels for an input of `shape`, some of them ignored, and the ignore_index."""
    axis = min(1, len(shape) - 1)
    size = shape[:axis] + shape[axis + 1 :]
    labels = np.random.default_rng(7).integers(0, shape[axis], size)
    ignore_index, which = IGNORED[ignored]
    places = {"first": slice(0, 1), "some": slice(0, None, 2), "all": slice(None)}
    if which in places:
        labels.reshape(-1)[places[which]] = ignore_index
    return labels, ignore_index


def logits_for(shape: tuple[int, ...], dtype: type) -> Array:
    return np.random.default_rng(5).normal(size=shape).astype(dtype)


def class_weight(shape: tuple[int, ...], weighted: bool) -> dict[str, Callable[[type], Array]]:
    classes = shape[min(1, len(shape) - 1)]
    return {"weight": lambda t: np.linspace(0.25, 2, classes).astype(t)} if weighted else {}


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_cross_entropy_of_indices(
    shape: tuple[int, ...], ignored: str, weighted: bool, smoothing: float
) -> None:
    labels, ignore_index = labels_for(shape, ignored)
    sweep(
        F.cross_entropy,
        TF.cross_entropy,
        lambda dtype: (logits_for(shape, dtype), labels),
        class_weight(shape, weighted),
        ignore_index=ignore_index,
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_nll_loss(shape: tuple[int, ...], ignored: str, weighted: bool) -> None:
    labels, ignore_index = labels_for(shape, ignored)
    sweep(
        F.nll_loss,
        TF.nll_loss,
        lambda dtype: (-np.abs(logits_for(shape, dtype)), labels),
        class_weight(shape, weighted),
        ignore_index=ignore_index,
    )


@pytest.mark.parametrize("function", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("label", [0, 3, -100])
@pytest.mark.parametrize("weighted", WEIGHTS)
def test_one_label_of_an_unbatched_input(function: str, label: int, weighted: bool) -> None:
    # torch takes a target of shape (1,) beside (), but its backward pass then fails.
    ours, theirs = getattr(F, function), getattr(TF, function)
    for dtype, reduction in product(DTYPES, REDUCTIONS):
        logits = logits_for((CLASSES,), dtype)
        weight = np.linspace(0.25, 2, CLASSES).astype(dtype) if weighted else None
        options = {"weight": weight, "reduction": reduction}
        results = [
            npl.vjp(lambda x, y, k=options: ours(x, y, **k), logits, target)
            for target in (np.array(label), np.array([label]))
        ]
        options["weight"] = None if weight is None else torch.tensor(weight)
        expected = theirs(torch.tensor(logits), torch.tensor([label]), **options)
        for value, _ in results:
            assert_close(value, expected.reshape(()).numpy(), f"{function}, {options}")
        np.testing.assert_array_equal(*[pullback(1.0)[0] for _, pullback in results], strict=True)


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_cross_entropy_of_probabilities(
    shape: tuple[int, ...], weighted: bool, smoothing: float
) -> None:
    axis = min(1, len(shape) - 1)

    def make(dtype: type) -> tuple[Array, Array]:
        raw = np.random.default_rng(9).uniform(size=shape)
        raw.reshape(-1)[::3] = 0  # 0 log 0, and the exact one-hot among them
        total = np.maximum(raw.sum(axis, keepdims=True), 1e-30)
        return logits_for(shape, dtype), (raw / total).astype(dtype)

    sweep(
        F.cross_entropy,
        TF.cross_entropy,
        make,
        class_weight(shape, weighted),
        label_smoothing=smoothing,
    )


@pytest.mark.parametrize("function", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_mean_of_nothing(function: str, shape: tuple[int, ...]) -> None:
    # NaN and a gradient of zero, as torch: also asserted here, lest both change.
    labels, ignore_index = labels_for(shape, "ignore-all")
    smoothings: list[dict[str, float]] = [{}]
    if function == "cross_entropy":
        smoothings += [{"label_smoothing": s} for s in SMOOTHING]
    for dtype, options in product(DTYPES, smoothings):
        logits = logits_for(shape, dtype)
        loss = getattr(F, function)
        value, gradient = npl.value_and_grad(loss)(
            logits, labels, ignore_index=ignore_index, **options
        )
        assert np.isnan(value)
        np.testing.assert_array_equal(gradient, np.zeros_like(logits), strict=True)


# ---------------------------------------------------------------------- elementwise losses

N, C = 5, 3
BINARY_SHAPES = [(), (C,), (N, C), (N, 1), (2, N, C), (0,), (0, C), (N, 0)]
WEIGHT_SHAPES = [None, (), (C,), (N, 1), (N, C)]


def positive(shape: tuple[int, ...], seed: int) -> Callable[[type], Array]:
    return lambda dtype: np.random.default_rng(seed).uniform(0.25, 3, shape).astype(dtype)


def fits(own: tuple[int, ...] | None, shape: tuple[int, ...]) -> bool:
    """Whether `own` broadcasts to `shape`, and no further."""
    if own is None:
        return True
    try:
        return np.broadcast_shapes(own, shape) == shape
    except ValueError:
        return False


# Empty inputs are their own size of everything, so only full ones meet all weights.
BINARY = [
    (shape, weight)
    for shape, weight in product(BINARY_SHAPES, WEIGHT_SHAPES)
    if fits(weight, shape)
]


@pytest.mark.parametrize(("shape", "weight"), BINARY, ids=str)
def test_binary_cross_entropy(shape: tuple[int, ...], weight: tuple[int, ...] | None) -> None:
    def make(dtype: type) -> tuple[Array, Array]:
        rng = np.random.default_rng(11)
        # Away from 0 and 1, where torch's gradient is wrong.
        x, y = rng.uniform(0.02, 0.98, shape), rng.uniform(size=shape)
        return np.asarray(x, dtype), np.asarray(y, dtype)

    arrays = {} if weight is None else {"weight": positive(weight, 2)}
    sweep(F.binary_cross_entropy, TF.binary_cross_entropy, make, arrays)


def binary_arguments(shape: tuple[int, ...], dtype: type) -> tuple[Array, Array]:
    rng = np.random.default_rng(13)
    x, y = 3 * rng.normal(size=shape), rng.uniform(size=shape)
    return np.asarray(x, dtype), np.asarray(y, dtype)


@pytest.mark.parametrize(
    ("shape", "weight", "pos_weight"),
    [(s, w, p) for (s, w), p in product(BINARY, WEIGHT_SHAPES) if fits(p, s)],
    ids=str,
)
def test_binary_cross_entropy_with_logits(
    shape: tuple[int, ...], weight: tuple[int, ...] | None, pos_weight: tuple[int, ...] | None
) -> None:
    shapes = {"weight": weight, "pos_weight": pos_weight}
    sweep(
        F.binary_cross_entropy_with_logits,
        TF.binary_cross_entropy_with_logits,
        lambda dtype: binary_arguments(shape, dtype),
        {name: positive(own, 2) for name, own in shapes.items() if own is not None},
    )


@pytest.mark.parametrize("weight", [None, (N, 1)], ids=str)
@pytest.mark.parametrize(
    ("shape", "pos_weight"), [(s, p) for s, p in BINARY if p is not None], ids=str
)
def test_gradient_of_pos_weight(
    shape: tuple[int, ...], pos_weight: tuple[int, ...], weight: tuple[int, ...] | None
) -> None:
    # torch's own function refuses this gradient; its autograd has it from the formula.
    def formula(
        x: torch.Tensor,
        y: torch.Tensor,
        p: torch.Tensor,
        weight: torch.Tensor | None = None,
        reduction: str = "mean",
    ) -> torch.Tensor:
        losses = -(p * y * TF.logsigmoid(x) + (1 - y) * TF.logsigmoid(-x))
        losses = losses if weight is None else losses * weight
        return losses if reduction == "none" else getattr(losses, reduction)()

    fitting = weight if fits(weight, shape) else ()
    sweep(
        lambda x, y, p, **k: F.binary_cross_entropy_with_logits(x, y, pos_weight=p, **k),
        formula,
        lambda dtype: (*binary_arguments(shape, dtype), positive(pos_weight, 3)(dtype)),
        {} if fitting is None else {"weight": positive(fitting, 2)},
    )
