"""Makes the examples importable, and writes small IDX files for them."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
# Scripts are no package: what stands beside one is found through its folder.
sys.path[:0] = [str(HERE.parents[1] / "examples"), str(HERE)]

from idx_writer import idx_bytes  # noqa: E402

NEEDS = ("torch", "sklearn", "matplotlib", "tqdm")
MISSING = [name for name in NEEDS if find_spec(name) is None]
LEFT_OUT = ["test_lenet_datasets.py", "test_lenet_training.py", "test_numpy_examples.py"]
collect_ignore = LEFT_OUT if MISSING else []


def pytest_report_header() -> str | None:
    """Say why tests are missing."""
    return f"tests/examples: left out, without {', '.join(MISSING)}" if MISSING else None


@pytest.fixture
def images() -> np.ndarray:
    """Five images of 28x28."""
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    """Labels of the five images."""
    return np.array([3, 0, 9, 1, 1], np.uint8)


@pytest.fixture
def write_set(images: np.ndarray, labels: np.ndarray) -> Callable[..., None]:
    """Return a function that writes a whole data set into a folder."""

    def write(folder: Path, *, compress: bool = False, first_label: int = 3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ours = labels.copy()
        ours[0] = first_label
        for prefix in ("train", "t10k"):
            for name, array in (("images-idx3", images), ("labels-idx1", ours)):
                path = folder / f"{prefix}-{name}-ubyte"
                content = idx_bytes(array)
                if compress:
                    path, content = path.with_name(f"{path.name}.gz"), gzip.compress(content)
                path.write_bytes(content)

    return write
