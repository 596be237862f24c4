"""Cases of the Kullback-Leibler divergence and of Poisson and Gaussian likelihoods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional
from mpmath import mp, mpf

import npl
import npl.functional as F
from tests.support.cases.case import INF, Array, Case
from tests.support.warned import MEAN_OF_A_DIVERGENCE

# ---------------------------------------------------------------------- Kullback-Leibler divergence


def _log_and_probabilities(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return -rng.exponential(2, n).astype(dtype), rng.uniform(0.01, 1, n).astype(dtype)


def _log_probabilities(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return -rng.exponential(2, n).astype(dtype), -rng.exponential(2, n).astype(dtype)


def _extreme_probabilities(dtype: type) -> tuple[Array, ...]:
    near = 1 + np.finfo(dtype).eps
    x = [0, -1e4, -1e-30, -69, -0.6931472, -1, -INF, -3.5, near - 1]
    y = [1, 0.5, 1e-30, 1e-30, 0.5, 0.36787945, 0.25, 1e-37, near]
    return np.array(x, dtype), np.array(y, dtype)


def _extreme_log_probabilities(dtype: type) -> tuple[Array, ...]:
    # At the end exponentials that underflow, times what makes up for it in float64.
    x = [0, -1e4, -1e-30, -69, -0.6931472, -1, -INF, -80, -5, -1e9, -1e30, -1e36]
    y = [0, -0.5, -70, -69.5, -0.6931471, -1.0001, -2, -1e-20, -6, -720, -760, -700]
    return np.array(x, dtype), np.array(y, dtype)


def _kl_div(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    if options.get("log_target"):
        return mp.exp(y) * (y - x)
    return y * (mp.log(y) - x)


def _kl_div_value_terms(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    if options.get("log_target"):  # the difference is taken of the inputs themselves
        return abs(_kl_div(options, x, y))
    return abs(y * mp.log(y)) + abs(y * x)


def _kl_div_terms(options: Mapping[str, Any], x: Any, y: Any) -> list[Any]:
    if options.get("log_target"):
        p = mp.exp(y)
        return [p, p * (abs(y - x) + 1)]
    return [y, abs(mp.log(y)) + 1 + abs(x)]


def _kl_div_case(name: str, **options: Any) -> Case:
    in_logs = "log_target" in options
    return Case(
        f"kl_div-{name}",
        npl.KLDivLoss,
        F.kl_div,
        torch_functional.kl_div,
        _log_probabilities if in_logs else _log_and_probabilities,
        _extreme_log_probabilities if in_logs else _extreme_probabilities,
        _kl_div,
        options,
        _kl_div_terms,
        (0, 1),
        value_terms=_kl_div_value_terms,
        marks=(MEAN_OF_A_DIVERGENCE,),
    )


# ---------------------------------------------------------------------- Poisson


def _log_rates_and_counts(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return rng.normal(0.5, 1.5, n).astype(dtype), rng.poisson(2, n).astype(dtype) + dtype(0.125)


def _rates_and_counts(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    return rng.gamma(2, 1, n).astype(dtype), rng.poisson(2, n).astype(dtype) + dtype(0.125)


COUNTS = [1, 3, 1e-20, 1e-6, 1 + 2.0**-20, 1 - 2.0**-20, 0.4616, 0.5, 1.5, 2, 1e5, 1e-30]


def _extreme_log_rates(dtype: type) -> tuple[Array, ...]:
    far = 85.0 if dtype == np.float32 else 700.0
    x = [far, -far, -60, 0, 1e-30, 0, 0, -50, -1e3, 0.6931472, 11.5, -80]
    return np.array(x, dtype), np.array(COUNTS, dtype)


def _extreme_rates(dtype: type) -> tuple[Array, ...]:
    x = [0.75, 1 - 1e-8, 1e-30, 1e-20, 1, 1, 0.5, 1e-8, 1e20, 2.5, 100000.01, 3e-30]
    return np.array(x, dtype), np.array(COUNTS, dtype)


def _poisson_parts(options: Mapping[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
    """Return the expected count and its logarithm with `eps`."""
    if options.get("log_input", True):
        return mp.exp(x), x
    return x, mp.log(x + mpf(options.get("eps", 1e-8)))


def _poisson(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    rate, log_rate = _poisson_parts(options, x, y)
    return rate - y * log_rate + (mp.loggamma(y + 1) if options.get("full") else 0)


def _poisson_value_terms(options: Mapping[str, Any], x: Any, y: Any) -> Any:
    rate, log_rate = _poisson_parts(options, x, y)
    factorial = mp.loggamma(y + 1) if options.get("full") else 0
    return rate + abs(y * log_rate) + abs(factorial)


def _poisson_terms(options: Mapping[str, Any], x: Any, y: Any) -> list[Any]:
    rate, log_rate = _poisson_parts(options, x, y)
    digamma = mp.digamma(y + 1) if options.get("full") else 0
    shifted = x + mpf(options.get("eps", 1e-8))
    # Of a count and an expected one that nearly agree, the difference itself.
    in_x = rate + y if options.get("log_input", True) else abs(shifted - y) / shifted
    return [in_x, abs(log_rate) + abs(digamma)]


def _poisson_case(name: str, **options: Any) -> Case:
    in_logs = options.get("log_input", True)
    return Case(
        f"poisson_nll-{name}",
        npl.PoissonNLLLoss,
        F.poisson_nll_loss,
        torch_functional.poisson_nll_loss,
        _log_rates_and_counts if in_logs else _rates_and_counts,
        _extreme_log_rates if in_logs else _extreme_rates,
        _poisson,
        options,
        _poisson_terms,
        (0, 1),
        value_terms=_poisson_value_terms,
    )


# ---------------------------------------------------------------------- Gaussian


def _means_and_variances(rng: np.random.Generator, dtype: type, n: int) -> tuple[Array, ...]:
    x, y = rng.normal(size=(2, n)).astype(dtype)
    return x, y, rng.uniform(0.1, 3, n).astype(dtype)


def _extreme_variances(dtype: type) -> tuple[Array, ...]:
    x = [1, 1 + 2.0**-20, 0, 1e10, 1e-30, 0, 1e-15, 3, 2, 1, 5]
    y = [0, 1, 0, -1e10, 2e-30, 1, 0, 3, 1, 0, 5]
    v = [0.5, 1e-2, 1e-5, 1e20, 1, 1e30, 2e-6, 1, 1 + 2.0**-20, 1 + 2.0**-20, 1e-4]
    return np.array(x, dtype), np.array(y, dtype), np.array(v, dtype)


def _extreme_small_variances(dtype: type) -> tuple[Array, ...]:
    x = [1e-15, 1, 0, 1e-30, 1e-15, -1e5, 1e-18]
    y = [0, 0, 0, 3e-30, 3e-15, 1e5, 0]
    v = [1e-30, 1e-30, 1e-30, 1e-30, 1e-25, 1e-20, 1e-35]
    return np.array(x, dtype), np.array(y, dtype), np.array(v, dtype)


def _gaussian(options: Mapping[str, Any], x: Any, y: Any, v: Any) -> Any:
    s = max(v, mpf(options.get("eps", 1e-6)))
    constant = mp.log(2 * mp.pi) if options.get("full") else 0
    return (mp.log(s) + (x - y) ** 2 / s + constant) / 2


def _gaussian_value_terms(options: Mapping[str, Any], x: Any, y: Any, v: Any) -> Any:
    s = max(v, mpf(options.get("eps", 1e-6)))
    constant = mp.log(2 * mp.pi) if options.get("full") else 0
    return (abs(mp.log(s)) + (x - y) ** 2 / s + constant) / 2


def _gaussian_terms(options: Mapping[str, Any], x: Any, y: Any, v: Any) -> list[Any]:
    s = max(v, mpf(options.get("eps", 1e-6)))
    in_x = abs(x - y) / s
    return [in_x, in_x, (1 + (x - y) ** 2 / s) / (2 * s)]


def _gaussian_case(name: str, **options: Any) -> Case:
    return Case(
        f"gaussian_nll-{name}",
        npl.GaussianNLLLoss,
        F.gaussian_nll_loss,
        torch_functional.gaussian_nll_loss,
        _means_and_variances,
        _extreme_small_variances if options.get("eps") == 0 else _extreme_variances,
        _gaussian,
        options,
        _gaussian_terms,
        (0, 1, 2),
        value_terms=_gaussian_value_terms,
    )


CASES = [
    _kl_div_case("probabilities"),
    _kl_div_case("log_target", log_target=True),
    _poisson_case("log_input"),
    _poisson_case("log_input-full", full=True),
    _poisson_case("rates", log_input=False),
    _poisson_case("rates-full", log_input=False, full=True),
    _poisson_case("rates-eps-0", log_input=False, eps=0),
    _gaussian_case("eps"),
    _gaussian_case("full", full=True),
    _gaussian_case("eps-0", eps=0),
]
