"""One file from the network: with a progress bar, a checksum, and all or nothing on disk."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import urllib.request
from pathlib import Path

from tqdm import tqdm

from .idx import DataError, unzip

__all__ = ["download"]

logger = logging.getLogger("lenet")

_TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 16


def download(url: str, path: Path, md5: str) -> None:
    """Download a gzip file.

    Parameters
    ----------
    url : str
        Where the file is published.
    path : Path
        Where it is to stand. It appears there whole and checked, or not at all.
    md5 : str
        Checksum of the *uncompressed* content, which stays the same when a mirror compresses anew.

    Raises
    ------
    DataError
        The file cannot be fetched, cannot be written, or is not the published one.
    """
    logger.info("%s not found; downloading %s", path.name, url)
    try:
        content = _fetch(url)
    except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
        reason = str(error).removeprefix("<urlopen error ").removesuffix(">")
        raise DataError(
            f"{path.name}: cannot download {url} ({reason}). Is there a network? To put the file "
            f"in place by hand, fetch it elsewhere and save it as {path}, or pass the folder that "
            "holds it as --data-dir."
        ) from error
    found = hashlib.md5(unzip(content, url), usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(
            f"{url}: found content of md5 {found}, expected {md5}. Nothing was saved. Try again; "
            "if it stays so, the mirror has changed: pass a trusted copy as --data-dir."
        )
    try:
        _write(path, content)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}). Pass a writable folder as --data-dir, "
            "or set NPL_DATA_DIR to one."
        ) from error


def _fetch(url: str) -> bytes:
    """Content behind `url`; in memory, for the largest file has 26 MB."""
    chunks = []
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        size = int(response.headers.get("Content-Length") or 0)
        bar = tqdm(
            total=size or None,
            desc=url.rpartition("/")[2],
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,  # unless on a terminal
        )
        with bar:
            while chunk := response.read(_CHUNK):
                chunks.append(chunk)
                bar.update(len(chunk))
    content = b"".join(chunks)
    if len(content) < size:
        raise ConnectionError(f"the connection broke after {len(content)} of {size} bytes")
    return content


def _write(path: Path, content: bytes) -> None:
    """Write through a temporary file beside `path`, which one atomic step then renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's, whose files only their owner may read: a data folder is often shared.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)  # atomic: os.replace
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
