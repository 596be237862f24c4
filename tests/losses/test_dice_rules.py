"""What must hold between results of the Dice loss, at its limits, and whatever is ignored or removed."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import tracemalloc
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

NAN, INF = np.nan, np.inf
ACTIVATIONS = ["none", "sigmoid", "softmax"]
FORMS = [{}, {"squared": True}, {"jaccard": True}, {"squared": True, "jaccard": True}]
EVERY = pytest.mark.parametrize(
    "options", [{"activation": a, **f} for a in ACTIVATIONS for f in FORMS], ids=str
)
ACTIVATION = pytest.mark.parametrize("activation", ACTIVATIONS)


def arguments(
    shape: tuple[int, ...] = (4, 3, 5), activation: str = "none", dtype: Any = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.random(shape) if activation == "none" else 2 * rng.normal(size=shape)
    return x.astype(dtype), rng.random(shape).astype(dtype)


def labels(shape: tuple[int, ...] = (4, 5), classes: int = 3) -> np.ndarray:
    return np.random.default_rng(8).integers(0, classes, shape)


def results(loss: npl.Loss, x: Any, y: Any, **weights: Any) -> list[Any]:
    """Return the value, the gradients and the products with fixed vectors."""
    both = (0, 1) if np.shape(y) == np.shape(x) else (0,)
    value, gradients = npl.value_and_grad(loss, both)(x, y, **weights)
    vectors = [np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype) for _ in both]
    given = (*vectors, None)[:2]
    products = npl.hvp(loss, (x, y), given, **weights)
    return [value, *gradients, *[p for p in products if p is not None]]


def assert_same(got: list[Any], expected: list[Any], rtol: float = 1e-12) -> None:
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-15)


@EVERY
def test_class_and_function_are_one_and_derivatives_agree(options: dict[str, Any]) -> None:
    for y in (arguments()[1], labels()):
        x = arguments(activation=options["activation"])[0]
        loss = npl.DiceLoss(**options, smooth=0.5)  # 1e-5 leaves slopes that no difference resolves
        assert loss(x, y) == F.dice_loss(x, y, **options, smooth=0.5)
        both = (0, 1) if y.shape == x.shape else (0,)
        npl.check_grads(loss, (x, y), argnums=both)
        npl.check_grads(dataclasses.replace(loss, reduction="none"), (x, y), argnums=both)
        hessian = npl.hessian(loss)(x, y).reshape(x.size, x.size)
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-14)
        diagonal = npl.hessian_diag(loss)(x, y).ravel()
        np.testing.assert_allclose(hessian.diagonal(), diagonal, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("jaccard", [False, True])
def test_a_place_ignored_in_one_class_of_a_softmax(
    batch: bool, squared: bool, jaccard: bool
) -> None:
    # Its logit still moves the probabilities of the classes that count there.
    x, y = arguments((2, 3, 5), "softmax")
    masks = (y > 0.4).astype(float)
    masks[0, 1, 2] = masks[1, :2, 4] = masks[1, :, 0] = -100
    loss = npl.DiceLoss(
        activation="softmax", batch=batch, squared=squared, jaccard=jaccard, reduction="sum"
    )
    v, step = np.random.default_rng(3).normal(size=x.shape), 1e-6
    gradient = npl.grad(loss)
    around = [x + step * v, x - step * v]
    product = npl.hvp(lambda x: loss(x, masks), (x,), (v,))[0]
    change = np.subtract(*(gradient(at, masks) for at in around)) / (2 * step)
    np.testing.assert_allclose(product, change, atol=1e-8)
    assert not product[1, :, 0].any()
    slope = npl.jvp(lambda x: loss(x, masks), (x,), (v,))[1]
    np.testing.assert_allclose(slope, np.vdot(gradient(x, masks), v), rtol=1e-12)
    diagonal = npl.hessian(lambda x: loss(x, masks))(x).reshape(x.size, x.size).diagonal()
    got = npl.hessian_diag(lambda x: loss(x, masks))(x)
    np.testing.assert_allclose(got.ravel(), diagonal, atol=1e-14)


@ACTIVATION
def test_indices_are_one_hot_masks(activation: str) -> None:
    x, y = arguments(activation=activation)[0], labels()
    masks = np.moveaxis(np.eye(3)[y], -1, 1)
    for batch in (False, True):
        loss = npl.DiceLoss([1.0, 0.5, 2.0], activation=activation, batch=batch)
        assert_same(results(loss, x, y)[:2], results(loss, x, masks)[:2])
        assert loss(x, masks.astype(bool)) == loss(x, masks) == loss(x, masks.astype(np.uint8))


@ACTIVATION
def test_reductions(activation: str) -> None:
    x, y = arguments(activation=activation)
    weight = np.array([0.5, 0.0, 2.0])
    for target in (y, labels()):
        loss = npl.DiceLoss(reduction="none", activation=activation)
        losses = loss(x, target)
        assert losses.shape == (4, 3) == loss.losses_shape(x.shape, target.shape)
        for reduction, expected in (
            ("sum", losses.sum()),
            ("mean", losses.mean()),
            ("batchmean", losses.sum() / 4),
        ):
            own = dataclasses.replace(loss, reduction=reduction)
            np.testing.assert_allclose(own(x, target), expected, rtol=1e-14)
        weighted = dataclasses.replace(loss, weight=weight)
        np.testing.assert_allclose(weighted(x, target), losses * weight, rtol=1e-14)
        mean = dataclasses.replace(weighted, reduction="mean")
        expected = (losses * weight).sum() / (4 * weight.sum())
        np.testing.assert_allclose(mean(x, target), expected, rtol=1e-14)
        np.testing.assert_allclose(
            mean(x, target, normalizer=7), (losses * weight).sum() / 7, rtol=1e-14
        )
        batch = dataclasses.replace(loss, batch=True)
        assert batch(x, target).shape == (3,) == batch.losses_shape(x.shape, target.shape)


@ACTIVATION
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("poison", [NAN, INF, -INF])
def test_weight_zero_deletes_a_sample_and_two_doubles_it(
    activation: str, batch: bool, poison: float
) -> None:
    x, y = arguments(activation=activation)
    weight, kept = np.array([1.0, 0, 2, 1]), [0, 2, 2, 3]
    x[1] = poison
    for target, fill in ((y, poison), (labels(), 10**6)):
        target[1] = fill
        loss = npl.DiceLoss(activation=activation, batch=batch, squared=True)
        value, gradient, *_ = got = results(loss, x, target, sample_weight=weight)
        np.testing.assert_allclose(value, loss(x[kept], target[kept]), rtol=1e-14)
        expected = npl.grad(loss)(x[kept], target[kept])
        np.testing.assert_allclose(gradient[0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(gradient[2], expected[1:3].sum(0), rtol=1e-12)
        assert all(not part[1].any() for part in got[1:])
        assert all(np.isfinite(part).all() for part in got)


@pytest.mark.parametrize("activation", ["none", "sigmoid"])
def test_a_mask_of_weight_zero_is_removed(activation: str) -> None:
    x, y = arguments(activation=activation)
    weight = np.ones((4, 3))
    weight[1, 2] = 0
    clean = results(npl.DiceLoss(activation=activation), x, y, sample_weight=weight)
    x[1, 2] = NAN
    y[1, 2] = NAN
    got = results(npl.DiceLoss(activation=activation), x, y, sample_weight=weight)
    assert_same(got, clean)
    assert not got[1][1, 2].any()
    losses = npl.DiceLoss(activation=activation, reduction="none")(x, y, sample_weight=weight)
    assert losses[1, 2] == 0


@EVERY
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_ignored_pixels_take_no_part(
    options: dict[str, Any], batch: bool, ignore_index: int
) -> None:
    x = arguments(activation=options["activation"])[0]
    loss = npl.DiceLoss(**options, batch=batch, ignore_index=ignore_index)
    y = 2 * labels(classes=2)  # of which none is class 1
    y[:, [1, 4]] = ignore_index
    kept = [0, 2, 3]
    expected = results(loss, x[:, :, kept], y[:, kept])[:2]
    x[:, :, [1, 4]] = NAN
    for target in (y, y.astype(np.int8)):
        got = results(loss, x, target)
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-14)
        np.testing.assert_allclose(got[1][:, :, kept], expected[1], rtol=1e-12)
        assert not got[1][:, :, [1, 4]].any()
        assert np.isfinite(got[2]).all()


def test_ignored_places_of_masks() -> None:
    x, y = arguments((3, 1, 6), "sigmoid")
    masks = (y > 0.5).astype(np.uint8)
    loss = npl.DiceLoss(activation="sigmoid", ignore_index=255)
    expected = loss(x[:, :, :4], masks[:, :, :4])
    masks[:, :, 4:] = 255
    x[:, :, 4:] = NAN
    value, gradient = npl.value_and_grad(loss)(x, masks)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    assert not gradient[:, :, 4:].any()
    assert np.isfinite(gradient).all()


@ACTIVATION
def test_all_ignored_is_two_empty_masks(activation: str) -> None:
    x = np.full((2, 3, 4), NAN)
    value, gradient = npl.value_and_grad(npl.DiceLoss(activation=activation))(
        x, np.full((2, 4), -100)
    )
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_empty_masks_without_smoothing(form: dict[str, Any]) -> None:
    zero, some = np.zeros((1, 1, 3)), np.array([[[0.0, 0.25, 1.0]]])
    loss = npl.DiceLoss(smooth=0, **form)
    for got in results(loss, zero, zero):
        assert not np.any(got)
    value, gradient = npl.value_and_grad(loss)(some, zero)
    assert value == 1
    assert not gradient.any()
    assert loss(zero, some) == 1
    assert loss(some[..., ::2], some[..., ::2]) == 0


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_infinite_logits_are_certain_pixels(form: dict[str, Any]) -> None:
    x, y = np.array([[[INF, -INF, 0.0], [-INF, INF, 0.0]]]), np.array([[0, 0, 1]])
    for activation in ("sigmoid", "softmax"):
        loss = npl.DiceLoss(activation=activation, **form)
        probabilities = np.array([[[1, 0, 0.5], [0, 1, 0.5]]])
        value, gradient, product = results(loss, x, y)
        np.testing.assert_allclose(value, F.dice_loss(probabilities, y, **form), rtol=1e-15)
        assert not gradient[..., :2].any()
        assert gradient[..., 2].all()
        assert not product[..., :2].any()
        assert np.isfinite(product).all()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("size", [1.0, 20.0, 40.0, 60.0, 80.0, 100.0])
def test_float32_is_float64_rounded(form: dict[str, Any], activation: str, size: float) -> None:
    # An exponential has the rounding of a distance between logits, as in any softmax.
    rtol = (16 + (2 * size if activation == "softmax" else 0)) * np.finfo(np.float32).eps
    rng = np.random.default_rng(11)
    y = labels((6, 7), 2)
    side = np.stack([1 - 2 * y, 2 * y - 1], 1)
    x = (side * size * rng.uniform(0.5, 1, side.shape)).astype(np.float32)
    x[3:] *= -1
    loss = npl.DiceLoss(activation=activation, smooth=0, **form)
    wide = dataclasses.replace(loss, reduction="none")(x.astype(float), y)
    got = dataclasses.replace(loss, reduction="none")(x, y)
    np.testing.assert_allclose(got, wide, rtol=rtol, atol=1e-43)
    gradient = npl.grad(loss)(x.astype(float), y)
    np.testing.assert_allclose(npl.grad(loss)(x, y), gradient, rtol=rtol, atol=1e-43)
    # Weights bring back what is below float32's range.
    weighted = npl.grad(loss)(x, y, sample_weight=1e30, normalizer=1)
    np.testing.assert_allclose(
        weighted, (gradient * 12e30).astype(np.float32), rtol=rtol, atol=1e-43
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_is_passed_on(activation: str) -> None:
    x, y = arguments(activation=activation)
    x[1, 1, 1] = NAN
    if activation == "none":
        with pytest.raises(ValueError, match=r"input\[1, 1, 1\] is nan"):
            F.dice_loss(x, y)
    else:
        losses = F.dice_loss(x, y, activation=activation, reduction="none")
        assert np.isnan(losses[1]).sum() == (3 if activation == "softmax" else 1)
        assert np.isfinite(losses[[0, 2, 3]]).all()


# ---------------------------------------------------------------------- what a caller may rely on


@EVERY
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_inputs_as_they_were(options: dict[str, Any], dtype: Any) -> None:
    x, y = arguments(activation=options["activation"], dtype=dtype)
    for target in (y, labels()):
        before = x.tobytes(), target.tobytes()
        x.flags.writeable = target.flags.writeable = False
        got = results(npl.DiceLoss(**options), x, target)
        assert all(part.dtype == dtype for part in got)
        assert (x.tobytes(), target.tobytes()) == before
        assert all(part.flags.writeable for part in got[1:])
        strided = np.asfortranarray(x), np.asfortranarray(target)
        assert_same(results(npl.DiceLoss(**options), *strided), got)
        wide = [a.astype(float) if a.dtype.kind == "f" else a for a in (x, target)]
        exact = F.dice_loss(*wide, **options)
        np.testing.assert_allclose(got[0], exact, rtol=2 * np.finfo(dtype).eps)


def test_a_loss_is_a_value() -> None:
    loss = npl.DiceLoss(np.array([1.0, 2.0, 0.0]), activation="softmax", batch=True, smooth=0.5)
    x, y = arguments(activation="softmax")[0], labels()
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert other(x, y) == loss(x, y)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.smooth = 1.0  # type: ignore[misc]
    assert loss(x.tolist(), y.tolist()) == loss(x, y)


@ACTIVATION
@pytest.mark.parametrize("batch", [False, True])
def test_threads_do_not_change_a_bit(activation: str, batch: bool) -> None:
    x, y = arguments((64, 3, 100, 100), activation, np.float32)
    threads, seen = npl.get_num_threads(), set()
    try:
        for count in (1, 2, 5):
            npl.set_num_threads(count)
            got = results(npl.DiceLoss(activation=activation, batch=batch), x, y)
            seen.add(tuple(part.tobytes() for part in got))
    finally:
        npl.set_num_threads(threads)
    assert len(seen) == 1


def test_big_sums_keep_their_digits() -> None:
    x = np.full((1, 1, 1 << 22), 0.1, np.float32)
    y = np.zeros_like(x)
    y[..., : 1 << 20] = 1
    p = float(np.float32(0.1))
    exact = 1 - (2 * p * 2**20 + 1e-5) / (p * 2**22 + 2**20 + 1e-5)
    np.testing.assert_allclose(F.dice_loss(x, y), exact, rtol=1e-7)


@ACTIVATION
def test_memory_beside_the_gradient_is_that_of_blocks(activation: str) -> None:
    x = np.full((1024, 4, 64, 64), 0.5, np.float32)
    y = np.zeros_like(x)
    step = npl.value_and_grad(npl.DiceLoss(activation=activation))
    threads = npl.get_num_threads()
    npl.set_num_threads(2)
    tracemalloc.start()
    try:
        _, gradient = step(x, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        npl.set_num_threads(threads)
    assert peak - gradient.nbytes < 0.75 * gradient.nbytes
