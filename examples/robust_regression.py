#!/usr/bin/env python
"""A loss of one's own, in plain NumPy: fitted by SciPy, then trained by PyTorch, from the same function.

Barron's general robust loss [1] has least squares, Cauchy's and Geman and McClure's loss as special cases of
its `shape`. Nothing of it is derived here: its gradient and Hessian-vector products come from NPL.
Some of the data are outliers, and the fit finds the line that the others lie on.

    python examples/robust_regression.py

[1] J. T. Barron, "A General and Adaptive Robust Loss Function", CVPR 2019.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor

import npl
from npl.adapters.torch import from_npl

Array = NDArray[np.float64]

SLOPES, OFFSET = np.array([1.5, -2.0, 0.5]), 0.7  # what the fit should find
OUTLIERS = 0.2


def barron(residual: Array, shape: float = -2.0, scale: float = 1.0) -> Array:
    """Return the loss of each residual; `shape` is neither 0 nor 2, which are limits."""
    steepness = abs(shape - 2)
    squared = (residual / scale) ** 2
    return steepness / shape * np.expm1(shape / 2 * np.log1p(squared / steepness))


def objective(parameters: Mapping[str, Any], x: Array, y: Array, decay: float = 1e-4) -> Any:
    """Return the mean loss of a linear model, and a penalty on its slopes."""
    residual = x @ parameters["slopes"] + parameters["offset"] - y
    return np.mean(barron(residual)) + 0.5 * decay * np.sum(parameters["slopes"] ** 2)


def make_data(n: int, seed: int = 0) -> tuple[Array, Array]:
    """Return inputs and targets, a share of which have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(SLOPES)))
    y = x @ SLOPES + OFFSET + 0.1 * rng.normal(size=n)
    wrong = rng.random(n) < OUTLIERS
    y[wrong] = rng.normal(15, 5, wrong.sum())
    return x, y


def by_scipy(x: Array, y: Array) -> Array:
    """Minimise with Newton steps: SciPy takes a flat vector, its gradient and Hessian-vector products."""

    def of_vector(w: Array) -> Any:
        return objective({"slopes": w[:-1], "offset": w[-1]}, x, y)

    found = scipy.optimize.minimize(
        npl.value_and_grad(of_vector),
        np.zeros(x.shape[1] + 1),
        jac=True,
        hessp=lambda w, v: npl.hvp(of_vector, (w,), v),
        method="trust-krylov",
    )
    return found.x


def by_torch(x: Array, y: Array, steps: int) -> Array:
    """Minimise the same function as a torch module."""
    start = {"slopes": torch.zeros(x.shape[1]), "offset": torch.zeros(())}
    parameters = torch.nn.ParameterDict(start).double()
    criterion = from_npl(objective)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    optimizer = torch.optim.LBFGS(parameters.values(), line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = criterion(parameters, inputs, targets)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
    return np.append(parameters["slopes"].detach().numpy(), parameters["offset"].item())


def main(arguments: list[str] | None = None) -> dict[str, Array]:
    """Print what least squares and both fits find, beside what is right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=10)
    args = parser.parse_args(arguments)

    x, y = make_data(args.samples)
    start = {"slopes": np.zeros(x.shape[1]), "offset": 0.0}
    npl.check_grads(objective, (start, x[:50], y[:50]), argnums=0)  # against finite differences
    rows = {
        "right": np.append(SLOPES, OFFSET),
        "least squares": np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0],
        "robust, by SciPy": by_scipy(x, y),
        "robust, by PyTorch": by_torch(x, y, args.steps),
    }
    for name, found in rows.items():
        print(f"{name:20}", " ".join(f"{number:8.4f}" for number in found))
    return rows


if __name__ == "__main__":
    found = main()
    if not np.allclose(found["robust, by SciPy"], found["robust, by PyTorch"], atol=1e-3):
        raise SystemExit("the two fits do not agree")
