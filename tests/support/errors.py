"""Rows of what is refused, and the whole text that says so.

A message names the loss or transform, the argument, what came, what was expected and, where it is
evident, the likely fix. The texts are the contract: change them with care for who reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

NAN = float("nan")
ONLY_FLOATS = "it must be float16, float32 or float64."
REALS = "it must be float16, float32, float64, an integer or a boolean."
INTEGERS = "class indices must be integers. Did you mean target.astype(np.int64)?"
REDUCTION_NAMES = "it must be one of 'none', 'mean', 'sum', 'batchmean'."
COLUMNS = "Does the input have a column for every class?"
FROM_1 = "Are your labels counted from 1? Did you mean target - 1?"


def assert_raises(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text
    assert caught.value.__cause__ is None  # nothing of the engine's own troubles in the traceback


def row(function: Any, *args: Any, says: str, raises: Any = ValueError, **k: Any) -> Any:
    """Return one row: a call, and the error it must raise."""
    name = getattr(function, "__name__", "loss")
    return pytest.param(lambda: function(*args, **k), raises, says, id=f"{name}: {says[:72]}")


def with_value(array: Any, index: Any, value: Any) -> Any:
    array = array.copy()
    array[index] = value
    return array


def shape_row(function: Any, loss: str, own: Any, other: Any, wanted: str) -> Any:
    says = f"target has shape {np.shape(other)}; for input {np.shape(own)} it must be {wanted}"
    return row(function, own, other, says=f"{loss}: {says}")


def label_row(function: Any, loss: str, input: Any, target: Any, says: str, **k: Any) -> Any:
    return row(function, input, np.array(target), raises=IndexError, says=f"{loss}: {says}", **k)
