"""Cases of distances, similarities and the losses of embeddings.

Distances and similarities are not reduced. `Distances` and `Similarities` are the same kernels with a
reduction and weights, so that all that holds for losses is tested of them too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import INF, Array, Case

SIZE = 4  # of the vectors


class _Weighted:
    """A call with the keywords of a loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_options(None, None)

    def __call__(
        self, x1: Any, x2: Any, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Any:
        return self._evaluate((x1, x2), sample_weight, normalizer)


@dataclasses.dataclass(frozen=True, eq=False)
class Distances(_Weighted, npl.PairwiseDistance):
    reduction: str = "mean"
    normalizer: float | None = None
    empty: str = "nan"


@dataclasses.dataclass(frozen=True, eq=False)
class Similarities(_Weighted, npl.CosineSimilarity):
    reduction: str = "mean"
    normalizer: float | None = None
    empty: str = "nan"


def _distances(x1: Any, x2: Any, *, sample_weight: Any = None, **options: Any) -> Any:
    return Distances(**options)(x1, x2, sample_weight=sample_weight)


def _similarities(x1: Any, x2: Any, *, sample_weight: Any = None, **options: Any) -> Any:
    return Similarities(**options)(x1, x2, sample_weight=sample_weight)


# ---------------------------------------------------------------------- samples


def _vectors(count: int) -> Any:
    def sample(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
        return tuple(rng.normal(size=(n, SIZE)).astype(dtype) for _ in range(count))

    return sample


def _pairs_and_targets(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    targets = np.where(np.arange(n) % 2, 1, -1)
    return (*_vectors(2)(rng, dtype, n), targets)


FIRST = [
    [1, 2, 3, 4],
    [1, 0.5, -0.25, 2],
    [1, 1, 1, 1],
    [0.3, -0.4, 0.5, 0.6],
    [1, 2, -1, 3],
    [2, 1e-8, 3e-9, -1e-7],
]
SECOND = [
    [4, 3, 2, 1.5],
    [-2, 1, 3, 0.5],
    [1.5, 0.25, -2, 3],
    [1, 1.25, 0.75, 0.25],
    [1.5, 2.75, -1.25, 2],
    [1, 2e-7, 5e-8, 3e-8],
]


def _scales(dtype: type) -> tuple[Array, Array]:
    """Return factors of the rows above: ordinary, tiny and huge vectors."""
    tiny, huge = (2.0**-60, 2.0**60) if dtype == np.float32 else (2.0**-450, 2.0**450)
    first, second = np.ones((6, 1)), np.ones((6, 1))
    first[2:5] = [[tiny], [huge], [huge]]
    second[2:5] = [[tiny], [huge], [1]]
    return first, second


def _extreme_pairs(dtype: type) -> tuple[Array, ...]:
    first, second = _scales(dtype)
    return (np.array(FIRST) * first).astype(dtype), (np.array(SECOND) * second).astype(dtype)


def _near_pairs(dtype: type) -> tuple[Array, ...]:
    """Vectors that are parallel, or opposite, up to a few units of roundoff and more."""
    rng = np.random.default_rng(1)
    x = np.concatenate([np.array(FIRST[:2])] * 3)
    apart = np.finfo(dtype).eps * np.array([[2.0], [30], [1e3], [1e5], [50], [1e6]])
    y = x * (1 + apart * rng.uniform(-1, 1, x.shape)) * [[1], [3], [1], [0.7], [-1], [-2]]
    return x.astype(dtype), y.astype(dtype)


def _orthogonal_pairs(dtype: type) -> tuple[Array, ...]:
    """Vectors whose products all but cancel: to a unit of roundoff in float64, whatever the dtype."""
    rng = np.random.default_rng(2)
    a, b, c, d = rng.normal(size=(4, 6)).astype(dtype)
    small = dtype(2.0**-29 if dtype == np.float32 else 1)
    x = [a, c * small, b, np.nextafter(d, dtype(9))]
    y = [b, d, -a, -c * small]
    return np.stack(x, 1), np.stack(y, 1)


def _extreme_similar(dtype: type) -> tuple[Array, ...]:
    both = zip(_extreme_pairs(dtype), _near_pairs(dtype), strict=True)
    return tuple(np.concatenate(pair) for pair in both)


def _extreme_embeddings(dtype: type) -> tuple[Array, ...]:
    x, y = _extreme_similar(dtype)
    targets = np.array([1, -1, 1, -1, 1, 1, 1, 1, 1, -1, 1, -1])
    return x, y, targets


def _extreme_shifted(dtype: type) -> tuple[Array, ...]:
    """Differences next to -eps, where a sum of rounded numbers would lose its digits."""
    x, y = _extreme_pairs(dtype)
    y[0] = x[0] = 1e-3
    y[0] += np.array([1.5e-6, 1e-6, 0.9e-6, 2e-6], dtype)
    return x, y


def _extreme_triplets(dtype: type) -> tuple[Array, ...]:
    x, y = np.array(FIRST), np.array(SECOND)
    far = 2.0**60 if dtype == np.float32 else 2.0**450
    z = y[::-1] + np.array([[0.25], [0.5], [-0.5], [0.125], [0.75], [2]])
    x[3:5], y[3:5], z[3:5] = far * x[3:5], 2 * far * y[3:5], far * z[3:5] / 2
    return x.astype(dtype), y.astype(dtype), z.astype(dtype)


# ---------------------------------------------------------------------- exact formulas


def _norm(r: list[Any], p: float) -> Any:
    if p == INF:
        return max(abs(x) for x in r)
    return mp.fsum(abs(x) ** mpf(p) for x in r) ** (1 / mpf(p))


def _distance(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> Any:
    eps = mpf(options.get("eps", 1e-6))
    return _norm([a - b + eps for a, b in zip(x, y, strict=True)], options.get("p", 2))


def _cosine(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> Any:
    eps = mpf(options.get("eps", 1e-8))
    dot = mp.fsum(a * b for a, b in zip(x, y, strict=True))
    return dot / (max(_norm(x, 2), eps) * max(_norm(y, 2), eps))


def _embedding(options: Mapping[str, Any], x: list[Any], y: list[Any], target: Any) -> Any:
    cosine = _cosine({"eps": 0}, x, y)
    if target == 1:
        return 1 - cosine
    return max(mpf(0), cosine - mpf(options.get("margin", 0)))


def _triplet(options: Mapping[str, Any], a: list[Any], p: list[Any], n: list[Any]) -> Any:
    far = _distance(options, a, n)
    if options.get("swap"):
        far = min(far, _distance(options, p, n))
    return max(mpf(0), _distance(options, a, p) - far + mpf(options.get("margin", 1)))


def _slope(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> list[Any]:
    eps, p = mpf(options.get("eps", 1e-6)), options.get("p", 2)
    r = [a - b + eps for a, b in zip(x, y, strict=True)]
    length = _norm(r, p)
    return [(abs(one) / length) ** (mpf(p) - 1) for one in r]


def _triplet_terms(
    options: Mapping[str, Any], a: list[Any], p: list[Any], n: list[Any]
) -> list[Any]:
    if _triplet(options, a, p, n) == 0:
        return [None, None, None]
    near, far = _slope(options, a, p), _slope(options, a, n)
    if options.get("swap") and _distance(options, p, n) < _distance(options, a, n):
        swapped = _slope(options, p, n)
        return [None, [s + t for s, t in zip(near, swapped, strict=True)], None]
    return [[s + t for s, t in zip(near, far, strict=True)], None, None]


def _bend(options: Mapping[str, Any], x: list[Any], y: list[Any]) -> list[Any]:
    """Return the diagonal of the Hessian of a distance, all terms of which are positive."""
    eps, p = mpf(options.get("eps", 1e-6)), options.get("p", 2)
    r = [a - b + eps for a, b in zip(x, y, strict=True)]
    length = _norm(r, p)
    w = [abs(one) / length for one in r]
    return [(mpf(p) - 1) / length * one ** (mpf(p) - 2) * (1 - one ** mpf(p)) for one in w]


def _triplet_bends(
    options: Mapping[str, Any], a: list[Any], p: list[Any], n: list[Any]
) -> list[Any]:
    if _triplet(options, a, p, n) == 0:
        return [None, None, None]
    near, far = _bend(options, a, p), _bend(options, a, n)
    if options.get("swap") and _distance(options, p, n) < _distance(options, a, n):
        swapped = _bend(options, p, n)
        return [None, [s + t for s, t in zip(near, swapped, strict=True)], None]
    return [[s + t for s, t in zip(near, far, strict=True)], None, None]


def _cosine_bends(options: Mapping[str, Any], x: list[Any], y: list[Any], *_: Any) -> list[Any]:
    """Return the terms of -(cos (1 - u_i^2) + 2 u_i (v_i - cos u_i)) / |x|^2, u and v of length 1."""
    eps = mpf(options.get("eps", 1e-8))
    cosine, bends = _cosine(options, x, y), []
    for one, other in ((x, y), (y, x)):
        length, far = _norm(one, 2), max(_norm(other, 2), eps)
        if length < eps:
            bends.append(None)
            continue
        bends.append(
            [
                (
                    abs(cosine) * (1 - (s / length) ** 2)
                    + 2 * abs(s / length * (t / far - cosine * s / length))
                )
                / length**2
                for s, t in zip(one, other, strict=True)
            ]
        )
    return bends


def _embedding_bends(options: Mapping[str, Any], *row: Any) -> list[Any]:
    return [None, None] if _embedding(options, *row) == 0 else _cosine_bends({"eps": 0}, *row)


# ---------------------------------------------------------------------- the table


def _distance_case(name: str, extremes: Any = _extreme_pairs, **options: Any) -> Case:
    return Case(
        f"pairwise_distance-{name}",
        Distances,
        _distances,
        torch_functional.pairwise_distance,
        _vectors(2),
        extremes,
        _distance,
        options,
        None,
        (0, 1),
        unreduced=(npl.PairwiseDistance, F.pairwise_distance),
    )


def _similarity_case(name: str, extremes: Any = _extreme_similar, **options: Any) -> Case:
    return Case(
        f"cosine_similarity-{name}",
        Similarities,
        _similarities,
        torch_functional.cosine_similarity,
        _vectors(2),
        extremes,
        _cosine,
        options,
        None,
        (0, 1),
        curvature_terms=_cosine_bends,
        unreduced=(npl.CosineSimilarity, F.cosine_similarity),
    )


def _embedding_case(name: str, **options: Any) -> Case:
    return Case(
        f"cosine_embedding-{name}",
        npl.CosineEmbeddingLoss,
        F.cosine_embedding_loss,
        torch_functional.cosine_embedding_loss,
        _pairs_and_targets,
        _extreme_embeddings,
        _embedding,
        options,
        None,
        (0, 1),
        curvature_terms=_embedding_bends,
    )


def _triplet_case(name: str, **options: Any) -> Case:
    return Case(
        f"triplet_margin-{name}",
        npl.TripletMarginLoss,
        F.triplet_margin_loss,
        torch_functional.triplet_margin_loss,
        _vectors(3),
        _extreme_triplets,
        _triplet,
        options,
        _triplet_terms,
        (0, 1, 2),
        curvature_terms=_triplet_bends,
    )


def _with_distance_case(name: str, **options: Any) -> Case:
    return Case(
        f"triplet_margin_with_distance-{name}",
        npl.TripletMarginWithDistanceLoss,
        F.triplet_margin_with_distance_loss,
        torch_functional.triplet_margin_with_distance_loss,
        _vectors(3),
        _extreme_triplets,
        lambda options, *row: _triplet(_of_distance(options), *row),
        options,
        lambda options, *row: _triplet_terms(_of_distance(options), *row),
        (0, 1, 2),
        curvature_terms=lambda options, *row: _triplet_bends(_of_distance(options), *row),
    )


def _of_distance(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with those of the distance among them."""
    distance = options.get("distance_function") or npl.PairwiseDistance()
    return {**options, "p": distance.p, "eps": distance.eps}


CASES = [
    _distance_case("plain"),
    _distance_case("exact", eps=0),
    _distance_case("shifted", _extreme_shifted),
    _distance_case("manhattan", p=1),
    _distance_case("cubic", p=3.0, eps=0),
    _distance_case("between", p=1.5, eps=0),
    _distance_case("half", p=0.5, eps=0),
    _distance_case("seventh", p=7.0, eps=0),
    _distance_case("maximum", p=INF, eps=0),
    _similarity_case("plain", _near_pairs),
    _similarity_case("exact", eps=0),
    _similarity_case("floor", eps=1.75),
    _similarity_case("orthogonal", _orthogonal_pairs),
    _embedding_case("plain"),
    _embedding_case("margin", margin=0.25),
    _triplet_case("plain"),
    _triplet_case("swap", swap=True, margin=2.0),
    _triplet_case("cubic", p=3, eps=0, margin=2.5),
    _with_distance_case("plain"),
    _with_distance_case(
        "swap", distance_function=npl.PairwiseDistance(p=3, eps=0), swap=True, margin=2.0
    ),
]
