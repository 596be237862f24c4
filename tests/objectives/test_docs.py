"""The page on objectives leaves nothing out, and neither does the adapter."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import npl
import npl.functional as F

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"
CLASSES = [
    name
    for name in npl.__all__
    if getattr(getattr(npl, name), "__module__", "").startswith(("npl.objectives", "npl.penalties"))
]
PENALTIES = [name for name in CLASSES if name.endswith("Penalty")]


def test_the_page_has_all() -> None:
    text = PAGE.read_text("utf-8")
    assert len(CLASSES) == 7
    for name in CLASSES:
        assert f"::: npl.{name}\n" in text + "\n"
    for function in (name for name in F.__all__ if name.endswith("_penalty")):
        assert f"heading: npl.functional.{function}" in text


@pytest.mark.parametrize("name", [*PENALTIES, "MultiTaskLoss", "UncertaintyWeightedLoss"])
def test_the_adapter_has_the_same_arguments(name: str) -> None:
    adapter = pytest.importorskip("npl.adapters.torch")
    own, other = (inspect.signature(getattr(module, name)) for module in (npl, adapter))
    theirs = [(p.name, p.default, p.kind) for p in other.parameters.values()]
    assert [(p.name, p.default, p.kind) for p in own.parameters.values()] == theirs[
        : len(own.parameters)
    ]


@pytest.mark.parametrize("name", PENALTIES)
def test_functions_have_the_arguments_of_their_classes(name: str) -> None:
    function = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    of_class = list(inspect.signature(getattr(npl, name)).parameters.values())
    on_tensors = pytest.importorskip("npl.adapters.torch.functional")
    for module in (F, on_tensors):
        first, *rest = inspect.signature(getattr(module, function)).parameters.values()
        assert first.name == "parameters"
        assert [(p.name, p.default, p.kind) for p in rest] == [
            (p.name, p.default, p.kind) for p in of_class
        ]
