"""A loss of one's own, fitted by SciPy and by PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import robust_regression


def test_both_ways_find_the_line() -> None:
    rows = robust_regression.main(["--samples", "500", "--steps", "5"])
    right = rows["right"]
    np.testing.assert_allclose(rows["robust, by SciPy"], rows["robust, by PyTorch"], atol=1e-4)
    assert np.abs(rows["robust, by SciPy"] - right).max() < 0.05
    assert np.abs(rows["least squares"] - right).max() > 0.5
