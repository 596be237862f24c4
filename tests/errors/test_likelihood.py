"""What the divergence and the likelihoods refuse, and the whole text that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, REDUCTION_NAMES, assert_raises

X, COLUMN, ROW = np.zeros((3, 4)), np.zeros((3, 1)), np.zeros(3)
V = np.ones((3, 4))
NEGATIVE = V.copy()
NEGATIVE[1, 2] = -0.5
UNKNOWN = V.copy()
UNKNOWN[0, 3] = np.nan
FLOATS = f"{ONLY_FLOATS} Did you mean input.astype(np.float64)?"
HINT = "It is a variance: did you mean its exponential, or its square?"


def kl(*arguments: Any, **options: Any) -> Any:
    return F.kl_div(*arguments, **{"reduction": "sum", **options})


ROWS = [
    (kl, (X.astype(int), X), {}, TypeError, f"KLDivLoss: input has dtype int64; {FLOATS}"),
    (
        kl,
        (COLUMN, ROW),
        {},
        ValueError,
        "KLDivLoss: target has shape (3,); for input (3, 1) it must be (3, 1). "
        "Did you mean target[:, None]?",
    ),
    (
        kl,
        (X, X),
        {"reduction": "meen"},
        ValueError,
        f"KLDivLoss: reduction is 'meen'; {REDUCTION_NAMES} Did you mean 'mean'?",
    ),
    (
        F.poisson_nll_loss,
        (X.astype(int), X),
        {},
        TypeError,
        f"PoissonNLLLoss: input has dtype int64; {FLOATS}",
    ),
    (
        F.poisson_nll_loss,
        (ROW, COLUMN),
        {},
        ValueError,
        "PoissonNLLLoss: target has shape (3, 1); for input (3,) it must be (3,). "
        "Did you mean target[:, 0]?",
    ),
    (
        F.poisson_nll_loss,
        (ROW, ROW),
        {"eps": -1.0},
        ValueError,
        "PoissonNLLLoss: eps is -1.0; it must lie in [0, inf].",
    ),
    (
        kl,
        (X, X),
        {"log_target": "yes"},
        TypeError,
        "KLDivLoss: log_target is 'yes'; it must be True or False.",
    ),
    (
        F.poisson_nll_loss,
        (ROW, ROW, "mean"),
        {},
        TypeError,
        "PoissonNLLLoss: log_input is 'mean'; it must be True or False.",
    ),
    (
        F.gaussian_nll_loss,
        (ROW, ROW, 1.0, 1),
        {},
        TypeError,
        "GaussianNLLLoss: full is 1; it must be True or False.",
    ),
    (
        F.poisson_nll_loss,
        (ROW, ROW),
        {"eps": "small"},
        TypeError,
        "PoissonNLLLoss: eps is 'small'; it must be a number in [0, inf].",
    ),
    (
        F.poisson_nll_loss,
        (X, NEGATIVE),
        {"full": True},
        ValueError,
        "PoissonNLLLoss: target[1, 2] is -0.5; it must lie in [0, inf].",
    ),
    (
        F.gaussian_nll_loss,
        (X.astype(int), X, V),
        {},
        TypeError,
        f"GaussianNLLLoss: input has dtype int64; {FLOATS}",
    ),
    (
        F.gaussian_nll_loss,
        (COLUMN, ROW, 1.0),
        {},
        ValueError,
        "GaussianNLLLoss: target has shape (3,); for input (3, 1) it must be (3, 1). "
        "Did you mean target[:, None]?",
    ),
    (
        F.gaussian_nll_loss,
        (X, X, np.ones(4)),
        {},
        ValueError,
        "GaussianNLLLoss: var has shape (4,); for losses of shape (3, 4) it must be "
        "(3, 4) or (3, 1) or (3,) or ().",
    ),
    (
        F.gaussian_nll_loss,
        (ROW, ROW, np.ones(2)),
        {},
        ValueError,
        "GaussianNLLLoss: var has shape (2,); for losses of shape (3,) it must be (3,) or (1,) or ().",
    ),
    (
        F.gaussian_nll_loss,
        (X, X, NEGATIVE),
        {},
        ValueError,
        f"GaussianNLLLoss: var[1, 2] is -0.5; it must lie in [0, inf]. {HINT}",
    ),
    (
        F.gaussian_nll_loss,
        (X, X, np.array([1.0, -2.0, 1.0])),
        {},
        ValueError,
        f"GaussianNLLLoss: var[1] is -2.0; it must lie in [0, inf]. {HINT}",
    ),
    (
        F.gaussian_nll_loss,
        (X, X, UNKNOWN),
        {},
        ValueError,
        f"GaussianNLLLoss: var[0, 3] is nan; it must lie in [0, inf]. {HINT}",
    ),
    (
        F.gaussian_nll_loss,
        (X, X, V),
        {"eps": -1e-6},
        ValueError,
        "GaussianNLLLoss: eps is -1e-06; it must lie in [0, inf].",
    ),
]


@pytest.mark.parametrize(("function", "arguments", "options", "kind", "text"), ROWS)
def test_refused(
    function: Any, arguments: Any, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    assert_raises(lambda: function(*arguments, **options), kind, text)


def test_options_are_checked_at_construction() -> None:
    for loss in (npl.KLDivLoss, npl.PoissonNLLLoss, npl.GaussianNLLLoss):
        with pytest.raises(ValueError, match=f"{loss.__name__}: reduction is 'average'"):
            loss(reduction="average")


def test_a_weight_of_0_excuses_a_variance() -> None:
    weight = np.ones((3, 4))
    weight[1, 2] = 0
    assert F.gaussian_nll_loss(X, X, NEGATIVE, sample_weight=weight) == 0
