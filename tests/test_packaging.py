"""What a user installs: the wheel, its requirements, and what `import npl` brings along."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest depends on tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources, so that no build/ of the checkout gets into it."""
    caches = shutil.ignore_patterns("__pycache__")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in ("npl", "adapters", "tests", "examples", "benchmarks"):
        shutil.copytree(ROOT / folder, source / folder, ignore=caches)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run([*command, "-w", out, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel):
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def python(code, unpacked):
    """Run `code` where `npl` is the wheel's, away from the checkout; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_package_list_is_complete():
    found = set()
    for package, folder in SETUPTOOLS["package-dir"].items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([package, *init.parent.relative_to(ROOT / folder).parts]))
    assert set(SETUPTOOLS["packages"]) == found, "mend [tool.setuptools] packages in pyproject.toml"


def test_every_module_lies_in_a_package():
    """A folder of modules without __init__.py would be left out of the wheel without a word."""
    for folder in SETUPTOOLS["package-dir"].values():
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), module.relative_to(ROOT)


def test_top_level_is_npl_alone(names):
    top = {PurePosixPath(name).parts[0] for name in names}
    assert top == {"npl", "npl_losses-0.1.0.dist-info"}


def test_wheel_holds_every_module_and_nothing_else(names):
    expected = {"npl/py.typed"}
    for package, folder in SETUPTOOLS["package-dir"].items():
        prefix = PurePosixPath(*package.split("."))
        for module in (ROOT / folder).rglob("*.py"):
            expected.add(str(prefix / module.relative_to(ROOT / folder).as_posix()))
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert "npl/adapters/torch/__init__.py" in expected


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        info = "npl_losses-0.1.0.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        licence = archive.read(f"{info}/licenses/LICENSE").decode()
    assert metadata["Name"] == "npl-losses"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert "the NPL authors" in licence
    core = [need for need in metadata.get_all("Requires-Dist") if "extra ==" not in need]
    assert core == ["numpy>=2.0", "scipy>=1.12"]
    assert set(metadata.get_all("Provides-Extra")) == {"torch", "examples", "test", "docs", "lint"}


def test_importing_npl_imports_no_framework(unpacked):
    code = (
        "import sys, npl, npl.functional, npl.numerics\n"
        "print(npl.__file__)\n"
        "heavy = {'torch', 'matplotlib', 'sklearn', 'npl.adapters'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    file, loaded = python(code, unpacked).splitlines()
    assert Path(file).is_relative_to(unpacked)
    assert loaded == "[]"


def test_torch_adapter_is_imported_from_inside_npl(unpacked):
    pytest.importorskip("torch")
    code = (
        "import importlib.util, npl.adapters.torch as adapter\n"
        "print(adapter.__file__)\n"
        "print(importlib.util.find_spec('adapters'))"
    )
    file, top_level = python(code, unpacked).splitlines()
    assert Path(file).is_relative_to(unpacked / "npl" / "adapters")
    assert top_level == "None"
