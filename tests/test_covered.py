"""The page of what the tape knows has all of it, each function once and in its place."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import npl.autodiff.rules.special  # noqa: F401 (fills the registry)
from npl.autodiff.primitives import METHODS, RULES

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

import covered


def test_every_rule_is_in_one_place() -> None:
    counted = Counter(
        name for groups in covered.rows().values() for names in groups.values() for name in names
    )
    own = {function.__name__ for function in RULES if not isinstance(function, str)}
    own |= {f"{ufunc.__name__}.{method}" for ufunc, method in METHODS}
    short = {
        name.partition(".")[2].removeprefix("linalg.").removeprefix("special.") for name in counted
    }
    assert own <= short
    assert set(counted.values()) == {1}


def test_places() -> None:
    found = {
        name: (group, how)
        for group, groups in covered.rows().items()
        for how, names in groups.items()
        for name in names
    }
    own, composed = "rule of its own", "written with others"
    for name, place in {
        "np.exp": ("elementwise", own),
        "np.abs": ("elementwise", own),
        "np.i0": ("elementwise", composed),
        "np.sum": ("reductions", own),
        "np.var": ("reductions", composed),
        "np.logaddexp.reduce": ("reductions", composed),
        "np.linalg.cholesky": ("linear_algebra", own),
        "np.einsum": ("linear_algebra", own),
        "np.stack": ("shapes", composed),
        "np.where": ("selection", own),
        "scipy.special.expit": ("special", own),
    }.items():
        assert found[name] == place
    assert found["np.argmax"][0] == "constant"
    assert "np.linalg.eig" in covered.missing()[1]
