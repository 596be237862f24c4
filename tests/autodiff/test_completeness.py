"""The table has a row for each function with a rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
import npl.autodiff.rules.special
from npl.autodiff import traced
from npl.autodiff.registry import METHODS, RULES
from tests.autodiff.rows import ROWS

# Found by name and not by function: the parts of other rules.
_INTERNAL = {"getitem", "astype", "pow", "loss"}


# As they are when tests are collected: examples in docstrings add rules when they run.
_RULES, _METHODS = dict(RULES), dict(METHODS)


class _Recording(dict[Any, Any]):
    """A registry that remembers what is asked of it."""

    def __init__(self, of: dict[Any, Any]) -> None:
        super().__init__(of)
        self.seen: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.seen.add(key)
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)


def test_every_rule_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rules, methods = _Recording(_RULES), _Recording(_METHODS)
    monkeypatch.setattr(traced, "RULES", rules)
    monkeypatch.setattr(traced, "METHODS", methods)
    for row in ROWS:
        npl.vjp(row.function(), *row.arguments)
    constants = {key for key, rule in _RULES.items() if type(rule).__name__ == "Constant"}
    missing = set(_RULES) - rules.seen - constants - _INTERNAL
    assert not missing, sorted(str(key) for key in missing)
    assert not set(_METHODS) - methods.seen


@pytest.mark.parametrize(
    "expression",
    [
        "np.sign(x)", "np.floor(x)", "np.ceil(x)", "np.rint(x)", "np.trunc(x)", "x // 1", "np.signbit(x)",
        "np.isfinite(x)", "np.isnan(x)", "np.isinf(x)", "x == x", "x != x", "x < 0", "x <= 0", "x > 0",
        "x >= 0", "np.logical_and(x, x)", "np.logical_not(x)", "np.heaviside(x, 0.5)", "np.argmax(x)",
        "x.argmax(0)", "x.argmin()", "np.argsort(x)", "x.argsort()", "np.argwhere(x)", "np.any(x)", "x.all()",
        "x.any()", "np.count_nonzero(x)", "x.nonzero()", "np.isclose(x, 1.0)", "np.allclose(x, 1.0)",
        "np.array_equal(x, x)", "np.round(x, 1)", "x.round(1)", "np.searchsorted(x, 0.5)",
        "np.searchsorted([0.0, 1.0], x)", "np.digitize(x, [0.0, 1.0])", "np.histogram(x)[0]",
        "np.zeros_like(x)", "np.ones_like(x)", "np.shape(x)", "np.ndim(x)", "np.size(x)", "np.result_type(x)",
        "np.spacing(x)", "np.floor_divide(x, 2)", "np.isscalar(x)", "x.astype(int)", "x.dtype", "len(x)",
        "np.around(x)", "np.fix(x)", "np.nanargmax(x)", "np.array_str(x)", "np.flatnonzero(x)",
        "np.may_share_memory(x, x)",
        "np.linalg.matrix_rank(x)",
    ],
)  # fmt: skip
def test_what_has_no_derivative_is_plain(expression: str) -> None:
    seen: list[Any] = []
    x = np.array([-1.5, 0.0, 0.5, 2.0])

    def f(x: Any) -> Any:
        seen.append(eval(expression, {"np": np, "x": x}))
        return np.sum(x)

    npl.grad(f)(x)
    expected = eval(expression, {"np": np, "x": x})
    assert type(seen[0]) is type(expected)
    np.testing.assert_array_equal(seen[0], expected)
