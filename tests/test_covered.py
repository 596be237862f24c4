"""The page of what the tape knows has all of it, each function once and in its place."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import npl.autodiff.rules.special  # noqa: F401 (fills the registry)
from npl.autodiff.registry import METHODS, RULES

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import covered


def test_every_rule_is_in_one_place() -> None:
    counted = Counter(name for names in covered.rows().values() for name in names)
    own = {function.__name__ for function in RULES if not isinstance(function, str)}
    own |= {f"{ufunc.__name__}.{method}" for ufunc, method in METHODS}
    short = {
        name.partition(".")[2].removeprefix("linalg.").removeprefix("special.") for name in counted
    }
    assert own <= short
    assert set(counted.values()) == {1}


def test_places() -> None:
    found = {name: group for group, names in covered.rows().items() for name in names}
    for name, group in {
        "np.exp": "elementwise",
        "np.abs": "elementwise",
        "np.i0": "elementwise",
        "np.sum": "reductions",
        "np.var": "reductions",
        "np.logaddexp.reduce": "reductions",
        "np.linalg.cholesky": "linear_algebra",
        "np.einsum": "linear_algebra",
        "np.stack": "shapes",
        "np.where": "selection",
        "scipy.special.expit": "special",
        "np.argmax": "constant",
    }.items():
        assert found[name] == group
    assert "np.linalg.eig" in covered.missing()[1]
