"""torch's own test inputs for the losses of the core: the same values and gradients, or errors.

All samples of each loss and dtype, and every one that must be refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import npl
import npl.functional as F
from tests.support.parity import assert_close, assert_parity
from tests.torch_samples import (
    BEHIND_LOG_SOFTMAX,
    CONSTANT,
    DEPARTURES,
    Departure,
    Sample,
    conforming,
    errors_of_function,
    errors_of_module,
    samples_of_function,
    samples_of_module,
    still_applies,
)

DTYPES = [torch.float64, torch.float32]
REFUSALS = (ValueError, TypeError, IndexError)


# Modules with parameters: the samples of the function in the core are theirs.
LEARNED = {"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"}
FUNCTIONS = [name for name in F.__all__ if hasattr(nn.functional, name)]
MODULES = [name for name in npl.__all__ if name in nn.modules.__all__ and name not in LEARNED]


def to_numpy(value: Any) -> Any:
    if isinstance(value, nn.PairwiseDistance):
        return npl.PairwiseDistance(value.norm, value.eps, value.keepdim)  # type: ignore[attr-defined]
    return value.detach().numpy().copy() if isinstance(value, Tensor) else value


@contextmanager
def without_warnings() -> Iterator[None]:
    """Torch warns of shapes that broadcast and of reductions that are not mathematical."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def assert_agreement(
    name: str, ours: Callable[..., Any], theirs: Callable[..., Any], sample: Sample
) -> None:
    """Compare two functions on a sample, and the gradients that torch has."""
    arrays, tensors = sample.map(to_numpy), sample.detached()
    with without_warnings():
        if name in BEHIND_LOG_SOFTMAX:
            _assert_agreement_of_logits(ours, theirs, sample)
            return
        places = _differentiated(theirs, sample)
        assert_parity(
            lambda *moved: arrays.call(ours, dict(zip(places, moved, strict=True))),
            lambda *moved: tensors.call(theirs, dict(zip(places, moved, strict=True))),
            [arrays.values[p] for p in places],
            sample.label,
        )


def _differentiated(theirs: Callable[..., Any], sample: Sample) -> list[int | str]:
    """Return the arguments that torch has gradients for."""
    places = sample.moving
    value = sample.call(theirs)
    found = torch.autograd.grad(value.sum(), [sample.values[p] for p in places], allow_unused=True)
    return [place for place, gradient in zip(places, found, strict=True) if gradient is not None]


def _assert_agreement_of_logits(
    ours: Callable[..., Any], theirs: Callable[..., Any], sample: Sample
) -> None:
    """Compare values, and the gradients of logits whose log-softmax the first argument is."""
    arrays = sample.map(to_numpy)
    value, pullback = npl.vjp(lambda x: arrays.call(ours, {0: x}), arrays.values[0])
    double = sample.values[0].detach().double().requires_grad_()  # torch loses digits in single
    expected = sample.call(theirs, {0: double})
    assert_close(value, expected.detach().numpy().astype(value.dtype), sample.label)
    (wanted,) = torch.autograd.grad(expected.sum(), double)
    gradient = pullback(np.ones_like(value))[0]
    assert gradient is not None
    gradient -= np.exp(arrays.values[0]) * gradient.sum(-1, keepdims=True)
    assert_close(gradient, wanted.numpy().astype(value.dtype), f"{sample.label}: gradient")


def check_function(name: str, sample: Sample) -> None:
    assert_agreement(name, getattr(F, name), getattr(nn.functional, name), sample)


def check_module(name: str, sample: Sample) -> None:
    with without_warnings():
        ours = sample.map(to_numpy).make(getattr(npl, name))
        theirs = sample.make(getattr(nn, name))
    assert_agreement(name, ours, theirs, sample)


def check_refused(name: str, sample: Sample) -> None:
    arrays = sample.map(to_numpy)
    attempt, of = (arrays.call, F) if name in FUNCTIONS else (arrays.make_and_call, npl)
    with without_warnings(), pytest.raises(REFUSALS):
        attempt(getattr(of, name))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_samples_of_functions(name: str, dtype: torch.dtype) -> None:
    samples = conforming(name, "sample", samples_of_function(name, dtype))
    assert len(samples) > 3  # that they were found at all
    for sample in samples:
        check_function(name, sample)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_samples_of_modules(name: str, dtype: torch.dtype) -> None:
    samples = conforming(name, "sample", samples_of_module(name, dtype))
    assert len(samples) > 3
    for sample in samples:
        check_module(name, sample)


def _errors(name: str) -> list[Sample]:
    return errors_of_function(name) if name in FUNCTIONS else errors_of_module(name)


@pytest.mark.parametrize("name", FUNCTIONS + MODULES)
def test_what_torch_refuses_is_refused(name: str) -> None:
    for sample in conforming(name, "error", _errors(name)):
        try:
            check_refused(name, sample)
        except BaseException as error:
            raise AssertionError(sample.label) from error


@pytest.mark.parametrize("name", FUNCTIONS + MODULES)
def test_departures_still_apply(name: str) -> None:
    for row in DEPARTURES:
        if row.name == name and row.kind != "half":
            _check_departure(row)


def _check_departure(row: Departure) -> None:
    check = check_function if row.name in FUNCTIONS else check_module
    if row.kind == "error":
        samples = _errors(row.name)
        check = check_refused
    elif row.name in FUNCTIONS:
        samples = samples_of_function(row.name, torch.float64)
    else:
        samples = samples_of_module(row.name, torch.float64)
    assert still_applies(row, samples, check), row.reason


def test_departures_are_of_losses_of_torch() -> None:
    names = {row.name for row in DEPARTURES} | set(CONSTANT) | BEHIND_LOG_SOFTMAX
    assert names <= {*vars(nn.functional), *nn.modules.__all__}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_constant_arguments_still_are(name: str) -> None:
    for place in CONSTANT.get(name, ()):
        sample = samples_of_function(name, torch.float64)[-1].map(to_numpy)
        options = {"reduction": "sum", place: sample.values[place]}
        with pytest.raises(TypeError, match="no derivative"):
            npl.grad(lambda x, s=sample, o=options, p=place: s.call(getattr(F, name), {**o, p: x}))(
                sample.values[place]
            )
