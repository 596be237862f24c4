"""Nothing is forgotten: every loss has its rows, its function, and torch's own signature."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

import npl
import npl.functional as F
from tests.support.cases import CASES

LOSSES = [
    value
    for value in vars(npl).values()
    if isinstance(value, type) and issubclass(value, npl.Loss) and value is not npl.Loss
]
OURS = {"sample_weight", "normalizer", "empty"}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_has_a_case(loss: type[npl.Loss]) -> None:
    assert any(case.loss is loss for case in CASES)


@pytest.mark.parametrize("name", F.__all__)
def test_a_function_has_a_case(name: str) -> None:
    assert any(case.function is getattr(F, name) for case in CASES)


@pytest.mark.parametrize("name", npl.__all__)
def test_all_names_exist_and_are_documented(name: str) -> None:
    assert getattr(npl, name).__doc__


def _torch_arguments(callable_: object) -> list[tuple[str, object]]:
    parameters = inspect.signature(callable_).parameters.values()
    return [(p.name, p.default) for p in parameters]


@pytest.mark.parametrize("name", F.__all__)
def test_functions_have_the_signature_of_torch(name: str) -> None:
    parameters = inspect.signature(getattr(F, name)).parameters.values()
    positional = [(p.name, p.default) for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert positional == _torch_arguments(getattr(torch.nn.functional, name))
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == OURS


@pytest.mark.parametrize("loss", LOSSES)
def test_classes_have_the_signature_of_torch(loss: type[npl.Loss]) -> None:
    parameters = inspect.signature(loss).parameters.values()
    positional = [(p.name, p.default) for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert positional == _torch_arguments(getattr(torch.nn, loss.__name__))
    own = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert own == {"normalizer", "empty"}
    call = inspect.signature(loss.__call__).parameters
    assert {n for n, p in call.items() if p.kind is p.KEYWORD_ONLY} == {
        "sample_weight",
        "normalizer",
    }


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("size_average", "reduce", "reduction"),
    [(True, None, "mean"), (False, None, "sum"), (None, False, "none"), (True, False, "none")],
)
def test_the_old_names_of_a_reduction(
    loss: type[npl.Loss], size_average: bool | None, reduce: bool | None, reduction: str
) -> None:
    with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead") as seen:
        made = loss(size_average=size_average, reduce=reduce, reduction="sum")
    assert made.reduction == reduction
    assert seen[0].filename == __file__
    case = next(case for case in CASES if case.loss is loss)
    arguments = case.sample(np.random.default_rng(0), np.float64, 3)
    with pytest.warns(UserWarning, match="will be deprecated") as seen:
        case.function(*arguments, size_average=size_average, reduce=reduce)
    assert seen[0].filename == __file__
