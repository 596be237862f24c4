"""Content of IDX files, for the tests to write."""

from __future__ import annotations

import struct

import numpy as np


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    """Return the content of an IDX file with the elements of `array`, as bytes of type `code`."""
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.tobytes()
