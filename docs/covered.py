"""The table of what the tape knows, made of its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.special

import npl.autodiff.rules.special  # noqa: F401 (fills the registry)
from npl.autodiff.registry import METHODS, RULES, Constant

# How functions are grouped: by the module of `npl.autodiff.rules` that has their rule. One that is not
# here is a group of its own name, at the end.
GROUPS = {
    "elementwise": "Elementwise",
    "reductions": "Reductions",
    "without_nan": "Reductions without NaN",
    "linear_algebra": "Linear algebra",
    "shapes": "Shapes",
    "selection": "Selection",
    "special": "`scipy.special`",
    "numerical": "Differences, interpolation, moments",
    "constant": "Constant",
}
_HOME = dict.fromkeys(["einsum", "norms", "products"], "linear_algebra")  # who share a group


def _public_names() -> dict[int, list[str]]:
    """Return what users call NumPy's and SciPy's functions, by identity: some have several names."""
    names: dict[int, list[str]] = {}
    for prefix, module in {
        "np": np,
        "np.linalg": np.linalg,
        "scipy.special": scipy.special,
    }.items():
        for name, value in vars(module).items():
            if callable(value) and not isinstance(value, type) and not name.startswith("_"):
                names.setdefault(id(value), []).append(f"{prefix}.{name}")
    return names


def _parts(rule: Any) -> Iterator[Any]:
    """Yield the Python functions that a rule consists of."""
    yield from getattr(rule, "rules", ())
    yield from getattr(rule, "derivatives", ())
    yield getattr(rule, "variadic", None)
    yield rule


def _group(function: Any, name: str, rule: Any) -> str:
    if isinstance(rule, Constant):
        return "constant"
    if name.startswith("scipy.special"):
        return "special"
    for part in _parts(rule):
        module = str(getattr(part, "__module__", "")).rpartition(".")
        if module[0] == "npl.autodiff.rules":
            return _HOME.get(module[2], module[2])
    return "elementwise" if isinstance(function, np.ufunc) else "shapes"


def rows() -> dict[str, list[str]]:
    """Return the functions by group."""
    names = _public_names()
    found: dict[str, list[str]] = {group: [] for group in GROUPS}
    for function, rule in RULES.items():
        if isinstance(function, str):  # an operation of arrays that is no function of NumPy
            continue
        own = names.get(id(function), [f"np.{function.__name__}"])
        found.setdefault(_group(function, own[0], rule), []).extend(own)
    for ufunc, method in METHODS:
        group = "reductions" if method != "outer" else "elementwise"
        found[group].append(f"np.{ufunc.__name__}.{method}")
    return found


def missing() -> tuple[list[str], list[str]]:
    """Return the ufuncs of floats in NumPy, and the functions of `np.linalg`, that have no rule."""
    names = _public_names()
    ufuncs = [
        names[id(value)][0]
        for value in _distinct(vars(np).values())
        if isinstance(value, np.ufunc) and value not in RULES and any("d" in t for t in value.types)
    ]
    linalg = [
        f"np.linalg.{name}"
        for name in np.linalg.__all__
        if callable(value := getattr(np.linalg, name))
        and not isinstance(value, type)
        and value not in RULES
    ]
    return sorted(ufuncs), sorted(linalg)


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({id(value): value for value in values}.values())


def page() -> str:
    """Return the page in Markdown."""
    text = [
        "# What is covered",
        "",
        "The functions of NumPy and SciPy that [the transforms](transforms.md) follow, made of the rules"
        " in `npl.autodiff.rules`. Operators, indexing and the methods of arrays (`x.sum()`, `x.T`,"
        " `x.astype(...)`) work as the functions do, and so do [NPL's losses](losses/index.md) and"
        " `npl.special`. A function that is not here raises; [a line adds it](rules.md).",
        "",
        "A **constant** function has a derivative of 0 wherever it has one: it gives a plain array.",
        "",
    ]
    for group, own in rows().items():
        title = GROUPS.get(group) or group.replace("_", " ").capitalize()
        text += [f"## {title}", "", _listed(own), ""]
    ufuncs, linalg = missing()
    text += [
        "## Not covered",
        "",
        f"Of NumPy's ufuncs of floats: {_listed(ufuncs) or 'none'}; of `np.linalg`:"
        f" {_listed(linalg) or 'none'}; all of `np.fft`, and complex numbers.",
        "",
    ]
    return "\n".join(text)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
