"""The IDX format of MNIST and its successors: a magic number, the dimensions, the elements.

The magic number is four bytes: two zeros, the code of the element type, the number of dimensions.
The dimensions follow as big-endian 32-bit integers, the elements in C order. See the end of
http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

__all__ = ["DataError", "parse_idx", "read_bytes"]

_UINT8 = 0x08
_TYPES = {
    _UINT8: "uint8",
    0x09: "int8",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
_GZIP = b"\x1f\x8b"


class DataError(Exception):
    """A data set that cannot be had, or a file that is not what its name says."""


def read_bytes(path: Path) -> bytes:
    """Content of a file, decompressed where it is gzip.

    The first two bytes decide, not the suffix: browsers and mirrors decompress a ``.gz`` on the
    way without renaming it, and no IDX file starts like a gzip file.

    Raises
    ------
    DataError
        The gzip stream is truncated or corrupt.
    """
    raw = path.read_bytes()
    return unzip(raw, str(path)) if raw.startswith(_GZIP) else raw


def unzip(raw: bytes, name: str) -> bytes:
    """Decompress gzip bytes; `name` is what an error calls them."""
    try:
        return gzip.decompress(raw)
    except EOFError:
        found = f"a gzip stream that breaks off after {len(raw)} bytes"
    except (gzip.BadGzipFile, zlib.error) as error:
        found = f"a corrupt gzip stream ({error})"
    raise DataError(
        f"{name}: found {found}, expected a whole one. Was a download cut short? Fetch it again."
    )


def parse_idx(content: bytes, ndim: int, name: str) -> np.ndarray:
    """Array of unsigned bytes held in the content of an IDX file.

    Parameters
    ----------
    content : bytes
        The file, decompressed.
    ndim : int
        Number of dimensions expected: 3 for images, 1 for labels.
    name : str
        What an error calls the file.

    Returns
    -------
    ndarray of uint8
        Read-only view of `content`, in the shape that the file states.

    Raises
    ------
    DataError
        The magic number, the element type, the number of dimensions or the number of bytes is not
        what it must be.
    """
    header = 4 + 4 * ndim
    if len(content) < header:
        raise DataError(
            f"{name}: found {len(content)} bytes, expected at least the {header} of an IDX header "
            f"with {_dimensions(ndim)}. Was a download cut short?"
        )
    zeros, code, found_ndim = struct.unpack(">HBB", content[:4])
    if zeros != 0 or code not in _TYPES:
        raise DataError(
            f"{name}: found magic number 0x{content[:4].hex()}, expected "
            f"0x{_UINT8 << 8 | ndim:08x}. This is no IDX file; did a web page get saved in its "
            "place?"
        )
    if code != _UINT8:
        raise DataError(
            f"{name}: found element type 0x{code:02x} ({_TYPES[code]}), expected "
            f"0x{_UINT8:02x} (uint8)."
        )
    if found_ndim != ndim:
        raise DataError(
            f"{name}: found {_dimensions(found_ndim)}, expected {ndim}. Do images and labels stand "
            "under each other's names?"
        )
    shape = struct.unpack(f">{ndim}I", content[4:header])
    expected = header + math.prod(shape)
    if len(content) != expected:
        fault = "truncated" if len(content) < expected else "too long"
        raise DataError(
            f"{name}: found {len(content)} bytes, expected {expected} for the shape {shape} that "
            f"its header states. The file is {fault}; delete it and fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _dimensions(ndim: int) -> str:
    return f"{ndim} dimension" if ndim == 1 else f"{ndim} dimensions"
