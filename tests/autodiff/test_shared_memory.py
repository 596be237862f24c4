"""Gradients are arrays of their own: none shares memory with an argument or with another gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
from npl.autodiff.results import SharedMemory


@pytest.mark.parametrize("seed", range(20))
def test_memory_knows_what_meets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = np.zeros(60)

    apart = [np.zeros(3) for _ in range(4)]

    def part() -> Any:
        start, length = rng.integers(0, 50), rng.integers(0, 10)
        return whole[start : start + length][:: rng.choice([1, 2, -1])]

    taken, others = SharedMemory(), []
    for i in rng.permutation(36):
        # Views, arrays of their own, and the one that the views are of; some twice.
        array = part() if i < 24 else whole if i < 26 else apart[i % 4]
        meets = any(np.may_share_memory(array, other) for other in others)
        assert taken.holds_some_of(array) == meets
        taken.add(array)
        others.append(array)
    assert not taken.holds_some_of(np.zeros(3))


def test_views_are_copied() -> None:
    x, both = np.ones((3, 2)), np.ones(4)
    nest = {"x": x, "again": x, "first": both[:2], "last": both[2:]}

    def f(nest: Any) -> Any:
        return np.sum(nest["x"] + nest["again"]) + np.sum(nest["first"] + nest["last"])

    gradient = npl.grad(f)(nest)
    for name, own in gradient.items():
        np.testing.assert_array_equal(own, 1)
        own += 1
        assert all((other == 1).all() for key, other in gradient.items() if key > name)
        own -= 1
    assert (x == 1).all()
    assert (both == 1).all()
    identity = npl.vjp(lambda x: x, x)[1]
    cotangent = np.ones((3, 2))
    assert not np.may_share_memory(identity(cotangent)[0], cotangent)


def test_a_nest_of_many_arrays_takes_time_in_proportion() -> None:
    import timeit

    def seconds(count: int) -> float:
        nest = [np.ones(2) for _ in range(count)]
        return min(timeit.repeat(lambda: npl.grad(npl.L2Penalty())(nest), number=1, repeat=5))

    seconds(2)
    assert seconds(800) < 40 * seconds(80)  # 100 times as many pairs
