"""The derivatives of cosines of pairs of rows, for the losses that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from npl import numerics
from npl.engine.arguments import Array


class Cosines(NamedTuple):
    r"""Cosines whose vectors are divided by their length, or by a floor that it does not reach.

    With $\hat x = x / |x|$, $\hat y = y / |y|$ and $P_x = 1 - \hat x \hat x^T$,

    $$\frac{\partial \cos}{\partial x} = \frac{P_x \hat y}{|x|} = \frac{\hat y - \cos\, \hat x}{|x|} ,
    \qquad d\hat x = \frac{P_x\, dx}{|x|}.$$

    Divided by a floor $\epsilon$ instead, a vector changes freely: $d\hat x = dx / \epsilon$.

    Attributes
    ----------
    angles : npl.numerics.Angles
    lengths : pair of ndarray (n,)
        What each vector is divided by; infinite at a zero vector without a floor, so that its derivatives
        are zero.
    free : pair of ndarray (n,) bool
        Whether that is the floor.
    """

    angles: numerics.Angles
    lengths: tuple[Array, Array]
    free: tuple[Array, Array]

    def value(self) -> Array:
        """Return the cosines, smaller where a floor takes the place of a length."""
        value = self.angles.cosine
        sides = (self.angles.first, self.angles.second)
        for side, length, free in zip(sides, self.lengths, self.free, strict=True):
            if free.any():
                value = np.where(free, value * (side.length / length), value)
        return value

    def units(self) -> tuple[Array, Array]:
        """Return both vectors over what they are divided by."""
        units = []
        sides = (self.angles.first, self.angles.second)
        for side, length, free in zip(sides, self.lengths, self.free, strict=True):
            unit = side.unit
            if free.any():
                unit[free] *= (side.length / length)[free][:, None]
            units.append(unit)
        return units[0], units[1]

    def slope(self, which: int) -> Array:
        """Return the derivative with respect to one vector, times what that is divided by."""
        other = (self.angles.second, self.angles.first)[which]
        # The part of the other vector across this one, with the digits that y - cos x would lose.
        slope = numerics.across(self.angles, swap=which == 1)
        slope /= numerics.no_zero(other.scaled_length)[:, None]
        free = self.free[which]
        if free.any():
            slope[free] = other.unit[free]
        shrunk = self.free[1 - which]
        if shrunk.any():
            slope[shrunk] *= (other.length / self.lengths[1 - which])[shrunk][:, None]
        return slope

    def grad(self, c: Array, out: Sequence[Array | None]) -> None:
        """Write the gradients of `sum(c * cosines)`."""
        for which, along in enumerate(out):
            if along is not None:
                slope = self.slope(which)
                slope /= self.lengths[which][:, None]
                np.multiply(slope, c[:, None], out=along)

    def hvp(self, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]) -> None:
        r"""Write the Hessian of `sum(c * cosines)` times `v`.

        The slope $s_x = P_x \hat y$ over $|x|$ changes along $v$ by

        $$\frac{1}{|x|} \left( P_x\, d\hat y - \cos\, d\hat x - \frac{(s_x \cdot v_x)\, \hat x
        + (\hat x \cdot v_x)\, s_x}{|x|} \right),$$

        in which each projection keeps its digits (`npl.numerics.project_out`).
        """
        units, value = self.units(), self.value()[:, None]
        lengths = [length[:, None] for length in self.lengths]
        held = [(~free)[:, None] for free in self.free]
        relative = [
            None if vector is None else vector / length
            for vector, length in zip(v, lengths, strict=True)
        ]
        turned = [
            None if r is None else np.where(h, numerics.project_out(u, r), r)
            for u, r, h in zip(units, relative, held, strict=True)
        ]
        for which, target in enumerate(out):
            if target is None:
                continue
            product = np.zeros_like(units[which])
            other, own, r = turned[1 - which], turned[which], relative[which]
            if other is not None:
                product += np.where(held[which], numerics.project_out(units[which], other), other)
            if own is not None and r is not None:
                slope = self.slope(which)
                bent = value * own + _dot(slope, r) * units[which] + _dot(units[which], r) * slope
                product -= np.where(held[which], bent, 0)
            product /= lengths[which]
            np.multiply(product, c[:, None], out=target)

    def hessian_diag(self, c: Array, which: int, out: Array) -> None:
        r"""Write the diagonal, $-(\cos (1 - \hat x_i^2) + 2 \hat x_i (P_x \hat y)_i) / |x|^2$."""
        unit, slope = self.units()[which], self.slope(which)
        length = self.lengths[which][:, None]
        diagonal = self.value()[:, None] * numerics.one_minus_squares(unit) + 2 * unit * slope
        diagonal /= -length
        diagonal /= length
        diagonal[self.free[which]] = 0
        np.multiply(diagonal, c[:, None], out=out)


def cosines(x: Array, y: Array, floor: float) -> Cosines:
    """Return the cosines of pairs of rows; `floor` is the least that a vector is divided by."""
    pair = numerics.angles(x, y)
    lengths, free = [], []
    for side in (pair.first, pair.second):
        length = side.length
        short = length < floor
        length = np.where(short, floor, length)
        lengths.append(np.where(length == 0, np.inf, length))
        free.append(short)
    return Cosines(pair, (lengths[0], lengths[1]), (free[0], free[1]))


def _dot(a: Array, b: Array) -> Array:
    dot: Array = (a * b).sum(-1, keepdims=True)
    return dot
