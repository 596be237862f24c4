"""What a caller may rely on beside the numbers: dtypes, no side effects, memory, pickling, threads."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.cases import EVERY_CASE, Case
from tests.support.checks import samples, tiled, vectors_like


@EVERY_CASE
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "batchmean"])
def test_dtype_in_is_dtype_out(case: Case, dtype: type, reduction: str) -> None:
    arguments = samples(case, 5, dtype)
    loss = case.make(dtype, reduction=reduction)
    value, pullback = npl.vjp(loss, *arguments)
    assert value.dtype == dtype
    assert isinstance(value, np.ndarray if reduction == "none" else np.generic)
    gradients = pullback(np.ones_like(value))
    for n in case.differentiable:
        assert gradients[n].dtype == dtype
        assert gradients[n].shape == arguments[n].shape
    products = npl.hvp(case.make(dtype), arguments, vectors_like(case, arguments))
    assert all(p is None or p.dtype == dtype for p in products)


def test_the_input_decides_the_dtype_of_the_value() -> None:
    x, y = np.zeros(3, np.float32), np.full(3, 0.3)
    value, (gx, gy) = npl.value_and_grad(F.binary_cross_entropy_with_logits, (0, 1))(x, y)
    assert (value.dtype, gx.dtype, gy.dtype) == (np.float32, np.float32, np.float64)
    wide = npl.grad(F.binary_cross_entropy_with_logits)(x.astype(float), y)
    np.testing.assert_array_equal(gx, wide.astype(np.float32))  # computed in float64


@EVERY_CASE
def test_lists_are_float64(case: Case) -> None:
    arguments = samples(case, 3)
    value = case.make()(*[a.tolist() for a in arguments])
    assert value == case.make()(*arguments)
    assert value.dtype == np.float64


@EVERY_CASE
def test_inputs_are_not_written_and_not_aliased(case: Case) -> None:
    arguments = samples(case, 6)
    for a in arguments:
        a.flags.writeable = False
    before = [a.tobytes() for a in arguments]
    loss = case.make()
    results = [
        *npl.grad(loss, case.differentiable)(*arguments),
        *[p for p in npl.hvp(loss, arguments, vectors_like(case, arguments)) if p is not None],
        case.make(reduction="none")(*arguments),
    ]
    assert [a.tobytes() for a in arguments] == before
    for result in results:
        assert result.flags.writeable
        assert not any(np.shares_memory(result, a) for a in arguments)


@EVERY_CASE
def test_no_sample(case: Case) -> None:
    arguments = tuple(a[:0] for a in samples(case, 3))
    assert np.isnan(case.make()(*arguments))
    assert case.make(empty="zero")(*arguments) == 0
    assert case.make(reduction="sum")(*arguments) == 0
    assert case.make(reduction="none")(*arguments).shape == (0,)
    value, gradient = npl.value_and_grad(case.make())(*arguments)
    assert np.isnan(value)
    assert gradient.shape == arguments[0].shape
    with pytest.raises(ValueError, match="mean of nothing"):
        case.make(empty="raise")(*arguments)


@EVERY_CASE
def test_all_removed(case: Case) -> None:
    arguments = samples(case, 3)
    value, gradient = npl.value_and_grad(case.make())(*arguments, sample_weight=np.zeros(3))
    assert np.isnan(value)
    assert gradient.shape == arguments[0].shape
    assert not gradient.any()
    assert case.make()(*arguments, sample_weight=0.0, normalizer=4.0) == 0


@EVERY_CASE
def test_a_loss_is_a_value(case: Case) -> None:
    loss = case.make()
    arguments = samples(case, 4)
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), dataclasses.replace(loss)):
        assert other(*arguments) == loss(*arguments)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.reduction = "sum"
    rebuilt = eval(
        repr(loss), {**vars(npl), loss.name: case.loss, "array": np.array, "inf": np.inf}
    )
    assert rebuilt(*arguments) == loss(*arguments)
    assert repr(rebuilt) == repr(loss)


@EVERY_CASE
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(case: Case, dtype: type) -> None:
    arguments = tiled(case, 300_001, dtype)
    loss = case.make(dtype)
    vectors = vectors_like(case, arguments)
    threads = npl.get_num_threads()
    seen = set()
    try:
        for count in (1, 2, 3, 7):
            npl.set_num_threads(count)
            value, gradients = npl.value_and_grad(loss, case.differentiable)(*arguments)
            products = [p for p in npl.hvp(loss, arguments, vectors) if p is not None]
            assert value == loss(*arguments)
            seen.add((value.tobytes(), *(a.tobytes() for a in (*gradients, *products))))
    finally:
        npl.set_num_threads(threads)
    assert len(seen) == 1


@EVERY_CASE
def test_blocks_do_not_change_a_gradient(case: Case) -> None:
    rows = 100_003
    arguments = tiled(case, rows)
    whole = npl.grad(case.make(reduction="sum"), case.differentiable)(*arguments)
    few = npl.grad(case.make(reduction="sum"), case.differentiable)(*samples(case, 64))
    for big, small in zip(whole, few, strict=True):
        times = (-(-rows // 64), *[1] * (small.ndim - 1))
        np.testing.assert_array_equal(big, np.tile(small, times)[:rows])


def test_callers_in_several_threads() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(60_000, 10)), rng.integers(0, 10, 60_000)
    step = npl.value_and_grad(npl.CrossEntropyLoss())
    expected = step(logits, labels)[1].tobytes()
    results: list[bytes] = []

    def call() -> None:
        for _ in range(5):
            results.append(step(logits, labels)[1].tobytes())

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [expected] * 20


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_forked_child_gets_its_own_threads() -> None:
    program = """
import os, numpy as np, npl
x, y = np.zeros((500_000, 4)), np.zeros(500_000, int)
npl.set_num_threads(2)
loss = npl.CrossEntropyLoss()
before = loss(x, y)
child = os.fork()
if child == 0:
    os._exit(0 if loss(x, y) == before else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("loss", "shape", "labels"),
    [
        (npl.CrossEntropyLoss(), (8192, 500), (8192,)),
        (npl.CrossEntropyLoss(), (4, 10, 256, 256), (4, 256, 256)),
        (npl.BCEWithLogitsLoss(), (4_000_000,), None),
    ],
)
def test_memory_beside_the_gradient_is_that_of_blocks(loss, shape, labels) -> None:
    x = np.zeros(shape, np.float32)
    y = np.zeros(labels, np.int64) if labels else np.zeros(shape, np.float32)
    step = npl.value_and_grad(loss)
    step(x, y)
    tracemalloc.start()
    try:
        _, gradient = step(x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - gradient.nbytes < 0.75 * gradient.nbytes


def test_threads_from_the_environment() -> None:
    program = "import npl; print(npl.get_num_threads())"
    for text, shown in (("3", "3"), ("0", "NPL_NUM_THREADS is '0'")):
        result = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={**__import__("os").environ, "NPL_NUM_THREADS": text},
            check=False,
        )
        assert shown in result.stdout + result.stderr


def test_a_helper_that_cannot_start_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    x, y = np.zeros((400_000, 4)), np.zeros(400_000, int)
    expected = npl.grad(npl.CrossEntropyLoss())(x, y)
    started = ThreadPoolExecutor._adjust_thread_count
    calls = []

    def sometimes(self: ThreadPoolExecutor) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise RuntimeError("can't start new thread")
        started(self)

    threads = npl.get_num_threads()
    try:
        npl.set_num_threads(4)
        monkeypatch.setattr(ThreadPoolExecutor, "_adjust_thread_count", sometimes)
        np.testing.assert_array_equal(npl.grad(npl.CrossEntropyLoss())(x, y), expected)
    finally:
        npl.set_num_threads(threads)
    assert len(calls) > 1
