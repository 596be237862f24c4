"""Checking analytic derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npl.autodiff import nests
from npl.autodiff.arguments import Argnums, argument_numbers, check_args, given_argnums
from npl.autodiff.transforms import hvp, vjp
from npl.engine.arguments import Array

# Ridders' ladder: central differences at h, h/2, h/4, ... and their polynomial extrapolation to h =
# 0. Each element keeps the entry of least estimated error, near 1e-11 for smooth functions.
_FIRST_STEP = 1e-2
_RUNGS = 30
_ENOUGH = 1e-10
_RESOLVED = 1e-4
_EXACT_RTOL = 1e-7
_ROUNDOFF = 8 * float(np.finfo(np.float64).eps)


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    *,
    argnums: Argnums | None = None,
    rtol: float | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> None:
    """Compare the derivatives of `f` with finite differences and raise where they disagree.

    Parameters
    ----------
    f : callable
        A loss, or any function of arrays. If its value is an array, a random combination of it is
        checked.
    args : sequence
        The positional arguments, which may be nested: the point to check at. Keep away from kinks: a
        finite difference across one is neither derivative.
    order : {1, 2}, default 2
        1 checks the gradient, element by element; 2 also the Hessian-vector product along a random
        vector.
    argnums : int or sequence of int, optional
        The arguments to check, by default all that have a derivative. Leave out one that lies on the
        edge of its domain (targets of 0 and 1 of a loss of probabilities).
    rtol : float, optional
        The accepted error relative to the largest element of the row (the last axis of an argument
        of several axes). By default 1e-7, or 64 eps of the arguments' dtype where that is more. The
        differences themselves are taken in float64; what they cannot resolve is allowed too.
    seed : int, default 0
        Of the random vectors.
    **kwargs
        Passed on to `f`.

    Raises
    ------
    AssertionError
        With the worst element: which derivative, where, what came and what was expected.
    TypeError
        If no argument to check has a derivative.
    ValueError
        If `order` is neither 1 nor 2, or finite differences cannot resolve a derivative at this point: it
        lies on a kink, or on the edge of the domain.

    Examples
    --------
    >>> import numpy as np, npl
    >>> def ridge(parameters):
    ...     return np.sum(parameters["w"] ** 2) + npl.stop_gradient(parameters["b"])
    >>> npl.check_grads(ridge, ({"w": np.ones(2), "b": 3.0},))
    Traceback (most recent call last):
    AssertionError: check_grads: the gradient of argument 0['b'] is wrong: got 0.0, expected ...
    """
    if order not in (1, 2):
        raise ValueError(f"check_grads: order is {order!r}; it must be 1 or 2.")
    check_args("check_grads", args)
    rng = np.random.default_rng(seed)
    value, pullback = vjp(f, *args, **kwargs)
    cotangent = rng.uniform(0.5, 1.5, np.shape(value))
    point = _Point(args)
    gradients = point.flat(pullback(cotangent))
    checked = [k for k, gradient in enumerate(gradients) if gradient is not None]
    if argnums is not None:
        asked = argument_numbers("check_grads", given_argnums("check_grads", argnums)[0], args)
        checked = [k for k in checked if point.numbers[k] in asked]
    if not checked:
        raise TypeError("check_grads: no argument to check has a derivative.")
    leaves: list[Any] = list(point.leaves)
    if rtol is None:
        kinds = [np.asarray(leaves[k]).dtype for k in checked]
        eps = max(np.finfo(kind).eps if kind.kind == "f" else 0.0 for kind in kinds)
        rtol = max(_EXACT_RTOL, 64 * float(eps))
    for k in checked:
        leaves[k] = np.asarray(leaves[k], np.float64)

    def scalar(*moved: Any) -> Array:
        value = f(*point.nested(moved), **kwargs)
        return np.asarray(np.sum(cotangent * value, dtype=np.float64))

    for k in checked:
        expected, noise = np.empty(leaves[k].shape), np.empty(leaves[k].shape)
        for index in np.ndindex(leaves[k].shape):
            unit = np.zeros(leaves[k].shape)
            unit[index] = 1
            expected[index], noise[index] = _directional(scalar, leaves, {k: unit}, point.names[k])
        _compare(f"gradient of {point.names[k]}", gradients[k], expected, noise, rtol)
    if order == 2:
        vectors = {k: np.asarray(rng.standard_normal(leaves[k].shape)) for k in checked}
        per_argument = point.nested([vectors.get(k) for k in range(len(leaves))])
        for number in set(range(len(args))) - {point.numbers[k] for k in checked}:
            per_argument[number] = None
        products = point.flat(hvp(f, args, per_argument, cotangent=cotangent, **kwargs))
        for k in checked:

            def gradient(*moved: Any, which: int = k) -> Array:
                pulled = vjp(f, *point.nested(moved), **kwargs)[1](cotangent)
                return np.asarray(point.flat(pulled)[which])

            expected, noise = _directional(gradient, leaves, vectors, "an argument")
            what = f"Hessian-vector product of {point.names[k]}"
            _compare(what, products[k], expected, noise, rtol)


class _Point:
    """The arguments of a call as a flat list of arrays: those of nests one by one.

    Attributes
    ----------
    leaves : list
    numbers : list of int
        Which argument each leaf belongs to.
    names : list of str
        What messages call it: `argument 0['w'][1]`.
    """

    def __init__(self, args: Sequence[Any]) -> None:
        self._args = args
        found = [(i, *pair) for i, arg in enumerate(args) for pair in nests.leaves(arg)]
        self.numbers = [number for number, _, _ in found]
        self.names = [f"argument {number}{path}" for number, path, _ in found]
        self.leaves = [leaf for _, _, leaf in found]

    def nested(self, flat: Sequence[Any]) -> list[Any]:
        """Return arguments that hold the given leaves."""
        following = iter(flat)
        return [nests.rebuild(arg, lambda _: next(following)) for arg in self._args]

    def flat(self, results: Sequence[Any]) -> list[Any]:
        """Return what has the form of the arguments leaf by leaf; None for an argument is None for each."""
        flat: list[Any] = []
        for arg, result in zip(self._args, results, strict=True):
            if nests.is_nest(arg):
                count = len(list(nests.leaves(arg)))
                own = [None] * count if result is None else [r for _, r in nests.leaves(result)]
                flat.extend(own)
            else:
                flat.append(result)
        return flat


def _directional(
    f: Callable[..., Array], args: Sequence[Any], direction: dict[int, Array], what: str
) -> tuple[Array, Array]:
    """Return the derivative of `f` along a direction by differences, and its estimated error [1]_.

    References
    ----------
    .. [1] C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in Engineering
       Software 4(2), 1982.
    """
    length = max(float(np.max(np.abs(v), initial=0.0)) for v in direction.values())
    step = _FIRST_STEP / max(1.0, length)
    rounding = np.finfo(np.float64).eps * np.max(np.abs(f(*args)), initial=0.0)
    best: Array | None = None
    least: Array | None = None
    previous: list[Array] = []
    for _ in range(_RUNGS):
        try:
            row = [_central(f, args, direction, step)]
        except ValueError:  # stepped out of the domain: a smaller step stays inside
            previous = []
        else:
            for k, coarse in enumerate(previous):
                row.append(row[k] + (row[k] - coarse) / (4.0 ** (k + 1) - 1))
                error = np.maximum(np.abs(row[k + 1] - row[k]), np.abs(row[k + 1] - coarse))
                # Two entries may agree by chance: none is better than the rounding of `f` allows.
                error = np.maximum(error, rounding / step)
                if best is None or least is None:
                    best, least = row[k + 1], error
                else:
                    better = error < least
                    best, least = np.where(better, row[k + 1], best), np.where(better, error, least)
            previous = row
            if best is not None and np.all(least <= _ENOUGH * np.max(np.abs(best), initial=0.0)):
                break
        step /= 2
    if best is None or least is None:
        raise ValueError(
            f"check_grads: {what} lies on the edge of its domain; move it inside, or leave it out of "
            "argnums."
        )
    return best, least


def _central(
    f: Callable[..., Array], args: Sequence[Any], direction: dict[int, Array], step: float
) -> Array:
    def moved(by: float) -> Array:
        return f(
            *[arg + by * direction[i] if i in direction else arg for i, arg in enumerate(args)]
        )

    return (moved(step) - moved(-step)) / (2 * step)


def _compare(what: str, got: Any, expected: Array, noise: Array, rtol: float) -> None:
    got = np.asarray(got, np.float64)
    if got.shape != expected.shape:
        raise AssertionError(
            f"check_grads: the {what} has shape {got.shape}, expected {expected.shape}."
        )
    if got.size == 0:
        return
    size = np.abs(expected)
    if np.max(noise) > _RESOLVED * np.max(size) > 0:
        raise ValueError(
            f"check_grads: finite differences cannot resolve the {what} at this point (error "
            f"{np.max(noise):.3g} in {np.max(size):.3g}). Move away from edges and kinks."
        )
    error = np.abs(got - expected)
    scale = size.max(-1, keepdims=True) if size.ndim > 1 else size  # each sample by its own
    # Where an element is exactly 0, both sides have the roundoff of its neighbours.
    allowed = rtol * scale + noise + _ROUNDOFF * size.max()
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.where(error <= allowed, 0.0, np.where(np.isnan(error), np.inf, error - allowed))
    if not excess.any():
        return
    worst = np.unravel_index(int(np.argmax(excess)), error.shape)
    where = f" at {tuple(int(i) for i in worst)}" if worst else ""
    raise AssertionError(
        f"check_grads: the {what} is wrong{where}: got {got[worst]}, expected {expected[worst]} "
        f"by finite differences (error {error[worst]:.3g}, allowed {allowed[worst]:.3g})."
    )
