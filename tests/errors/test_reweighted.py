"""What losses that weigh samples refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

X, Y, COST = np.zeros((2, 3)), np.array([0, 1]), np.ones(3)
UNREAL = "it must be finite, 0 or above."


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.cost_sensitive_loss(X, Y, np.ones(4)),
            ValueError,
            "CostSensitiveLoss: cost has shape (4,); for 3 classes it must be (3,) or (3, 3).",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y, np.ones((3, 1))),
            ValueError,
            "CostSensitiveLoss: cost has shape (3, 1); for 3 classes it must be (3,) or (3, 3).",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y, [1.0, -1.0, 0.0]),
            ValueError,
            f"CostSensitiveLoss: cost[1] is -1.0; {UNREAL}",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y, np.diag([1, np.inf, 1])),
            ValueError,
            f"CostSensitiveLoss: cost[1, 1] is inf; {UNREAL}",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y, np.array([1, 1, np.nan])),
            ValueError,
            f"CostSensitiveLoss: cost[2] is nan; {UNREAL}",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y, COST * 1j),
            TypeError,
            "CostSensitiveLoss: cost has dtype complex128; it must be float16, float32, float64, an "
            "integer or a boolean.",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y[:, None], COST),
            ValueError,
            "CostSensitiveLoss: target has shape (2, 1); for input (2, 3) it must be (2,). Did you mean "
            "target[:, 0]?",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y.astype(float), COST),
            TypeError,
            "CostSensitiveLoss: target has dtype float64 and shape (2,); class indices must be integers. "
            "Did you mean target.astype(np.int64)?",
        ),
        (
            lambda: F.cost_sensitive_loss(X, Y + 2, COST),
            IndexError,
            "CostSensitiveLoss: target[1] is 3; for 3 classes it must lie in [0, 2] or be ignore_index "
            "(-100). Are your labels counted from 1? Did you mean target - 1?",
        ),
        (
            lambda: F.cost_sensitive_loss(X.astype(int), Y, COST),
            TypeError,
            "CostSensitiveLoss: input has dtype int64; it must be float16, float32 or float64. Did you "
            "mean input.astype(np.float64)?",
        ),
        (
            lambda: npl.CostSensitiveLoss(COST, ignore_index=1.5),  # type: ignore[arg-type]
            TypeError,
            "CostSensitiveLoss: ignore_index is 1.5; it must be an integer.",
        ),
        (
            lambda: npl.CostSensitiveLoss(COST, reduction="avg"),  # type: ignore[arg-type]
            ValueError,
            "CostSensitiveLoss: reduction is 'avg'; it must be one of 'none', 'mean', 'sum', "
            "'batchmean'.",
        ),
    ],
)
def test_cost_sensitive_loss(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.ghmc_loss(np.zeros(2), np.array([1.0, -1.0])),
            ValueError,
            "GHMCLoss: target[1] is -1.0; it must lie in [0, 1]. For elements to ignore, did you mean "
            "sample_weight=, with 0 there?",
        ),
        (
            lambda: F.ghmc_loss(np.zeros((2, 1)), np.zeros(2)),
            ValueError,
            "GHMCLoss: target has shape (2,); for input (2, 1) it must be (2, 1). Did you mean "
            "target[:, None]?",
        ),
        (
            lambda: F.ghmr_loss(np.zeros(2), np.zeros((2, 1))),
            ValueError,
            "GHMRLoss: target has shape (2, 1); for input (2,) it must be (2,). Did you mean target[:, 0]?",
        ),
        (
            lambda: F.ghmr_loss(np.zeros(2, int), np.zeros(2)),
            TypeError,
            "GHMRLoss: input has dtype int64; it must be float16, float32 or float64. Did you mean "
            "input.astype(np.float64)?",
        ),
        (
            lambda: F.ghmc_loss(np.zeros(2), np.zeros(2), sample_weight=np.ones(3)),
            ValueError,
            "GHMCLoss: sample_weight has shape (3,); for losses of shape (2,) it must be a scalar or have "
            "shape (2,).",
        ),
        (
            lambda: npl.GHMCLoss(bins=0),
            ValueError,
            "GHMCLoss: bins is 0; it must be at least 1.",
        ),
        (
            lambda: npl.GHMRLoss(bins=2.5),  # type: ignore[arg-type]
            TypeError,
            "GHMRLoss: bins is 2.5; it must be an integer.",
        ),
        (
            lambda: npl.GHMCLoss(momentum=-0.5),
            ValueError,
            "GHMCLoss: momentum is -0.5; it must lie in [0, 1].",
        ),
        (
            lambda: npl.GHMCLoss(momentum=1),
            ValueError,
            "GHMCLoss: momentum is 1; it must be below 1.",
        ),
        (
            lambda: npl.GHMRLoss(mu=0.0),
            ValueError,
            "GHMRLoss: mu is 0.0; it must lie in (0, inf).",
        ),
        (
            lambda: npl.GHMRLoss(reduction="avg"),  # type: ignore[arg-type]
            ValueError,
            "GHMRLoss: reduction is 'avg'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
        ),
        (
            lambda: F.ghmc_loss(np.zeros(2), np.zeros(2), momentum=0.5, bin_counts=np.ones(3)),
            ValueError,
            "GHMCLoss: bin_counts has shape (3,); for 10 bins it must be (10,).",
        ),
        (
            lambda: F.ghmc_loss(np.zeros(2), np.zeros(2), 2, 0.5, bin_counts=[1.0, -1.0]),
            ValueError,
            "GHMCLoss: bin_counts[1] is -1.0; it must be finite, 0 or above.",
        ),
    ],
)
def test_gradient_harmonized_losses(
    call: Callable[[], Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text
