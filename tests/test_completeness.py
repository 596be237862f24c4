"""Nothing is forgotten: every loss has its rows, its function, and torch's own signature."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

import npl
import npl.functional as F
from npl.engine.rows import UnreducedLoss
from tests.support.cases import CASES, Case

LOSSES = [
    value
    for value in vars(npl).values()
    if isinstance(value, type) and issubclass(value, npl.Loss) and value is not npl.Loss
]
EMPTY = inspect.Parameter.empty
OURS = {"sample_weight", "normalizer", "empty"}
OF_CLASS, OF_CALL = {"normalizer", "empty"}, {"sample_weight", "normalizer"}
# torch has it in the function alone; here both forms come from one definition.
WEIGHTED = {"L1Loss", "MSELoss", "HuberLoss"}
# Losses whose samples are not rows of their arguments, and the module that tests them instead.
TESTED_APART: dict[str, str] = {
    "CTCLoss": "losses/test_ctc.py",
    "DiceLoss": "losses/test_dice.py",
    "LinearCrossEntropyLoss": "losses/test_linear_cross_entropy.py",
    "AdaptiveLogSoftmaxWithLoss": "losses/test_adaptive_log_softmax.py",
    "GHMCLoss": "losses/test_gradient_harmonized.py",
    "GHMRLoss": "losses/test_gradient_harmonized.py",
}
# Distances and similarities, which are neither reduced nor weighted; and the signature of torch's functions
# of them, which are built in and show none.
UNREDUCED = {
    "cosine_similarity": [("x1", EMPTY), ("x2", EMPTY), ("dim", 1), ("eps", 1e-8)],
    "pairwise_distance": [
        ("x1", EMPTY),
        ("x2", EMPTY),
        ("p", 2.0),
        ("eps", 1e-6),
        ("keepdim", False),
    ],
}
# torch's modules keep a layer, whose parameters are arguments here: their own tests compare signatures.
STATELESS = {"LinearCrossEntropyLoss", "AdaptiveLogSoftmaxWithLoss"}

# Functions of parameters, which torch has not: tests/objectives and tests/errors/test_objectives.py.
PENALTIES = {"elastic_net_penalty", "l1_penalty", "l2_penalty"}
FUNCTIONS = [name for name in F.__all__ if name not in PENALTIES]


def _stands_for(case: Case) -> tuple[object, ...]:
    return (case.loss, case.function, *(case.unreduced or ()))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_has_a_case(loss: type[npl.Loss]) -> None:
    if loss.__name__ in TESTED_APART:
        source = (Path(__file__).parent / TESTED_APART[loss.__name__]).read_text("utf-8")
        assert loss.__name__ in source
    else:
        assert any(loss in _stands_for(case) for case in CASES)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_case(name: str) -> None:
    apart = [(Path(__file__).parent / file).read_text("utf-8") for file in TESTED_APART.values()]
    function = getattr(F, name)
    has_case = any(function in _stands_for(case) for case in CASES)
    assert has_case or any(f"F.{name}" in text for text in apart)


@pytest.mark.parametrize("name", npl.__all__)
def test_all_names_exist_and_are_documented(name: str) -> None:
    assert getattr(npl, name).__doc__


def _arguments(callable_: object) -> list[tuple[str, object]]:
    parameters = inspect.signature(callable_).parameters.values()  # type: ignore[arg-type]
    return [(p.name, p.default) for p in parameters if p.name != "self"]


def _assert_torchs_and(ours: object, theirs: object, more: set[str]) -> None:
    """The arguments of torch in their places with their defaults, then `more`, by keyword only."""
    expected = _arguments(theirs)
    assert _arguments(ours)[: len(expected)] == expected
    parameters = list(inspect.signature(ours).parameters.values())  # type: ignore[arg-type]
    own = [p for p in parameters if p.name != "self"][len(expected) :]
    assert {p.name for p in own} == more
    assert all(p.kind is p.KEYWORD_ONLY for p in own)


# What torch has not has NPL's own keywords, as everything has.
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if not hasattr(torch.nn.functional, n)])
def test_functions_that_torch_lacks_have_the_same_keywords(name: str) -> None:
    parameters = inspect.signature(getattr(F, name)).parameters.values()
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} >= OURS


@pytest.mark.parametrize("loss", [x for x in LOSSES if not hasattr(torch.nn, x.__name__)])
def test_classes_that_torch_lacks_have_the_same_keywords(loss: type[npl.Loss]) -> None:
    for callable_, ours in ((loss, OF_CLASS), (loss.__call__, OF_CALL)):
        parameters = inspect.signature(callable_).parameters.values()
        assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} >= ours


@pytest.mark.parametrize("name", [n for n in F.__all__ if hasattr(torch.nn.functional, n)])
def test_functions_have_the_signature_of_torch(name: str) -> None:
    if name in UNREDUCED:
        assert _arguments(getattr(F, name)) == UNREDUCED[name]
    else:
        _assert_torchs_and(getattr(F, name), getattr(torch.nn.functional, name), OURS)


@pytest.mark.parametrize("loss", [x for x in LOSSES if hasattr(torch.nn, x.__name__)])
def test_classes_have_the_signature_of_torch(loss: type[npl.Loss]) -> None:
    if loss.__name__ in STATELESS:
        pytest.skip("keeps no layer")
    is_reduced = not issubclass(loss, UnreducedLoss)
    of_class, of_call = (OF_CLASS, OF_CALL) if is_reduced else (set(), set())
    weight = {"weight"} if loss.__name__ in WEIGHTED else set()
    _assert_torchs_and(loss, getattr(torch.nn, loss.__name__), of_class | weight)
    forward = getattr(torch.nn, loss.__name__).forward
    own = inspect.signature(loss.__call__).parameters
    assert len(_arguments(loss.__call__)) == len(_arguments(forward)) + len(of_call)
    assert {n for n, p in own.items() if p.kind is p.KEYWORD_ONLY} == of_call


DEPRECATED = [loss for loss in LOSSES if "size_average" in inspect.signature(loss).parameters]


@pytest.mark.parametrize("loss", DEPRECATED)
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


def test_each_difference_from_torch_is_said_once() -> None:
    text = (Path(__file__).parents[1] / "docs" / "differences.md").read_text("utf-8")
    places = [tuple(line.split("|")[1:3]) for line in text.splitlines() if line.startswith("|")]
    assert len(places) == len(set(places))
