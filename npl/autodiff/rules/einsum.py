"""`np.einsum`: the gradient of an operand is an einsum of the cotangent with the others."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, spread
from npl.autodiff.registry import composed
from npl.autodiff.rules.selection import scatter


def _parse(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """Return the subscripts of the operands and of the result, with the ellipsis spelt out."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    free = [letter for letter in string.ascii_letters if letter not in subscripts]
    extra = [
        len(shape) - len(term.replace("...", "")) if "..." in term else 0
        for term, shape in zip(terms, shapes, strict=True)
    ]
    spelt = "".join(free[: max(extra)])
    terms = [
        term.replace("...", spelt[len(spelt) - count :])
        for term, count in zip(terms, extra, strict=True)
    ]
    if arrow:
        return terms, output.replace("...", spelt)
    letters = "".join(terms)
    once = sorted({c for c in letters if letters.count(c) == 1 and c not in spelt})
    return terms, spelt + "".join(once)


def _rule(
    place: int, ct: Any, ans: Any, *operands: Any, terms: tuple[str, ...], output: str
) -> Any:
    own, shape = terms[place], np.shape(operands[place])
    others = [operand for i, operand in enumerate(operands) if i != place]
    given = [term for i, term in enumerate(terms) if i != place]
    known = set(output).union(*given)
    letters = "".join(dict.fromkeys(own))  # a repeated letter is a diagonal: once, then scattered
    reached = "".join([c for c in letters if c in known])
    sizes = _sizes(terms, operands)
    gradient = _einsum(ct, *others, terms=(output, *given), output=reached)
    # Along what nobody else has, or has at size 1, each element counts once.
    found = dict(zip(reached, gradient.shape, strict=True))
    full = tuple([sizes[c] for c in letters])
    if reached != letters or gradient.shape != full:
        gradient = spread(np.reshape(gradient, tuple([found.get(c, 1) for c in letters])), full)
    stretched = [i for i, c in enumerate(letters) if shape[own.index(c)] == 1 != sizes[c]]
    if stretched:
        gradient = np.sum(gradient, tuple(stretched), keepdims=True)
    if len(letters) == len(own):
        return gradient
    index = np.ix_(*[np.arange(shape[own.index(c)]) for c in letters])
    where = tuple([index[letters.index(c)] for c in own])
    return scatter(gradient, shape, where)


def _sizes(terms: tuple[str, ...], operands: Any) -> dict[str, int]:
    """Return the size along each letter; axes of size 1 are stretched."""
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        for letter, size in zip(term, np.shape(operand), strict=True):
            if sizes.get(letter, 1) == 1:
                sizes[letter] = size
    return sizes


_einsum = Function(
    lambda *operands, terms, output: np.einsum(
        ",".join(terms) + "->" + output, *operands, optimize=len(operands) > 2
    ),
    variadic=_rule,
    name="einsum",
)


@composed(np.einsum)
def _any_form(*operands: Any, optimize: Any = False, **options: Any) -> Any:
    if any(value is not None for value in options.values()):
        raise TypeError(f"npl: np.einsum has no derivative rule beside {', '.join(options)}.")
    if isinstance(operands[0], str):
        subscripts, *arrays = operands
    else:
        subscripts, arrays = _from_lists(operands)
    terms, output = _parse(subscripts, [np.shape(array) for array in arrays])
    return _einsum(*arrays, terms=tuple(terms), output=output)


def _from_lists(operands: Any) -> tuple[str, list[Any]]:
    """Return the string form of `np.einsum(a, [0, 1], b, [1, 2], [0, 2])`."""

    def letters(labels: Any) -> str:
        return "".join(
            ["..." if label is Ellipsis else string.ascii_letters[label] for label in labels]
        )

    pairs = len(operands) // 2
    arrays = [operands[2 * i] for i in range(pairs)]
    inputs = ",".join([letters(operands[2 * i + 1]) for i in range(pairs)])
    return (inputs + "->" + letters(operands[-1]) if len(operands) % 2 else inputs), arrays
