"""Data sets: the order of the folders, downloads, and what is refused; nothing uses the network."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import re
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from idx_writer import idx_bytes
from lenet import datasets
from lenet.datasets import SOURCES, Source, folders, load, resize
from lenet.idx import DataError
from PIL import Image  # which matplotlib brings

FILES = [
    f"{prefix}-{kind}-ubyte"
    for prefix in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


@pytest.fixture(autouse=True)
def no_folders_of_this_machine(monkeypatch, tmp_path):
    """Point every place that is looked in below `tmp_path`, and cut the network."""
    monkeypatch.delenv("NPL_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))

    def unreachable(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)


def raises(message: str):
    """Expect a DataError of exactly this text."""
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


# What is loaded


def test_digits_are_split_once_and_for_all_by_class():
    data = load("digits")
    assert data.train_images.shape == (1437, 1, 32, 32)
    assert data.test_images.shape == (360, 1, 32, 32)
    assert data.train_images.dtype == torch.uint8
    assert data.train_images.max() == 255
    assert torch.equal(load("digits").train_labels, data.train_labels)
    share = data.test_labels.bincount() / (
        data.test_labels.bincount() + data.train_labels.bincount()
    )
    torch.testing.assert_close(share, torch.full((10,), 0.2), rtol=0, atol=0.004)


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
def test_loads_idx_files(tmp_path, write_set, images, labels, compress):
    write_set(tmp_path, compress=compress)
    data = load("mnist", tmp_path, limit=3)
    assert data.name == "mnist"
    assert torch.equal(data.train_images, resize(images[:3]))
    assert data.train_labels.tolist() == labels[:3].tolist()
    assert data.train_labels.dtype == torch.int64
    assert torch.equal(data.test_images, resize(images))  # the limit is for training alone


@pytest.mark.parametrize("size", [8, 28])
def test_resizes_exactly_as_pillow_does(size):
    images = np.random.default_rng(0).integers(0, 256, (20, size, size), dtype=np.uint8)
    expected = [
        np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BILINEAR))
        for one in images
    ]
    resized = resize(images)
    assert resized.shape == (20, 1, 32, 32)
    np.testing.assert_array_equal(resized[:, 0].numpy(), expected)


def test_resizes_by_hand():
    # Doubling weighs a pixel 3/4 and its neighbour 1/4; at the edge there is none.
    images = np.zeros((1, 16, 16), np.uint8)
    images[0, :, 8:] = 100
    row = resize(images)[0, 0, 5]
    assert row.tolist() == [0] * 15 + [25, 75] + [100] * 15


# Where files are looked for


def test_folders_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("NPL_DATA_DIR", str(tmp_path / "env"))
    cache = tmp_path / "xdg" / "npl"
    assert folders(tmp_path / "given") == [tmp_path / "given", tmp_path / "env", cache]
    assert folders(None) == [tmp_path / "env", cache]
    monkeypatch.delenv("NPL_DATA_DIR")
    assert folders(None) == [cache]


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ".cache/npl"),
        ("darwin", "Library/Caches/npl"),
        ("win32", "local/npl/cache"),
    ],
)
def test_cache_of_each_platform(monkeypatch, tmp_path, platform, expected):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(datasets.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert folders(None) == [tmp_path / expected]


def test_the_home_folder_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert folders(Path("~/data"))[0] == tmp_path / "data"


def test_the_first_folder_that_has_a_file_is_read(monkeypatch, tmp_path, write_set):
    monkeypatch.setenv("NPL_DATA_DIR", str(tmp_path / "env"))
    places = [
        tmp_path / "xdg" / "npl" / "mnist",
        tmp_path / "env",
        tmp_path / "env" / "mnist",  # a folder of the set's name goes before the folder itself
        tmp_path / "given",
        tmp_path / "given" / "mnist",
    ]
    for label, place in enumerate(places):
        write_set(place, first_label=label)
        assert load("mnist", tmp_path / "given").train_labels[0] == label


# What is refused


def test_refuses_a_label_count_that_does_not_match(tmp_path, write_set):
    write_set(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.zeros(4, np.uint8)))
    with raises(
        f"{path}: found 4 labels, expected 5, one for each image of "
        f"{tmp_path / 'train-images-idx3-ubyte'}. Do the two files belong together?"
    ):
        load("mnist", tmp_path)


def test_refuses_a_label_out_of_range(tmp_path, write_set):
    write_set(tmp_path, first_label=10)
    path = tmp_path / "train-labels-idx1-ubyte"
    with raises(f"{path}: found label 10 at index 0, expected labels from 0 to 9."):
        load("mnist", tmp_path)


@pytest.mark.parametrize("shape", [(5, 28, 27), (5, 32, 32), (0, 28, 28)])
def test_refuses_images_of_another_size(tmp_path, write_set, shape):
    write_set(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(idx_bytes(np.zeros(shape, np.uint8)))
    with raises(f"{path}: found images of shape {shape}, expected (n, 28, 28) with n > 0."):
        load("mnist", tmp_path)


def test_refuses_the_other_set_under_the_same_name(tmp_path, write_set, monkeypatch, images):
    write_set(tmp_path)
    digest = hashlib.md5(idx_bytes(images)).hexdigest()
    monkeypatch.setitem(SOURCES, "fashion-mnist", Source("", dict.fromkeys(FILES, digest)))
    with raises(
        f"{tmp_path / 'train-images-idx3-ubyte'}: found train-images-idx3-ubyte of fashion-mnist, "
        "expected that of mnist. Put each data set into a folder of its own name, or pass --data "
        "fashion-mnist."
    ):
        load("mnist", tmp_path)


# Downloads


class Mirror:
    """Answers requests with given bytes; records the addresses."""

    def __init__(self, content: dict[str, bytes], claimed_size: int | None = None) -> None:
        self.content, self.claimed_size, self.urls = content, claimed_size, []

    def __call__(self, url, timeout):
        self.urls.append(url)
        body = self.content[url.rpartition("/")[2].removesuffix(".gz")]
        response = io.BytesIO(body)
        response.headers = {"Content-Length": str(self.claimed_size or len(body))}
        return response


@pytest.fixture
def contents(images, labels) -> dict[str, bytes]:
    """The four files, uncompressed."""
    return {file: idx_bytes(images if "images" in file else labels) for file in FILES}


@pytest.fixture
def published(monkeypatch, contents):
    """Have the mirror of "mnist" promise the small files."""
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in contents.items()}
    monkeypatch.setitem(SOURCES, "mnist", Source("https://example.org/mnist/", md5))


def test_published_addresses_and_checksums():
    assert SOURCES["mnist"].url == "https://ossci-datasets.s3.amazonaws.com/mnist/"
    assert SOURCES["fashion-mnist"].url == (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    )
    digests = [digest for source in SOURCES.values() for digest in source.md5.values()]
    assert all(list(source.md5) == FILES for source in SOURCES.values())
    assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in digests)
    assert len(set(digests)) == 8


@pytest.mark.usefixtures("published")
def test_downloads_once_into_the_first_folder(tmp_path, monkeypatch, contents, labels):
    mirror = Mirror({file: gzip.compress(content) for file, content in contents.items()})
    monkeypatch.setattr(urllib.request, "urlopen", mirror)
    data = load("mnist", tmp_path / "data")
    assert data.train_labels.tolist() == labels.tolist()
    assert mirror.urls == [f"https://example.org/mnist/{file}.gz" for file in FILES]
    names = sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir())
    assert names == sorted(f"{file}.gz" for file in FILES)  # and no temporary file
    load("mnist", tmp_path / "data")
    assert len(mirror.urls) == 4


def test_without_a_network_says_what_to_put_where(tmp_path):
    url = "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz"
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    with raises(
        f"train-images-idx3-ubyte.gz: cannot download {url} (no route to host). Is there a "
        f"network? To put the file in place by hand, fetch it elsewhere and save it as {path}, or "
        "pass the folder that holds it as --data-dir."
    ):
        load("mnist", tmp_path)
    assert not (tmp_path / "mnist").exists()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError("timed out"), "timed out"),
        (http.client.RemoteDisconnected("closed"), "closed"),
        (urllib.error.HTTPError("", 404, "Not Found", None, None), "HTTP Error 404: Not Found"),
    ],
)
def test_a_failing_mirror_is_said_with_its_reason(tmp_path, monkeypatch, error, text):
    def fail(url, timeout):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(DataError, match=re.escape(f"{FILES[0]}.gz ({text}). Is there a network?")):
        load("mnist", tmp_path)


@pytest.mark.usefixtures("published")
def test_a_wrong_checksum_leaves_nothing_behind(tmp_path, monkeypatch, images):
    other = idx_bytes(images[:4])
    monkeypatch.setattr(urllib.request, "urlopen", Mirror({FILES[0]: gzip.compress(other)}))
    with raises(
        f"https://example.org/mnist/{FILES[0]}.gz: found content of md5 "
        f"{hashlib.md5(other).hexdigest()}, expected {SOURCES['mnist'].md5[FILES[0]]}. Nothing was "
        "saved. Try again; if it stays so, the mirror has changed: pass a trusted copy as "
        "--data-dir."
    ):
        load("mnist", tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.usefixtures("published")
def test_a_broken_connection_leaves_nothing_behind(tmp_path, monkeypatch, contents):
    half = gzip.compress(contents[FILES[0]])[:50]
    monkeypatch.setattr(urllib.request, "urlopen", Mirror({FILES[0]: half}, claimed_size=1000))
    with pytest.raises(DataError, match="the connection broke after 50 of 1000 bytes"):
        load("mnist", tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.usefixtures("published")
def test_a_failing_rename_leaves_nothing_behind(tmp_path, monkeypatch, contents):
    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    mirror = Mirror({file: gzip.compress(content) for file, content in contents.items()})
    monkeypatch.setattr(urllib.request, "urlopen", mirror)
    monkeypatch.setattr(Path, "replace", refuse)
    with raises(
        f"{tmp_path / 'mnist' / FILES[0]}.gz: cannot be written (Permission denied). Pass a "
        "writable folder as --data-dir, or set NPL_DATA_DIR to one."
    ):
        load("mnist", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["mnist"]
