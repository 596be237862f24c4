"""torch's own test inputs for the functions: forward, backward, strides, derivatives, errors.

All samples of each loss and dtype, and every one that must be refused.
"""

import warnings
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._pytree import tree_leaves

import npl.adapters.torch.functional as F
from tests.support.parity import assert_close
from tests.torch_samples import (
    BEHIND_LOG_SOFTMAX,
    CONSTANT,
    DEPARTURES,
    LOSES_DIGITS,
    conforming,
    errors_of_function,
    noncontiguous,
    samples_of_function,
    spread,
    still_applies,
)

DERIVATIVES_CAP = 5
FUNCTIONS = [name for name in F.__all__ if hasattr(nn.functional, name)]
REFUSALS = (ValueError, TypeError, IndexError, RuntimeError)
HALVES = [torch.float16, torch.bfloat16]


@contextmanager
def without_warnings():
    """Torch warns of shapes that broadcast and of reductions that are not mathematical."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def run(function, sample, parameters=()):
    """Return the values of a call and its gradients, None where there is none."""
    name = type(function).__name__ if isinstance(function, nn.Module) else function.__name__
    places = sample.moving
    fresh = sample.map(
        lambda v: v.detach().requires_grad_(v.requires_grad) if isinstance(v, Tensor) else v
    )
    leaves = dict(fresh.values)
    if name in BEHIND_LOG_SOFTMAX:
        fresh.values[0] = fresh.values[0].log_softmax(-1)
    outputs = fresh.call(function)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    torch.manual_seed(3)
    cotangents = [(torch.rand(value.shape) + 0.5).to(value.dtype) for value in outputs]
    inputs = [*(leaves[p] for p in places), *parameters]
    gradients = torch.autograd.grad(outputs, inputs, cotangents, allow_unused=True)
    names = [*places, *(f"parameter {i}" for i in range(len(parameters)))]
    return [value.detach() for value in outputs], dict(zip(names, gradients, strict=True))


def assert_agreement(own, other, what):
    """Compare values, and the gradients that the other has."""
    (values, gradients), (expected, expected_gradients) = own, other
    for value, wanted in zip(values, expected, strict=True):
        assert_close(value.numpy(), wanted.numpy(), what)
    for place, wanted in expected_gradients.items():
        if wanted is not None:
            assert gradients[place] is not None, f"{what}: no gradient of {place}"
            assert_close(gradients[place].numpy(), wanted.numpy(), f"{what}: gradient of {place}")


def cast(sample, dtype):
    """Return a sample with its floats in a dtype."""
    return sample.map(
        lambda v: (
            v.detach().to(dtype).requires_grad_(v.requires_grad)
            if isinstance(v, Tensor) and v.is_floating_point()
            else v
        )
    )


def run_in_double(function, sample, dtype, parameters=()):
    """Return what `run` does of the same numbers in double precision, rounded to a dtype."""
    values, gradients = run(function, cast(sample, torch.float64), parameters)
    rounded = {k: None if g is None else g.to(dtype) for k, g in gradients.items()}
    return [value.to(dtype) for value in values], rounded


def check_function(name, sample):
    theirs = getattr(nn.functional, name)
    with without_warnings():
        own = run(getattr(F, name), sample)
        if name in LOSES_DIGITS:
            other = run_in_double(theirs, sample, sample.values[0].dtype)
        else:
            other = run(theirs, sample)
        assert_agreement(own, other, sample.label)
        strided = run(getattr(F, name), sample.map(noncontiguous))
    assert_agreement(strided, own, f"{sample.label}, strided")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_samples(name, dtype):
    samples = conforming(name, "sample", samples_of_function(name, dtype))
    assert len(samples) > 3  # that they were found at all
    for sample in samples:
        check_function(name, sample)


def check_derivatives(f, tensors):
    """Check first and second derivatives of a function of tensors; of many elements, along a line."""
    fast = sum(t.numel() for t in tensors) > 30
    assert gradcheck(f, tensors, fast_mode=fast)
    assert gradgradcheck(f, tensors, fast_mode=fast)


def finite(function, samples):
    """Return the samples whose values have differences: finite ones."""
    with without_warnings(), torch.no_grad():
        return [
            sample
            for sample in samples
            if all(value.isfinite().all() for value in tree_leaves(sample.call(function)))
        ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name):
    samples = conforming(name, "sample", samples_of_function(name, torch.float64))
    for sample in spread(finite(getattr(F, name), samples), DERIVATIVES_CAP):
        places, held = sample.moving, sample.detached()

        def f(*tensors, held=held, places=places):
            return held.call(getattr(F, name), dict(zip(places, tensors, strict=True)))

        with without_warnings():
            check_derivatives(f, [held.values[p].requires_grad_() for p in places])


def check_half(name, sample, dtype):
    """The value must be that of the halves in float64, rounded: no digit is lost on the way."""
    halves = cast(sample.detached(), dtype)
    exact = cast(halves, torch.float64)
    with without_warnings():
        value = halves.call(getattr(F, name))
        expected = exact.call(getattr(F, name))
    assert value.dtype == dtype, sample.label
    torch.testing.assert_close(
        value.double(),
        expected.to(dtype).double(),
        rtol=torch.finfo(dtype).eps,
        atol=torch.finfo(dtype).tiny,
        equal_nan=True,
        msg=lambda text: f"{sample.label}: {text}",
    )


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_half_precision(name, dtype):
    samples = conforming(name, "sample", samples_of_function(name, torch.float64))
    for sample in conforming(name, "half", samples):
        check_half(name, sample, dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_constant_argument_that_requires_a_gradient_is_refused(name):
    for place in CONSTANT.get(name, ()):
        sample = samples_of_function(name, torch.float64)[-1].detached()
        target = sample.values[place].requires_grad_()
        with pytest.raises(RuntimeError, match=r"has no derivative .* Did you mean .*\.detach"):
            sample.call(getattr(F, name), {place: target}).sum().backward()


def check_refused(name, sample):
    with without_warnings(), pytest.raises(REFUSALS):
        sample.call(getattr(F, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_torch_refuses_is_refused(name):
    for sample in conforming(name, "error", errors_of_function(name)):
        try:
            check_refused(name, sample)
        except BaseException as error:
            raise AssertionError(sample.label) from error


@pytest.mark.parametrize("name", FUNCTIONS)
def test_departures_still_apply(name):
    for row in DEPARTURES:
        if row.name == name:
            check_departure(row)


def check_departure(row):
    if row.kind == "error":
        samples, check = errors_of_function(row.name), check_refused
    elif row.kind == "half":
        samples = samples_of_function(row.name, torch.float64)
        check = partial(check_half, dtype=torch.bfloat16)
    else:
        samples, check = samples_of_function(row.name, torch.float64), check_function
    assert still_applies(row, samples, check), row.reason
