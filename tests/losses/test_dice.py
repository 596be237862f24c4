"""The Dice loss, whose losses are those of whole masks.

`F.dice_loss` and `npl.DiceLoss` in the tests that every loss has, made for their shapes.
"""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases import Case
from tests.support.exact import DIGITS, exact_row, relative_error

EPS = 16  # the bound, in eps
DTYPES = [np.float32, np.float64]
ACTIVATIONS = ["none", "sigmoid", "softmax"]
FORMS = [{"squared": s, "jaccard": j} for s, j in itertools.product([False, True], repeat=2)]
INF = float("inf")


# ---------------------------------------------------------------------- exact arithmetic


class Problem(NamedTuple):
    """Arguments (N, C, D) and options."""

    x: np.ndarray
    y: np.ndarray
    options: dict[str, Any]

    @property
    def loss(self) -> npl.DiceLoss:
        return npl.DiceLoss(reduction="sum", **self.options)

    @property
    def hard(self) -> np.ndarray:
        """The masks as shares."""
        if self.y.ndim == self.x.ndim:
            return self.y
        return np.moveaxis(self.y[..., None] == np.arange(self.x.shape[1]), -1, 1).astype(float)


def exact_losses(problem: Problem, x: list[Any], y: list[Any]) -> list[Any]:
    """Return the losses of the classes of the samples, or of the classes, from flat arguments."""
    n, c, d = problem.x.shape
    options = problem.options
    smooth = mpf(options.get("smooth", 1e-5))
    at = [[[x[(i * c + k) * d + j] for j in range(d)] for k in range(c)] for i in range(n)]
    of_y = [[[y[(i * c + k) * d + j] for j in range(d)] for k in range(c)] for i in range(n)]
    activation = options.get("activation", "none")
    losses = []
    groups = [[(i, k) for i in range(n)] for k in range(c)]
    if not options.get("batch"):
        groups = [[(i, k)] for i in range(n) for k in range(c)]
    for group in groups:
        both = shared = mpf(0)
        for (i, k), j in itertools.product(group, range(d)):
            p, t = at[i][k][j], of_y[i][k][j]
            if activation == "sigmoid":
                p = 1 / (1 + mp.exp(-p))
            if activation == "softmax":
                p = 1 / mp.fsum(mp.exp(at[i][m][j] - p) for m in range(c))
            both += p * p + t * t if options.get("squared") else p + t
            shared += p * t
        if options.get("jaccard"):
            losses.append(1 - (shared + smooth) / (both - shared + smooth))
        else:
            losses.append(1 - (2 * shared + smooth) / (both + smooth))
    return losses


class Measures(NamedTuple):
    """What errors are relative to: sums of the absolute terms that the results consist of."""

    losses: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray


def measures_of(problem: Problem) -> Measures:
    """Return the measures, from the formulas of the loss's docstring, of input and then target."""
    x, t = problem.x.astype(float), problem.hard.astype(float)
    n, c, d = x.shape
    options = {"activation": "none", "smooth": 1e-5, "squared": False, "jaccard": False}
    options |= problem.options
    e = np.exp(-np.abs(x))
    p, q = {
        "none": (x, 1 - x),
        "sigmoid": (np.where(x > 0, 1, e) / (1 + e), np.where(x > 0, e, 1) / (1 + e)),
        "softmax": 2 * (None,),
    }[options["activation"]]
    if p is None:
        e = np.exp(x - x.max(1, keepdims=True))
        total = e.sum(1, keepdims=True)
        p = e / total
        q = np.stack([np.delete(e, k, 1).sum(1) for k in range(c)], 1) / total
    group = (0, 2) if options.get("batch") else (2,)
    keep: dict[str, Any] = {"axis": group, "keepdims": True}
    is_given = options["activation"] == "none"
    apart = np.abs(p - t) if is_given else p * (1 - t) + t * q
    squared, jaccard = options["squared"], options["jaccard"]
    alone = ((p - t) ** 2 if squared else p * (1 - t) + t * q).sum(**keep)
    # Soft masks against rounded probabilities: their difference cancels.
    cancels = 0 if is_given else (t > 0) & (t < 1)
    squares = np.where(cancels, (p + t) * apart, apart**2)
    terms = (squares if squared else p * (1 - t) + t * q).sum(**keep)
    both = (p * p + t * t if squared else p + t).sum(**keep)
    shared = (p * t).sum(**keep)
    size = ((alone + both) / 2 if jaccard else both) + options["smooth"]
    size[size == 0] = np.inf
    rest = ((1 if jaccard else 2) * shared + options["smooth"]) / size
    loss = alone / size

    def slope_and_growth(
        p: np.ndarray, t: np.ndarray, outside: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if squared:
            slope = 2 * (rest * apart + (loss / 2 if jaccard else loss) * t) / size
            return slope, 2 * p + (t if jaccard else 0)
        slope = (rest * outside + (1 if jaccard else 1 + loss) * t) / size
        return slope, outside if jaccard else np.ones_like(p)

    pairs = [slope_and_growth(p, t, 1 - t), slope_and_growth(t, p, q)]
    size_of = np.broadcast_to(size, p.shape).ravel()
    same = np.zeros((n, c, d, n, c, d), bool)
    for i, k in itertools.product(range(n), range(c)):
        same[i, k, :, :, k] = [np.full(d, options.get("batch") or i == m) for m in range(n)]
    same = same.reshape(p.size, p.size)
    slopes, growths = [np.concatenate([a.ravel(), b.ravel()]) for a, b in zip(*pairs, strict=True)]
    size_of = np.concatenate([size_of, size_of])
    hessian = slopes[:, None] * growths + growths[:, None] * slopes
    hessian *= np.tile(same, (2, 2))
    eye = np.eye(p.size)
    bent = eye * np.broadcast_to(2 * rest, p.shape).ravel() * squared
    hessian += np.block([[bent, 2 * eye], [2 * eye, bent]])
    hessian /= size_of

    jacobian = np.zeros((p.size, p.size))
    second = np.zeros(p.size)  # of what goes through the activation twice
    flat = np.arange(p.size).reshape(p.shape)
    for i, k, j in np.ndindex(p.shape):
        others = flat[i, :, j] if options["activation"] == "softmax" else [flat[i, k, j]]
        for other in others:
            own = other == flat[i, k, j]
            both_p = p[i, k, j] * (q[i, k, j] if own else p.ravel()[other])
            jacobian[flat[i, k, j], other] = 1 if is_given else both_p
    if not is_given:
        second = jacobian @ slopes[: p.size]
    full = np.block([[jacobian, 0 * eye], [0 * eye, eye]])
    gradient = full @ slopes
    hessian = full @ hessian @ full.T
    for i, k, j in np.ndindex(p.shape):
        if is_given:
            break
        pixel = flat[i, :, j] if options["activation"] == "softmax" else [flat[i, k, j]]
        for other in pixel:
            hessian[flat[i, k, j], other] += second[flat[i, k, j]] * 2
    losses = (terms / size).ravel()
    return Measures(losses, gradient, hessian)


@cache
def exact_of(key: tuple[int, type]) -> Any:
    problem = problem_of(*key)
    n_x = problem.x.size
    case = Case(
        "dice",
        npl.DiceLoss,
        F.dice_loss,
        F.dice_loss,
        sample=lambda *_: (),
        extremes=lambda *_: (),
        oracle=lambda _, x, y: mp.fsum(exact_losses(problem, x, y)),
        differentiable=(0, 1),
    )
    row = (problem.x.ravel(), problem.hard.astype(problem.x.dtype).ravel())
    exact = exact_row(case, {}, row)
    with mp.workdps(DIGITS):
        losses = exact_losses(problem, *[[mpf(float(a)) for a in part] for part in row])
    assert len(exact.gradient) == 2 * n_x
    return exact, losses


def _logits(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape) * 2


PROBLEMS: list[tuple[str, Any]] = []


def _add(name: str, make: Any) -> None:
    PROBLEMS.append((name, make))


def _shares(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.random(shape)


def _masks(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.random(shape) < 0.6).astype(float)


for _form in FORMS:
    _name = "-".join(k for k, v in _form.items() if v) or "dice"
    _add(f"{_name}-shares", lambda r, f=_form: (_shares(r, 1, 1, 4), _masks(r, 1, 1, 4), f))
    _add(
        f"{_name}-soft",
        lambda r, f=_form: (_shares(r, 1, 2, 3), _shares(r, 1, 2, 3), {**f, "smooth": 0.5}),
    )
    _add(
        f"{_name}-batch",
        lambda r, f=_form: (_shares(r, 2, 1, 2), _shares(r, 2, 1, 2), {**f, "batch": True}),
    )
    for _activation in ("sigmoid", "softmax"):
        _more = {**_form, "activation": _activation}
        _add(
            f"{_name}-{_activation}",
            lambda r, o=_more: (_logits(r, 1, 2, 3), _masks(r, 1, 2, 3), {**o, "smooth": 1.0}),
        )
        _add(
            f"{_name}-{_activation}-index-batch",
            lambda r, o=_more: (
                _logits(r, 2, 3, 1),
                r.integers(0, 3, (2, 1)),
                {**o, "batch": True},
            ),
        )
        _add(
            f"{_name}-{_activation}-nearly-perfect",
            lambda r, o=_more: (
                np.array([[[20.0, -25, 30], [-22, 21, -33]]]),
                np.array([[0, 1, 0]]),
                {**o, "smooth": 0.0},
            ),
        )
        _add(
            f"{_name}-{_activation}-nearly-wrong",
            lambda r, o=_more: (
                np.array([[[-20.0, -25, 30], [22, -21, -33]]]),
                np.array([[0, 0, 1]]),
                {**o, "smooth": 0.0},
            ),
        )
    _add(
        f"{_name}-nearly-perfect",
        lambda r, f=_form: (
            np.array([[[1 - 2.0**-20, 1e-9, 1 - 2.0**-23]]]),
            np.array([[[1.0, 0, 1]]]),
            {**f, "smooth": 0.0},
        ),
    )
    _add(
        f"{_name}-tiny",
        lambda r, f=_form: (
            np.array([[[1e-30, 1e-18, 1e-9]]]),
            np.array([[[0.0, 1e-20, 1]]]),
            {**f, "smooth": 0.0},
        ),
    )


def problem_of(number: int, dtype: type) -> Problem:
    x, y, options = PROBLEMS[number][1](np.random.default_rng(number))
    return Problem(x.astype(dtype), y.astype(dtype) if y.dtype.kind == "f" else y, options)


def assert_exact(what: str, got: Any, exact: Any, measure: Any, dtype: type) -> None:
    error = relative_error(got, exact, mpf(float(measure)), dtype)
    assert error <= EPS, f"{what}: got {got!r}, exact {mp.nstr(exact, 20)}, error {error:.3g} eps"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(len(PROBLEMS)), ids=[name for name, _ in PROBLEMS])
def test_results_are_exact(number: int, dtype: type) -> None:
    problem = problem_of(number, dtype)
    exact, losses = exact_of((number, dtype))
    measures = measures_of(problem)
    arguments = problem.x, problem.y
    got = dataclasses.replace(problem.loss, reduction="none")(*arguments)
    assert got.dtype == dtype
    for i, loss in enumerate(losses):
        assert_exact(f"loss {i}", got.ravel()[i], loss, measures.losses[i], dtype)
    both = (0, 1) if problem.y.ndim == problem.x.ndim else (0,)
    flat = range(len(both) * problem.x.size)
    gradients = np.ravel(npl.grad(problem.loss, both)(*arguments))
    diagonals = np.ravel(npl.hessian_diag(problem.loss, both)(*arguments))
    rng = np.random.default_rng(5)
    vectors = [rng.normal(size=problem.x.shape).astype(dtype) for _ in both]
    given = (*vectors, None)[: len(arguments)]
    products = npl.hvp(problem.loss, arguments, given)
    product = np.ravel([p for p in products if p is not None])
    v = np.ravel(vectors)
    for i in flat:
        measure = measures.gradient[i]
        assert_exact(f"gradient {i}", gradients[i], exact.gradient[i], measure, dtype)
        own = exact.hessian[i]
        assert_exact(f"diagonal {i}", diagonals[i], own[i], measures.hessian[i, i], dtype)
        with mp.workdps(DIGITS):
            total = mp.fsum(own[j] * mpf(float(v[j])) for j in flat)
        measure = sum(measures.hessian[i, j] * abs(float(v[j])) for j in flat)
        assert_exact(f"product {i}", product[i], total, measure, dtype)
