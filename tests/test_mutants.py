"""A test of the tests: a loss made wrong in one respect must be rejected by the check for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import npl
from tests import test_accuracy, test_algebra, test_hygiene
from tests.support.cases import CASES, Case

CROSS_ENTROPY = next(case for case in CASES if case.name == "cross_entropy-index-weight")
BCE = next(case for case in CASES if case.name == "bce_with_logits-soft")


class LargerGradient(npl.CrossEntropyLoss):
    def _grad(self, saved: Any, c: Any, out: Sequence[Any]) -> None:
        super()._grad(saved, c, out)
        out[0][...] *= 1.000001


class FlippedCurvature(npl.CrossEntropyLoss):
    def _hvp(self, saved: Any, c: Any, v: Sequence[Any], out: Sequence[Any]) -> None:
        super()._hvp(saved, c, v, out)
        np.negative(out[0], out=out[0])


class WrongDenominator(npl.CrossEntropyLoss):
    def _bind(self, *arguments: Any, **keywords: Any) -> Any:
        return super()._bind(*arguments, **keywords)._replace(counts=None)


class WritesToItsInput(npl.CrossEntropyLoss):
    def _bind(self, input: Any, target: Any, **keywords: Any) -> Any:
        input.flags.writeable = True
        input -= np.max(input)
        return super()._bind(input, target, **keywords)


class LargerValue(npl.CrossEntropyLoss):
    def _forward(self, *operands: Any, **_: Any) -> Any:
        losses, saved = super()._forward(*operands)
        return losses * (1 + 1e-6), saved


class RoundsTheTail(npl.CrossEntropyLoss):
    """The textbook formula: log of a rounded probability."""

    def _forward(self, *operands: Any, **_: Any) -> Any:
        losses, saved = super()._forward(*operands)
        return -np.log(np.exp(-losses)), saved


class DependsOnOrder(npl.CrossEntropyLoss):
    def _forward(self, *operands: Any, **_: Any) -> Any:
        losses, saved = super()._forward(*operands)
        return losses * np.linspace(1, 1 + 1e-6, len(losses)), saved


class AsymmetricCurvature(npl.BCEWithLogitsLoss):
    def _hvp(self, saved: Any, c: Any, v: Sequence[Any], out: Sequence[Any]) -> None:
        super()._hvp(saved, c, v, out)
        if out[1] is not None:
            out[1][...] *= 1.000001


MUTANTS: list[tuple[type[npl.Loss], Case, Callable[[Case], None]]] = [
    (LargerGradient, CROSS_ENTROPY, lambda c: test_accuracy.test_gradient(c, np.float64)),
    (LargerGradient, CROSS_ENTROPY, test_algebra.test_finite_differences),
    (LargerValue, CROSS_ENTROPY, lambda c: test_accuracy.test_value(c, np.float64)),
    (LargerValue, CROSS_ENTROPY, test_algebra.test_finite_differences),
    (RoundsTheTail, CROSS_ENTROPY, lambda c: test_accuracy.test_value(c, np.float32)),
    (
        FlippedCurvature,
        CROSS_ENTROPY,
        lambda c: test_accuracy.test_hessian_vector_product(c, np.float64),
    ),
    (FlippedCurvature, CROSS_ENTROPY, test_algebra.test_finite_differences),
    (FlippedCurvature, CROSS_ENTROPY, test_algebra.test_hessian_is_all_products),
    (AsymmetricCurvature, BCE, test_algebra.test_hvp_is_symmetric_and_linear),
    (WrongDenominator, CROSS_ENTROPY, test_algebra.test_reductions_agree),
    (WritesToItsInput, CROSS_ENTROPY, test_hygiene.test_inputs_are_not_written_and_not_aliased),
    (DependsOnOrder, CROSS_ENTROPY, test_algebra.test_permutation),
]


@pytest.mark.parametrize(
    ("mutant", "case", "check"),
    MUTANTS,
    ids=[f"{m[0].__name__}-{i}" for i, m in enumerate(MUTANTS)],
)
def test_a_mutant_is_rejected(
    mutant: type[npl.Loss], case: Case, check: Callable[[Case], None]
) -> None:
    check(case)  # the sound loss passes
    with pytest.raises(AssertionError):
        check(replace(case, loss=mutant))
