"""Every example of a docstring gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import npl

MODULES = [
    module.name
    for module in pkgutil.walk_packages(npl.__path__, "npl.")
    if not module.name.startswith("npl.adapters")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    results = doctest.testmod(importlib.import_module(name), optionflags=options)
    assert results.failed == 0
