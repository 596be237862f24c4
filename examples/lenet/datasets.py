"""Images and labels as tensors in memory: digits, MNIST and Fashion-MNIST, as 32x32 grey images.

`digits` comes with scikit-learn. The other two are IDX files, looked for in this order, each folder
as it is and its subfolder of the data set's name:

1. ``--data-dir``
2. ``$NPL_DATA_DIR``
3. the user's cache, such as ``~/.cache/npl``

What none of them holds is downloaded into the first one that is set.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .download import download
from .idx import DataError, parse_idx, read_bytes

__all__ = ["DATASETS", "Dataset", "Source", "folders", "load", "resize"]

logger = logging.getLogger("lenet")

SIZE = 32
CLASSES = 10


@dataclass(frozen=True)
class Source:
    """Where an IDX data set is published, and the md5 of its uncompressed files."""

    url: str
    md5: dict[str, str]


SOURCES = {
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion-mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}
DATASETS = ("digits", *SOURCES)


@dataclass(frozen=True)
class Dataset:
    """Training and test images, uint8 of shape (n, 1, 32, 32), with labels, int64 of shape (n,)."""

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device) -> Dataset:
        """Return the data set on `device`."""
        return Dataset(
            self.name,
            self.train_images.to(device),
            self.train_labels.to(device),
            self.test_images.to(device),
            self.test_labels.to(device),
        )


def load(name: str, data_dir: Path | None = None, limit: int | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist"}
    data_dir : Path, optional
        Folder to look in first, and to download to.
    limit : int, optional
        Keep the first so many training samples; the test set stays whole.

    Raises
    ------
    DataError
        A file is not what it must be, or can be neither found nor downloaded.
    """
    if name == "digits":
        train, test = _digits()
    else:
        where = folders(data_dir)
        train, test = (_idx_split(name, prefix, where) for prefix in ("train", "t10k"))
    (train_images, train_labels), (test_images, test_labels) = train, test
    return Dataset(
        name,
        resize(train_images[:limit]),
        torch.from_numpy(train_labels[:limit].astype(np.int64)),
        resize(test_images),
        torch.from_numpy(test_labels.astype(np.int64)),
    )


def resize(images: np.ndarray) -> Tensor:
    """Resize uint8 images (n, h, w) to (n, 1, 32, 32), bilinearly, rounded to uint8 once.

    On uint8, torch's interpolation is bit for bit what Pillow does, and so what torchvision's
    ``Resize`` makes of the same image.
    """
    tensor = torch.from_numpy(np.array(images)).unsqueeze(1)  # a copy: files are read-only
    return F.interpolate(
        tensor, size=(SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True
    )


def folders(data_dir: Path | None) -> list[Path]:
    """Return the folders to look in, in order; the first is also where a download goes."""
    chosen = [] if data_dir is None else [data_dir]
    if os.environ.get("NPL_DATA_DIR"):
        chosen.append(Path(os.environ["NPL_DATA_DIR"]))
    return [folder.expanduser() for folder in [*chosen, _user_cache()]]


def _user_cache() -> Path:
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "npl"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "npl"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "npl" / "cache"
    return Path.home() / ".cache" / "npl"


def _digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Scikit-learn's 1797 digits of 8x8, with one fixed stratified split, whatever the seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    # 17 grey levels, 0 to 16, on the scale of the other data sets.
    images = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    train_images, test_images, train_labels, test_labels = parts
    return (train_images, train_labels), (test_images, test_labels)


def _idx_split(name: str, prefix: str, where: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the training files (prefix "train") or the test files ("t10k")."""
    images_path, images = _idx_file(name, f"{prefix}-images-idx3-ubyte", 3, where)
    labels_path, labels = _idx_file(name, f"{prefix}-labels-idx1-ubyte", 1, where)
    if len(images) == 0 or images.shape[1:] != (28, 28):
        raise DataError(
            f"{images_path}: found images of shape {images.shape}, expected (n, 28, 28) with n > 0."
        )
    if len(labels) != len(images):
        raise DataError(
            f"{labels_path}: found {len(labels)} labels, expected {len(images)}, one for each "
            f"image of {images_path}. Do the two files belong together?"
        )
    if labels.max() >= CLASSES:
        first = int(np.argmax(labels >= CLASSES))
        raise DataError(
            f"{labels_path}: found label {labels[first]} at index {first}, expected labels from 0 "
            f"to {CLASSES - 1}."
        )
    return images, labels


def _idx_file(name: str, file: str, ndim: int, where: list[Path]) -> tuple[Path, np.ndarray]:
    path = find(name, file, where)
    if path is None:
        source = SOURCES[name]
        path = where[0] / name / f"{file}.gz"
        download(source.url + path.name, path, source.md5[file])
    logger.debug("%s", path)
    content = read_bytes(path)
    _refuse_namesake(path, content, name, file)
    return path, parse_idx(content, ndim, str(path))


def find(name: str, file: str, where: list[Path]) -> Path | None:
    """Return the first of the places in which `file` stands, plain or compressed, or None."""
    for folder in where:
        # The subfolder first: only there does the path tell MNIST from Fashion-MNIST.
        for candidate in (folder / name / file, folder / file):
            for path in (candidate, candidate.with_name(f"{file}.gz")):
                if path.is_file():
                    return path
    return None


def _refuse_namesake(path: Path, content: bytes, name: str, file: str) -> None:
    """Refuse one data set's file in place of another's, as all of them use the same file names."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    for other, source in SOURCES.items():
        if other != name and digest == source.md5[file]:
            raise DataError(
                f"{path}: found {file} of {other}, expected that of {name}. Put each data set into "
                f"a folder of its own name, or pass --data {other}."
            )
