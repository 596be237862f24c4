"""Distances, similarities and losses of embeddings: kinks, limits, shapes, and what is not reduced."""

from __future__ import annotations

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.cases import CASES, Case
from tests.support.checks import samples

INF = float("inf")
RNG = np.random.default_rng(0)
X_NEAR = np.array([[1.0, 2.0]])


def pullback(loss, *arguments):
    value, back = npl.vjp(loss, *arguments)
    return back(np.ones_like(value))


# ---------------------------------------------------------------------- forms and shapes


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_class_and_function_are_one(dtype: type) -> None:
    x, y = RNG.normal(size=(2, 5, 4)).astype(dtype)
    for loss, function, options in (
        (npl.PairwiseDistance, F.pairwise_distance, {"p": 3, "eps": 0.5, "keepdim": True}),
        (npl.CosineSimilarity, F.cosine_similarity, {"dim": 0, "eps": 0.5}),
    ):
        value = loss(**options)(x, y)
        assert value.dtype == dtype
        np.testing.assert_array_equal(value, function(x, y, **options))


@pytest.mark.parametrize("case", [c for c in CASES if c.unreduced is not None], ids=str)
def test_what_is_not_reduced_is_what_its_case_is(case: Case) -> None:
    arguments = samples(case, 5)
    expected, back = npl.vjp(case.make(reduction="none"), *arguments)
    loss, function = case.unreduced
    for form in (loss(**case.options), lambda *a: function(*a, **case.options)):
        value, own_back = npl.vjp(form, *arguments)
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(own_back(expected), back(expected))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((3,), (3,)),
        ((), ()),
        ((), (3,)),
        ((3,), (1, 3)),
        ((5, 3), (3,)),
        ((3,), (5, 3)),
        ((5, 1, 3), (4, 3)),
        ((5, 3), (5, 1)),
        ((0, 3), (0, 3)),
        ((2, 0), (2, 0)),
    ],
)
def test_they_broadcast_and_gradients_are_summed_back(one, two) -> None:
    x, y = RNG.normal(size=one), RNG.normal(size=two)
    full = np.broadcast_shapes(one, two)
    for loss in (npl.PairwiseDistance(), npl.CosineSimilarity(dim=-1)):
        value = loss(x, y)
        assert value.shape == loss.losses_shape(one, two) == full[:-1]
        full = full or (1,)
        wide = np.broadcast_to(x, full).copy(), np.broadcast_to(y, full).copy()
        np.testing.assert_array_equal(value, loss(*wide))
        for own, part, gradient in zip(
            pullback(loss, x, y), pullback(loss, *wide), (x, y), strict=True
        ):
            added = part.sum(tuple(range(len(full) - gradient.ndim)))
            axes = tuple(i for i, n in enumerate(gradient.shape) if n == 1 and added.shape[i] != 1)
            np.testing.assert_allclose(
                own, added.sum(axes, keepdims=True) if axes else added, atol=1e-15
            )


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_cosine_along_any_axis(dim: int) -> None:
    x, y = RNG.normal(size=(2, 3, 4, 5))
    expected = npl.CosineSimilarity(dim=-1)(np.moveaxis(x, dim, -1), np.moveaxis(y, dim, -1))
    np.testing.assert_allclose(F.cosine_similarity(x, y, dim), expected, rtol=1e-15)


def test_keepdim() -> None:
    x, y = RNG.normal(size=(2, 5, 3))
    loss = npl.PairwiseDistance(keepdim=True)
    assert loss(x, y).shape == loss.losses_shape((5, 3), (5, 3)) == (5, 1)
    np.testing.assert_array_equal(loss(x, y)[:, 0], F.pairwise_distance(x, y))
    assert pullback(loss, x, y)[0].shape == (5, 3)
    assert loss(x[0], y[0]).shape == (1,)


# ---------------------------------------------------------------------- kinks and limits


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, INF])
def test_at_distance_zero_all_derivatives_are_zero(p: float) -> None:
    x, loss = np.array([[1.0, 2.0]]), npl.PairwiseDistance(p=p, eps=0)
    assert loss(x, x) == 0
    gradients = pullback(loss, x, x.copy())
    products = npl.hvp(loss, (x, x.copy()), (x, 2 * x), cotangent=np.ones(1))
    for result in (*gradients, *products):
        np.testing.assert_array_equal(result, np.zeros((1, 2)))


def test_tied_maxima_share() -> None:
    x = np.array([[3.0, -3.0, 1.0]])
    slope, _ = pullback(npl.PairwiseDistance(p=INF, eps=0), x, np.zeros((1, 3)))
    np.testing.assert_array_equal(slope, [[0.5, -0.5, 0]])


@pytest.mark.parametrize(("p", "expected"), [(0, 0), (0.5, 0), (1, 0), (1.5, 0)])
def test_an_element_of_zero_has_no_slope_and_no_curvature(p: float, expected: float) -> None:
    x, y, loss = np.array([[0.0, 2.0]]), np.zeros((1, 2)), npl.PairwiseDistance(p=p, eps=0)
    assert pullback(loss, x, y)[0][0, 0] == expected
    product, _ = npl.hvp(loss, (x, y), (np.array([[1.0, 0.0]]), y), cotangent=np.ones(1))
    np.testing.assert_array_equal(product, np.zeros((1, 2)))


def test_p_zero_counts() -> None:
    np.testing.assert_array_equal(F.pairwise_distance([[0.0, 1e-300, 5]], [[0.0, 0, 4]], 0, 0), [2])


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300])
@pytest.mark.parametrize("p", [0.5, 1, 2, 3, 100, INF])
def test_distances_of_any_magnitude(scale: float, p: float) -> None:
    x = np.array([[3.0, -4.0]])
    loss = npl.PairwiseDistance(p=p, eps=0)
    near = loss(x, np.zeros((1, 2)))
    subnormal = scale < 1e-310  # where a number has but a few bits
    far = loss(scale * x, np.zeros((1, 2)))
    np.testing.assert_allclose(far, scale * near, rtol=1e-3 if subnormal else 1e-14)
    slope = pullback(loss, scale * x, np.zeros((1, 2)))[0]
    tolerance = 1e-1 if subnormal else 1e-12
    np.testing.assert_allclose(slope, pullback(loss, x, np.zeros((1, 2)))[0], rtol=tolerance)


def test_infinite_differences() -> None:
    x, y = np.array([[INF, 1.0, -INF]]), np.zeros((1, 3))
    for p in (0.5, 1, 2, 3, INF):
        loss = npl.PairwiseDistance(p=p)
        assert loss(x, y) == INF
        assert np.isfinite(pullback(loss, x, y)[0]).all()
    assert np.isnan(npl.PairwiseDistance()(x, x))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_cosines_of_any_magnitude(scale: float) -> None:
    x, y = RNG.normal(size=(2, 6, 3))
    near = F.cosine_similarity(x, y, eps=0)
    np.testing.assert_allclose(F.cosine_similarity(scale * x, y / scale, eps=0), near, rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosines_stay_inside(dtype: type) -> None:
    x = RNG.normal(size=(2000, 7)).astype(dtype)
    for factor in (1, 3, -1, -0.7):
        cosine = F.cosine_similarity(x, (x * dtype(factor)).astype(dtype))
        assert np.abs(cosine).max() <= 1
        assert np.abs(cosine).min() >= 1 - np.finfo(dtype).eps


def test_a_zero_vector() -> None:
    x, y = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    for loss in (
        npl.CosineSimilarity(eps=0),
        npl.CosineEmbeddingLoss(margin=-0.5, reduction="none"),
    ):
        more = () if isinstance(loss, npl.CosineSimilarity) else (np.array([-1]),)
        assert loss(x, y, *more) == (0.5 if more else 0)
        for gradient in pullback(loss, x, y, *more)[:2]:
            np.testing.assert_array_equal(gradient, np.zeros((1, 2)))
    slope = pullback(npl.CosineSimilarity(eps=0.5), x, y)[0]
    np.testing.assert_allclose(slope, [[1.2, 1.6]], rtol=1e-15)  # y over its length, over eps


def test_at_the_floor_the_cosine_has_the_subgradient_of_least_norm() -> None:
    x, y = np.array([[3.0, 4.0]]), np.array([[9.0, 0.0]])
    at, above = (pullback(npl.CosineSimilarity(eps=eps), x, y)[0] for eps in (5.0, 0.0))
    np.testing.assert_array_equal(at, above)


def test_cosine_embedding_at_its_margin_and_beside_its_targets() -> None:
    x, y = np.array([[1.0, 0.0]] * 3), np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    loss = npl.CosineEmbeddingLoss(reduction="none")
    targets = np.array([-1, 0, 2])
    np.testing.assert_array_equal(loss(x, y, targets), np.zeros(3))
    for gradient in pullback(loss, x, y, targets)[:2]:
        np.testing.assert_array_equal(gradient, np.zeros((3, 2)))


def test_parallel_embeddings_keep_their_digits() -> None:
    x, y = np.array([[1.0, 0.0]]), np.array([[1.0, 1e-150]])
    loss = npl.CosineEmbeddingLoss(reduction="sum")
    value, gradient = npl.value_and_grad(loss)(x, y, np.array([1]))
    assert value == pytest.approx(0.5e-300, rel=1e-15)
    np.testing.assert_allclose(gradient, [[0, -1e-150]], rtol=1e-15)


# ---------------------------------------------------------------------- triplets


def test_a_triplet_at_its_margin() -> None:
    a, p, n = np.zeros((1, 2)), np.array([[3.0, 4.0]]), np.array([[0.0, 6.0]])
    loss = npl.TripletMarginLoss(eps=0, reduction="none")
    assert loss(a, p, n) == 0
    for result in (
        *pullback(loss, a, p, n),
        *npl.hvp(loss, (a, p, n), (p, n, p), cotangent=np.ones(1)),
    ):
        np.testing.assert_array_equal(result, np.zeros((1, 2)))


@pytest.mark.parametrize(
    "loss",
    [
        npl.TripletMarginLoss(margin=9.0, p=1, eps=0, swap=True, reduction="sum"),
        npl.TripletMarginWithDistanceLoss(
            distance_function=npl.PairwiseDistance(1, 0), margin=9.0, swap=True, reduction="sum"
        ),
    ],
    ids=lambda loss: loss.name,
)
def test_a_tie_of_swap_has_the_subgradient_of_least_norm(loss: npl.Loss) -> None:
    a, p, n = np.array([[0.0, 0.0]]), np.array([[2.0, 4.0]]), np.array([[3.0, 1.0]])
    got = np.concatenate(npl.grad(loss, (0, 1, 2))(a, p, n), -1)[0]
    near, far, swapped = np.array([[-1, -1], [-1, -1], [-1, 1]])
    one = np.concatenate([near - far, -near, far])
    two = np.concatenate([near, -near - swapped, swapped])
    path = [t * one + (1 - t) * two for t in np.linspace(0, 1, 10001)]
    assert got @ got <= min(g @ g for g in path) + 1e-12
    t = (two @ (two - one)) / ((two - one) @ (two - one))
    np.testing.assert_allclose(got, t * one + (1 - t) * two, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("loss", [npl.TripletMarginLoss, npl.TripletMarginWithDistanceLoss])
@pytest.mark.parametrize(
    "shapes",
    [
        [(3,), (3,), (3,)],
        [(), (), ()],
        [(5, 3), (5, 3), (5, 3)],
        [(1, 3), (5, 3), (5, 3)],
        [(5, 3), (1, 3), (1, 3)],
        [(1, 3), (1, 3), (5, 3)],
        [(2, 5, 3), (2, 1, 3), (1, 5, 3)],
        [(0, 3), (0, 3), (0, 3)],
    ],
)
def test_shapes_of_triplets(loss, shapes) -> None:
    arguments = [RNG.normal(size=shape) for shape in shapes]
    full = np.broadcast_shapes(*shapes)
    made = loss(reduction="none", margin=3.0)
    assert made(*arguments).shape == made.losses_shape(*shapes) == full[:-1]
    wide = [np.broadcast_to(x, full) for x in arguments]
    np.testing.assert_array_equal(made(*arguments), made(*wide))
    for own, gradient in zip(arguments, pullback(made, *arguments), strict=True):
        assert gradient.shape == own.shape
    if arguments[0].size:
        npl.check_grads(made, arguments)


def test_any_distance_that_npl_follows() -> None:
    arguments = tuple(RNG.normal(size=(3, 6, 4)))

    def distance(x, y):
        return F.pairwise_distance(x, y, p=1)

    own, expected = (
        npl.value_and_grad(loss, (0, 1, 2))(*arguments)
        for loss in (
            npl.TripletMarginWithDistanceLoss(distance_function=distance, margin=2.0),
            npl.TripletMarginLoss(p=1, margin=2.0),
        )
    )
    assert own[0] == pytest.approx(expected[0], rel=1e-15)
    np.testing.assert_allclose(own[1], expected[1], rtol=1e-14, atol=1e-16)
    images = tuple(RNG.normal(size=(3, 6, 4, 2)))
    whole = npl.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: F.pairwise_distance(x, y)[..., 0]
    )
    first = npl.TripletMarginWithDistanceLoss()(*(image[..., 0] for image in images))
    assert whole(*images) > 0
    npl.check_grads(whole, images)
    plain = npl.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: np.linalg.norm(x - y + 1e-6, axis=-1)
    )
    assert plain(*(image[..., 0] for image in images)) == pytest.approx(first, rel=1e-14)
    npl.check_grads(plain, tuple(image[..., 0] for image in images))


@pytest.mark.parametrize(
    ("loss", "more"),
    [
        (npl.TripletMarginLoss(), [X_NEAR]),
        (npl.TripletMarginWithDistanceLoss(), [X_NEAR]),
        (npl.CosineEmbeddingLoss(), [np.array([-1])]),
        (npl.CosineEmbeddingLoss(), [np.array([1])]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_nan_shows_in_value_and_gradient(loss: npl.Loss, more: list[np.ndarray]) -> None:
    x = np.array([[np.nan, 1.0]])
    value, gradient = npl.value_and_grad(loss)(x, X_NEAR, *more)
    assert np.isnan(value)
    assert np.isnan(gradient).any()
