"""torch's own test inputs for these losses, run through NPL: the OpInfo and ModuleInfo samples.

They come from `torch.testing._internal`, a private module: when a new torch moves them, this file
alone has to follow.
"""

from __future__ import annotations

import sys
import unittest
import warnings
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import torch

import npl
import npl.functional as F
from tests.test_torch_parity import assert_parity

FUNCTIONS = [
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
    "poisson_nll_loss",
    "gaussian_nll_loss",
]
MODULES = ["CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss"]
MODULES += ["KLDivLoss", "PoissonNLLLoss", "GaussianNLLLoss"]
DTYPES = [torch.float64, torch.float32]


@cache
def databases() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return torch's samples by function and by module.

    Imported at the first use (it takes seconds), and without two effects on the process: it wants
    `expecttest`, a base class for test cases that nothing here runs, and it forbids all later
    changes of torch's global flags.
    """
    stand_in = ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
    sys.modules.setdefault("expecttest", stand_in)
    with warnings.catch_warnings(), mock.patch.object(torch.backends, "disable_global_flags"):
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db
    if sys.modules["expecttest"] is stand_in:
        del sys.modules["expecttest"]
    functions = {op.name.removeprefix("nn.functional."): op for op in op_db}
    return functions, {info.module_cls.__name__: info for info in module_db}


def to_numpy(value: Any) -> Any:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value


def plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as constants: parity with respect to `weight` has no gradient."""
    return {k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in options.items()}


def differs(name: str, options: dict[str, Any], arguments: list[Any]) -> bool:
    """Whether NPL differs on purpose: in the factorial of counts, in what broadcasts."""
    if name in ("poisson_nll_loss", "PoissonNLLLoss"):
        return bool(options.get("full"))
    return name == "gaussian_nll_loss" and arguments[0].ndim != arguments[1].ndim


def op_samples(name: str, dtype: torch.dtype) -> Iterator[Any]:
    torch.manual_seed(0)
    yield from databases()[0][name].sample_inputs("cpu", dtype, requires_grad=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_samples_of_functions(name: str, dtype: torch.dtype) -> None:
    count = 0
    for sample in op_samples(name, dtype):
        options = plain(sample.kwargs)
        arrays = {k: to_numpy(v) for k, v in options.items()}
        if differs(name, options, [sample.input, *sample.args]):
            continue
        assert_parity(
            lambda *a, k=arrays: getattr(F, name)(*a, **k),
            lambda *a, k=options: getattr(torch.nn.functional, name)(*a, **k),
            [to_numpy(t) for t in (sample.input, *sample.args)],
            str(sample),
        )
        count += 1
    assert count > 10  # that the samples were found at all


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", MODULES)
def test_samples_of_modules(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    info = databases()[1][name]
    samples = info.module_inputs_func(
        info, device="cpu", dtype=dtype, requires_grad=True, training=True
    )
    count = 0
    for sample in samples:
        made = sample.constructor_input
        options = plain(made.kwargs)
        if differs(name, options, list(sample.forward_input.args)):
            continue
        loss = getattr(npl, name)(
            *map(to_numpy, made.args), **{k: to_numpy(v) for k, v in options.items()}
        )
        module = info.module_cls(*made.args, **options)
        assert not sample.forward_input.kwargs
        assert_parity(
            loss, module, [to_numpy(t) for t in sample.forward_input.args], f"{name} {sample.desc}"
        )
        count += 1
    assert count > 3
