"""What a row of the table of differences says."""

from typing import Any

import numpy as np
import pytest

NAN, INF = float("nan"), float("inf")


def row(name: str, function: str, arguments: Any, theirs: Any, ours: Any, **options: Any) -> Any:
    """One difference: `theirs` and `ours` are (losses, gradient of input), unreduced.

    With `reduction` among the options, the value is reduced. A gradient of None is not looked at.
    """
    options = {"reduction": "none", **options}
    return pytest.param(function, arguments, options, theirs, ours, id=name)


FLOAT32 = np.float32
