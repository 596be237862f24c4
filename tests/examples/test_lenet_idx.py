"""The IDX reader: what it reads, and what it says about files that are not right."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from idx_writer import idx_bytes
from lenet.idx import DataError, parse_idx, read_bytes


@pytest.mark.parametrize("suffix", ["", ".gz"], ids=["plain-name", "gz-name"])
@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_reads_plain_and_gzip_whatever_the_suffix(tmp_path, images, suffix, compress):
    path = tmp_path / f"images{suffix}"
    content = idx_bytes(images)
    path.write_bytes(gzip.compress(content) if compress else content)
    array = parse_idx(read_bytes(path), 3, "images")
    np.testing.assert_array_equal(array, images)
    assert array.dtype == np.uint8


FIVE = np.arange(5, dtype=np.uint8)
FAULTS = {
    "no-header": (
        b"\0\0\x08",
        1,
        "labels: found 3 bytes, expected at least the 8 of an IDX header with 1 dimension. "
        "Was a download cut short?",
    ),
    "web-page": (
        b"<!DOCTYPE html><html>",
        1,
        "labels: found magic number 0x3c21444f, expected 0x00000801. This is no IDX file; did a "
        "web page get saved in its place?",
    ),
    "unknown-type": (
        idx_bytes(FIVE, code=0x0A),
        1,
        "labels: found magic number 0x00000a01, expected 0x00000801. This is no IDX file; did a "
        "web page get saved in its place?",
    ),
    "float32": (
        idx_bytes(FIVE.astype(">f4"), code=0x0D),
        1,
        "labels: found element type 0x0d (float32), expected 0x08 (uint8).",
    ),
    "labels-for-images": (
        idx_bytes(np.zeros(100, np.uint8)),
        3,
        "labels: found 1 dimension, expected 3. Do images and labels stand under each other's "
        "names?",
    ),
    "images-for-labels": (
        idx_bytes(np.zeros((1, 28, 28), np.uint8)),
        1,
        "labels: found 3 dimensions, expected 1. Do images and labels stand under each other's "
        "names?",
    ),
    "truncated": (
        idx_bytes(FIVE)[:-2],
        1,
        "labels: found 11 bytes, expected 13 for the shape (5,) that its header states. The file "
        "is truncated; delete it and fetch it again.",
    ),
    "extra-bytes": (
        idx_bytes(FIVE) + b"\n",
        1,
        "labels: found 14 bytes, expected 13 for the shape (5,) that its header states. The file "
        "is too long; delete it and fetch it again.",
    ),
}


@pytest.mark.parametrize(("content", "ndim", "message"), FAULTS.values(), ids=FAULTS)
def test_refuses_by_name(content, ndim, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        parse_idx(content, ndim, "labels")


def test_refuses_a_header_that_promises_more_than_memory_holds():
    content = b"\0\0\x08\x03" + b"\xff" * 12 + b"\0" * 100
    with pytest.raises(DataError, match="found 116 bytes, expected 79228162458924105385300197391"):
        parse_idx(content, 3, "images")


def corrupt(content: bytes) -> bytes:
    """Return gzip bytes with a wrong checksum."""
    return content[:-8] + bytes(4) + content[-4:]


GZIP_FAULTS = {
    "truncated": (lambda raw: raw[:-9], r"a gzip stream that breaks off after \d+ bytes"),
    "checksum": (corrupt, r"a corrupt gzip stream \(CRC check failed.*\)"),
    "no-deflate": (lambda raw: raw[:10] + b"\xff" * 30, r"a corrupt gzip stream \(Error -3 .*\)"),
    "trailing": (lambda raw: raw + b"tail", r"a corrupt gzip stream \(Not a gzipped file .*\)"),
}


@pytest.mark.parametrize(("fault", "found"), GZIP_FAULTS.values(), ids=GZIP_FAULTS)
def test_refuses_a_broken_gzip_by_name(tmp_path: Path, fault, found):
    path = tmp_path / "labels.gz"
    path.write_bytes(fault(gzip.compress(idx_bytes(FIVE))))
    message = (
        f"^{re.escape(str(path))}: found {found}, expected a whole one. "
        r"Was a download cut short\? Fetch it again\.$"
    )
    with pytest.raises(DataError, match=message):
        read_bytes(path)
