"""torch's own test inputs for the modules: forward, backward, references, copies, casts, errors.

All samples of each module, and every one that must be refused.
"""

import copy
import pickle

import pytest
import torch
from test_adapter_torch_samples import (
    REFUSALS,
    assert_agreement,
    cast,
    check_derivatives,
    finite,
    run,
    run_in_double,
    without_warnings,
)
from torch import nn
from torch.func import functional_call

from npl.adapters import torch as adapter
from tests.torch_samples import (
    DEPARTURES,
    LOSES_DIGITS,
    conforming,
    errors_of_module,
    noncontiguous,
    samples_of_module,
    spread,
    still_applies,
)

DERIVATIVES_CAP = 4
MODULES = [name for name in adapter.__all__ if name in nn.modules.__all__]
DTYPES = [torch.float64, torch.float32]


def build(name, sample):
    """Return NPL's module and torch's, with one state."""
    with without_warnings():
        own, other = sample.make(getattr(adapter, name)), sample.make(getattr(nn, name))
    own.load_state_dict(other.state_dict())
    return own, other


def check_module(name, sample):
    own, other = build(name, sample)
    with without_warnings():
        ours = run(own, sample, tuple(own.parameters()))
        if name in LOSES_DIGITS:
            theirs = run_in_double(other, sample, sample.values[0].dtype)
        else:
            theirs = run(other, sample, tuple(other.parameters()))
        assert_agreement(ours, theirs, sample.label)
        strided = run(own, sample.map(noncontiguous), tuple(own.parameters()))
    assert_agreement(strided, ours, f"{sample.label}, strided")


def conforming_samples(name, dtype, training=True):
    samples = conforming(name, "sample", samples_of_module(name, dtype, training))
    assert len(samples) > 3  # that they were found at all
    return samples


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_samples(name, dtype, training):
    for sample in conforming_samples(name, dtype, training):
        check_module(name, sample)


@pytest.mark.parametrize("name", MODULES)
def test_torchs_plain_formulas(name):
    for sample in conforming_samples(name, torch.float64):
        if sample.reference is not None:
            own, _ = build(name, sample)
            held = sample.detached()
            with without_warnings():
                torch.testing.assert_close(
                    held.call(own),
                    held.call(lambda *a, s=sample, m=own, **k: s.reference(m, *a, **k)),
                    equal_nan=True,
                    msg=lambda text, s=sample: f"{s.label}: {text}",
                )


@pytest.mark.parametrize("name", MODULES)
def test_derivatives(name):
    for sample in spread(conforming_samples(name, torch.float64), DERIVATIVES_CAP):
        module, _ = build(name, sample)
        if not finite(module, [sample]):
            continue
        places = sample.moving
        parameters = dict(module.named_parameters())
        held = sample.detached()

        def f(*tensors, module=module, held=held, places=places, parameters=parameters):
            moved = dict(zip(places, tensors, strict=False))
            state = dict(zip(parameters, tensors[len(places) :], strict=True))
            return held.call(lambda *a, **k: functional_call(module, state, a, k), moved)

        tensors = [*(held.values[p] for p in places), *(p.detach() for p in parameters.values())]
        with without_warnings():
            check_derivatives(f, [t.requires_grad_() for t in tensors])


@pytest.mark.parametrize("name", MODULES)
def test_modes_copies_and_state(name):
    for sample in spread(conforming_samples(name, torch.float64), 6):
        own, other = build(name, sample)
        assert repr(own) == repr(other)
        with without_warnings():
            expected = run(own, sample)
            copies = [
                copy.copy(own),
                copy.deepcopy(own),
                pickle.loads(pickle.dumps(own)),
                own.eval(),
                own.train(),
            ]
            for copied in copies:
                assert_agreement(run(copied, sample), expected, sample.label)
            other.load_state_dict(own.state_dict())
            assert_agreement(run(other, sample), expected, sample.label)


@pytest.mark.parametrize("name", MODULES)
def test_a_change_of_dtype(name):
    def state(module):
        return {key: value.dtype for key, value in module.state_dict().items()}

    for sample in spread(conforming_samples(name, torch.float64), 4):
        own, other = (module.float() for module in build(name, sample))
        assert state(own) == state(other)
        rounded = cast(sample, torch.float32)
        with without_warnings():
            single = run(own, rounded)
            assert all(value.dtype == torch.float32 for value in single[0])
            expected = run_in_double(own.double(), rounded, torch.float32)
        assert_agreement(single, expected, sample.label)


def check_refused(name, sample):
    with without_warnings(), pytest.raises(REFUSALS):
        sample.make_and_call(getattr(adapter, name))


@pytest.mark.parametrize("name", MODULES)
def test_what_torch_refuses_is_refused(name):
    for sample in conforming(name, "error", errors_of_module(name)):
        try:
            check_refused(name, sample)
        except BaseException as error:
            raise AssertionError(sample.label) from error


@pytest.mark.parametrize("name", MODULES)
def test_departures_still_apply(name):
    for row in DEPARTURES:
        if row.name == name:
            check_departure(row)


def check_departure(row):
    if row.kind == "error":
        samples, check = errors_of_module(row.name), check_refused
    else:
        samples, check = samples_of_module(row.name, torch.float64), check_module
    assert still_applies(row, samples, check), row.reason
