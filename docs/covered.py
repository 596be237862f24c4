"""The table of what the tape knows, made of its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.special

import npl.autodiff.rules.special  # noqa: F401 (fills the registry)
from npl.autodiff.primitives import METHODS, RULES, Constant, pick, spread, times
from npl.autodiff.tape import Primitive

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
_SHARED = (pick, spread, times)  # what all rules are written with
_OWN, _COMPOSED = "rule of its own", "written with others"


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


def _is_own(rule: Any) -> bool:
    """Whether a rule is a primitive, or a function that sets its arguments in order for one beside it."""
    if isinstance(rule, Primitive):
        return True
    return any(
        isinstance(value, Primitive) and value not in _SHARED for value in _used(rule, rule, set())
    )


def _used(rule: Any, owner: Any, seen: set[int]) -> Iterator[Any]:
    """Yield what a function and the private helpers of its module refer to."""
    code = getattr(rule, "__code__", None)
    if code is None or id(code) in seen:
        return
    seen.add(id(code))
    inner = [one.co_names for one in code.co_consts if hasattr(one, "co_names")]
    for name in [*code.co_names, *(n for names in inner for n in names)]:
        value = rule.__globals__.get(name)
        yield value
        if name.startswith("_") and getattr(value, "__module__", None) == owner.__module__:
            yield from _used(value, owner, seen)
    for cell in rule.__closure__ or ():
        yield cell.cell_contents


def rows() -> dict[str, dict[str, list[str]]]:
    """Return the functions by group, and by how they are known."""
    names = _public_names()
    found: dict[str, dict[str, list[str]]] = {group: {} for group in GROUPS}
    for function, rule in RULES.items():
        if isinstance(function, str):  # an operation of arrays that is no function of NumPy
            continue
        own = names.get(id(function), [f"np.{function.__name__}"])
        how = _OWN if _is_own(rule) else _COMPOSED
        group = _group(function, own[0], rule)
        found.setdefault(group, {}).setdefault(how, []).extend(own)
    for (ufunc, method), rule in METHODS.items():
        name = f"np.{ufunc.__name__}.{method}"
        group = "reductions" if method != "outer" else "elementwise"
        how = _OWN if _is_own(rule) else _COMPOSED
        found[group].setdefault(how, []).append(name)
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
        f"A **{_OWN}** is a formula for the derivative. What is **{_COMPOSED}** is a few lines of other"
        " functions of this page, and has theirs. A **constant** function has a derivative of 0 wherever"
        " it has one: it gives a plain array.",
        "",
    ]
    for group, own in rows().items():
        text += [f"## {GROUPS.get(group) or group.replace('_', ' ').capitalize()}", ""]
        if group == "constant":
            text += [_listed(names) for names in own.values()]
        else:
            text += ["| Derivative | Functions |", "|---|---|"]
            text += [f"| {how} | {_listed(own[how])} |" for how in (_OWN, _COMPOSED) if how in own]
        text.append("")
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
