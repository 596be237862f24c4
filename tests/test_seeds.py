"""The numbers that two tutorials print for these losses: what users have seen before they come here.

Each expectation is what was printed, and the tolerance is its last digit: half a unit where the
tutorial printed a rounded number, a few ulp of the dtype where it printed all digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

Array = np.ndarray
FOUR_DIGITS = 0.5001e-4  # a printed 0.1269 stands for [0.12685, 0.12695]

LOGITS_5 = np.array(
    [
        [1.1785, -0.0969, 0.5756, -1.2113, -0.1120],
        [-0.5199, -0.8051, 1.0953, 0.1480, 0.2879],
        [2.3401, 0.6403, 1.4306, 0.0982, -0.7363],
    ],
    np.float32,
)
LABELS_5 = np.array([4, 3, 1])
GRADIENT_5 = np.array(
    [
        [0.1520, 0.0424, 0.0832, 0.0139, -0.2915],
        [0.0304, 0.0228, 0.1528, -0.2741, 0.0681],
        [0.1918, -0.2983, 0.0772, 0.0204, 0.0088],
    ]
)

LOGITS_2 = np.array([[1, 2], [1, 3], [1, 3]], np.float32)
LABELS_2 = np.array([0, 1, 1])

BINARY_LOGITS = np.array([[1, 2], [2, 2], [3, 4], [4, 5]], np.float32)
BINARY_TARGETS = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
PROBABILITIES = (1 / (1 + np.exp(-BINARY_LOGITS))).astype(np.float32)
BINARY_LOSSES = [[0.3133, 2.1269], [0.1269, 2.1269], [3.0486, 0.0181], [4.0181, 0.0067]]
BINARY_LOSSES_3 = [[0.9398, 2.1269], [0.3808, 2.1269], [3.0486, 0.0544], [4.0181, 0.0201]]


def both(
    loss: type[npl.Loss], function: Callable[..., Any], options: dict[str, Any], *arguments: Array
) -> list[Any]:
    """Return what the class and the function give: one definition, so the same bits."""
    values = [loss(**options)(*arguments), function(*arguments, **options)]
    np.testing.assert_array_equal(*values, strict=True)
    return values


ONES, WEIGHTS = np.ones(2, np.float32), np.array([1, 2], np.float32)
ONE, THREE = np.ones(1, np.float32), np.array([3], np.float32)
BCE = (npl.BCELoss, F.binary_cross_entropy, PROBABILITIES, BINARY_TARGETS)
LOGITS = (
    npl.BCEWithLogitsLoss,
    F.binary_cross_entropy_with_logits,
    BINARY_LOGITS,
    BINARY_TARGETS,
)
CROSS_ENTROPY = (npl.CrossEntropyLoss, F.cross_entropy, LOGITS_2, LABELS_2)
NLL = (npl.NLLLoss, F.nll_loss, LOGITS_2, LABELS_2)

# (loss, function, input, target), options, printed for "none", "sum" and "mean"
PRINTED = [
    pytest.param(CROSS_ENTROPY, {}, [1.3133, 0.1269, 0.1269], 1.5671, 0.5224, id="ce"),
    pytest.param(
        CROSS_ENTROPY,
        {"weight": WEIGHTS},
        [1.3133, 0.2539, 0.2539],
        1.8210,
        0.3642,
        id="ce-weights-1-2",
    ),
    pytest.param(NLL, {"weight": ONES}, [-1, -3, -3], -7, -2.3333, id="nll"),
    pytest.param(BCE, {"weight": ONES}, BINARY_LOSSES, 11.7856, 1.4732, id="bce"),
    pytest.param(LOGITS, {"weight": ONES}, BINARY_LOSSES, 11.7856, 1.4732, id="logits"),
    pytest.param(
        LOGITS,
        {"weight": ONE, "pos_weight": ONE},
        BINARY_LOSSES,
        11.7856,
        1.4732,
        id="logits-pos_weight-1",
    ),
    pytest.param(
        LOGITS,
        {"weight": ONE, "pos_weight": THREE},
        BINARY_LOSSES_3,
        12.7158,
        1.5895,
        id="logits-pos_weight-3",
    ),
]


@pytest.mark.parametrize(("of", "options", "none", "total", "mean"), PRINTED)
def test_losses(of: Any, options: dict[str, Any], none: Any, total: float, mean: float) -> None:
    loss, function, *arguments = of
    for reduction, printed in (("none", none), ("sum", total), ("mean", mean)):
        for got in both(loss, function, {**options, "reduction": reduction}, *arguments):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, printed, rtol=0, atol=FOUR_DIGITS)


def test_loss_and_gradient_of_five_classes() -> None:
    (value, _) = both(npl.CrossEntropyLoss, F.cross_entropy, {}, LOGITS_5, LABELS_5)
    np.testing.assert_allclose(value, 2.0187, rtol=0, atol=FOUR_DIGITS)
    for f in (npl.CrossEntropyLoss(), F.cross_entropy):
        fused, gradient = npl.value_and_grad(f)(LOGITS_5, LABELS_5)
        assert fused == value
        np.testing.assert_allclose(gradient, GRADIENT_5, rtol=0, atol=FOUR_DIGITS)
    assert LOGITS_5[0, 0] == np.float32(1.1785)  # the tutorial's own version shifts it in place


@pytest.mark.parametrize(
    ("of", "options", "place", "by_hand"),
    [
        # Eight digits of a float32 number: two of its ulp.
        pytest.param(CROSS_ENTROPY, {}, (0,), 1.3132617, id="cross-entropy"),
        pytest.param(BCE, {}, (0, 0), 0.31326166, id="bce"),
    ],
)
def test_first_loss_by_hand(
    of: Any, options: dict[str, Any], place: tuple[int, ...], by_hand: float
) -> None:
    loss, function, *arguments = of
    for losses in both(loss, function, {**options, "reduction": "none"}, *arguments):
        np.testing.assert_allclose(losses[place], by_hand, rtol=2.5e-7)


def test_weighted_mean_by_hand() -> None:
    # By hand from three float32 losses: 0.3641947731375694 has their 24 bits, not its own 53.
    options = {"weight": np.array([1.0, 2.0])}
    for dtype in (np.float32, np.float64):
        for mean in both(
            npl.CrossEntropyLoss, F.cross_entropy, options, LOGITS_2.astype(dtype), LABELS_2
        ):
            np.testing.assert_allclose(mean, 0.3641947731375694, rtol=2.5e-7)
