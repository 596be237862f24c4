"""Any shape, memory layout and dtype: the same bits as from a plain contiguous copy.

And what a caller may rely on: inputs are left as they are, and results are native, C-contiguous,
writeable arrays of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import npl
import npl.functional as F

Array = np.ndarray

# No deadline: the machine is shared, and the first example pays for what later ones reuse.
relaxed = settings(
    deadline=None,
    derandomize=True,  # a failure is one for everybody, not for whoever draws it
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)

FLOATS = [np.float16, np.float32, np.float64]
LABELS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]


# ---------------------------------------------------------------------- layouts


def _negative_strides(a: Array) -> Array:
    everything = (slice(None, None, -1),) * a.ndim
    return a[everything].copy()[everything]


def _sliced(a: Array) -> Array:
    """Every second element of a larger array, which holds poison elsewhere."""
    poison = np.nan if a.dtype.kind == "f" else a.dtype.type(99 if a.dtype.kind != "b" else True)
    larger = np.full([2 * size + 1 for size in a.shape], poison, a.dtype)
    view = larger[tuple(slice(1, 2 * size + 1, 2) for size in a.shape)]
    view[...] = a
    return view


def _read_only(a: Array) -> Array:
    a = a.copy()
    a.flags.writeable = False
    return a


def _big_endian(a: Array) -> Array:
    return a.astype(a.dtype.newbyteorder(">"))


def _moved_axis(a: Array) -> Array:
    """The classes last in memory, as images in channels-last order have them."""
    return np.moveaxis(np.moveaxis(a, min(1, a.ndim - 1), -1).copy(), -1, min(1, a.ndim - 1))


def _stride_0(a: Array) -> Array:
    """All samples the same one in memory: only for arrays whose samples are equal."""
    return np.broadcast_to(a[:1], a.shape) if a.shape[:1] > (0,) else a


def _unaligned(a: Array) -> Array:
    memory = np.zeros(a.nbytes + 1, np.uint8)
    view = memory[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": np.copy,
    "Fortran": np.asfortranarray,
    "negative strides": _negative_strides,
    "sliced": _sliced,
    "read-only": _read_only,
    "big-endian": _big_endian,
    "moved axis": _moved_axis,
    "stride 0": _stride_0,
    "unaligned": _unaligned,
}
NO_AXES = ("C", "read-only", "big-endian", "unaligned")  # all that an array of shape () can be


# ---------------------------------------------------------------------- problems


@dataclass(frozen=True)
class Problem:
    """A loss, its arguments in plain layout and in others, and which have a derivative."""

    loss: npl.Loss
    plain: tuple[Array, ...]
    laid_out: tuple[Array, ...]
    differentiable: tuple[int, ...]
    layouts: tuple[str, ...]

    def __repr__(self) -> str:
        arrays = ", ".join(f"{a.dtype} {a.shape} {a.strides}" for a in self.laid_out)
        return f"{self.loss!r} of {arrays}, {self.layouts}"


SIZES = st.integers(0, 5)
REDUCTIONS = st.sampled_from(["none", "mean", "sum", "batchmean"])
# Both sides of the switch from class-major to row-major blocks at 64 classes, and the switch.
CLASSES = st.one_of(st.integers(1, 6), st.integers(62, 70))


def _random(draw: Callable[..., Any]) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def _lay_out(
    draw: Callable[..., Any],
    loss: npl.Loss,
    arrays: tuple[Array, ...],
    differentiable: tuple[int, ...],
) -> Problem:
    """Draw a layout for each array; where it is stride 0, make the samples equal first."""
    names = [draw(st.sampled_from(sorted(LAYOUTS if a.ndim else NO_AXES))) for a in arrays]
    plain = []
    for array, name in zip(arrays, names, strict=True):
        equal = name == "stride 0" and array.shape[:1] > (0,)
        plain.append(np.broadcast_to(array[:1], array.shape).copy() if equal else array.copy())
    laid_out = tuple(LAYOUTS[name](a) for a, name in zip(plain, names, strict=True))
    return Problem(loss, tuple(plain), laid_out, differentiable, tuple(names))


@st.composite
def class_problems(draw: Callable[..., Any]) -> Problem:
    classes = draw(CLASSES)
    batch = draw(st.one_of(st.just(()), st.tuples(SIZES)))
    extra = tuple(draw(st.lists(SIZES, max_size=3))) if batch else ()
    dtype = draw(st.sampled_from(FLOATS))
    rng = _random(draw)
    logits = rng.normal(size=(*batch, classes, *extra)).astype(dtype)
    weight = rng.uniform(0.5, 2, classes).astype(dtype) if draw(st.booleans()) else None
    options: dict[str, Any] = {"weight": weight, "reduction": draw(REDUCTIONS)}
    kind = draw(st.sampled_from(["nll", "index", "probabilities"]))
    if kind != "nll":
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.2]))
    if kind == "probabilities":
        target = rng.uniform(size=logits.shape).astype(draw(st.sampled_from(FLOATS)))
        return _lay_out(draw, npl.CrossEntropyLoss(**options), (logits, target), (0, 1))
    ignored = draw(st.sampled_from([-100, 0, 1]))
    dtypes = [*LABELS, "bool"] if classes == 2 else LABELS
    labels = rng.integers(0, classes, (*batch, *extra)).astype(draw(st.sampled_from(dtypes)))
    if ignored == -100 and labels.dtype.kind == "i" and labels.ndim:
        labels.reshape(-1)[::3] = ignored
    loss = npl.NLLLoss if kind == "nll" else npl.CrossEntropyLoss
    return _lay_out(draw, loss(ignore_index=ignored, **options), (logits, labels), (0,))


@st.composite
def elementwise_problems(draw: Callable[..., Any]) -> Problem:
    shape = tuple(draw(st.lists(SIZES, max_size=4)))
    dtype, target_dtype = draw(st.sampled_from(FLOATS)), draw(st.sampled_from(FLOATS))
    rng = _random(draw)
    # Either side may have axes of size 1 where the other has more.
    own = tuple(draw(st.sampled_from([size, 1])) for size in shape)
    x_shape, y_shape = (shape, own) if draw(st.booleans()) else (own, shape)
    x = np.asarray(rng.uniform(0.05, 0.95, x_shape), dtype)
    y = np.asarray(rng.uniform(0, 1, y_shape), target_dtype)
    shape = np.broadcast_shapes(x_shape, y_shape)
    weight = rng.uniform(0.5, 2, shape).astype(dtype) if draw(st.booleans()) else None
    options: dict[str, Any] = {"weight": weight, "reduction": draw(REDUCTIONS)}
    if draw(st.booleans()):
        return _lay_out(draw, npl.BCELoss(**options), (x, y), (0, 1))
    if draw(st.booleans()):
        options["pos_weight"] = np.asarray(rng.uniform(0.5, 2, shape[-1:]), dtype)
    return _lay_out(draw, npl.BCEWithLogitsLoss(**options), (x, y), (0, 1))


PROBLEMS = st.one_of(class_problems(), elementwise_problems())


def results(problem: Problem, arrays: tuple[Array, ...]) -> dict[str, Any]:
    """Return everything that NPL computes of a problem, by name."""
    rng = np.random.default_rng(0)
    vectors = tuple(
        rng.normal(size=a.shape).astype(a.dtype.newbyteorder("="))
        if i in problem.differentiable
        else None
        for i, a in enumerate(problem.plain)
    )
    value, pullback = npl.vjp(problem.loss, *arrays)
    found = {"value": problem.loss(*arrays), "vjp value": value}
    cotangent = rng.uniform(1, 2, np.shape(value))
    found |= {f"pullback {i}": g for i, g in enumerate(pullback(cotangent)) if g is not None}
    jvp_value, derivative = npl.jvp(problem.loss, arrays, vectors)
    found |= {"jvp value": jvp_value, "jvp": derivative}
    if np.ndim(value) == 0:
        numbers = problem.differentiable
        fused, gradients = npl.value_and_grad(problem.loss, numbers)(*arrays)
        found |= {"fused value": fused}
        found |= {f"gradient {i}": g for i, g in zip(numbers, gradients, strict=True)}
        products = npl.hvp(problem.loss, arrays, vectors)
        found |= {f"hvp {i}": p for i, p in enumerate(products) if p is not None}
        diagonals = npl.hessian_diag(problem.loss, numbers)(*arrays)
        found |= {f"diagonal {i}": d for i, d in zip(numbers, diagonals, strict=True)}
    return found


def bits(array: Any) -> bytes:
    return np.asarray(array).tobytes()


@relaxed
@given(PROBLEMS)
def test_layout_does_not_change_a_bit(problem: Problem) -> None:
    before = [bits(a) for a in problem.laid_out]
    expected = results(problem, problem.plain)
    got = results(problem, problem.laid_out)
    assert [bits(a) for a in problem.laid_out] == before, "an input was written to"
    for name, want in expected.items():
        result = got[name]
        assert np.shape(result) == np.shape(want), name
        assert np.asarray(result).dtype == np.asarray(want).dtype, name
        np.testing.assert_array_equal(result, want, err_msg=name)
        assert bits(result) == bits(want), f"{name} differs in the sign of a zero or a NaN's bits"


@relaxed
@given(PROBLEMS)
def test_results_are_the_callers_own(problem: Problem) -> None:
    found = results(problem, problem.laid_out)
    input = problem.plain[0]
    assert found["value"].dtype == input.dtype
    for name, result in found.items():
        if not isinstance(result, np.ndarray):
            assert isinstance(result, np.floating), f"{name} is {type(result)}"
            continue
        flags = result.flags
        assert result.dtype.isnative, name
        assert flags.c_contiguous, name
        assert flags.writeable, name
        for argument in problem.laid_out:
            assert not np.shares_memory(result, argument), name
        if name[-1].isdigit():  # a derivative with respect to an argument
            argument = problem.plain[int(name[-1])]
            assert result.shape == argument.shape, name
            assert result.dtype == argument.dtype, name


def test_results_do_not_share_memory_with_each_other() -> None:
    x, y = np.random.default_rng(0).uniform(0.1, 0.9, (2, 300, 300))
    first = npl.grad(F.binary_cross_entropy, (0, 1))(x, y)
    kept = [bits(g) for g in first]
    second = npl.grad(F.binary_cross_entropy, (0, 1))(y, x)
    assert [bits(g) for g in first] == kept
    assert not any(np.shares_memory(a, b) for a in first for b in (*second, first[a is first[0]]))


@pytest.mark.parametrize("label", LABELS)
def test_label_dtypes_agree(label: str) -> None:
    logits = np.random.default_rng(0).normal(size=(9, 5))
    labels = np.arange(9) % 5
    for function in (F.cross_entropy, F.nll_loss):
        expected = npl.value_and_grad(function)(logits, labels)
        got = npl.value_and_grad(function)(logits, labels.astype(label))
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param(([[1.0, 2.0], [0.5, 0.1]], [0, 1]), id="lists"),
        pytest.param((((1.0, 2.0), (0.5, 0.1)), (0, 1)), id="tuples"),
    ],
)
def test_lists_are_float64(arrays: Any) -> None:
    expected = F.cross_entropy(np.array(arrays[0]), np.array(arrays[1]))
    got = F.cross_entropy(*arrays)
    assert got.dtype == np.float64
    assert got == expected
