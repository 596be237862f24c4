"""Times of several contestants, taken side by side.

After a parallel region torch's OpenMP workers spin for some milliseconds, to be quick at the next one, and
hold their cores meanwhile. Whoever comes within that time on as many threads shares these cores with them.
Nothing here waits for the spinning to end, nor turns it off: a loss inside a training step, which is what
these times stand for, comes right after torch's layers and right before their backward pass. It does
burden NPL more than torch, whose own workers are those that spin; alone in its process NPL is faster.

On a machine that is busy with other work the contrary holds: every parallel region of torch waits for the
last of its workers, milliseconds if that one has no core. So measure on a quiet machine; where other
processes took part of it, the table marks the row.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.contestants import Contestant

WARM_UP_ROUNDS = 3
SHORTEST_SHARE_SECONDS = 0.5  # the system counts in ticks of 10 ms: over less they say little
CPU_STATE = Path("/proc/stat")


class Timing(NamedTuple):
    """The median seconds of a step by contestant, and how they were come by."""

    seconds: dict[str, float]
    rounds: int
    others_share: (
        float | None
    )  # of all cores, what other processes took; None where that is not known


class OthersClock:
    """Tells what share of the machine other processes have taken since it was made (on Linux)."""

    def __init__(self) -> None:
        self._start = self._read()

    def share(self) -> float | None:
        """Return the share of all cores' time, or None where it is not known."""
        now = self._read()
        if now is None or self._start is None:
            return None
        wall, others = (b - a for a, b in zip(self._start, now, strict=True))
        if wall < SHORTEST_SHARE_SECONDS:
            return None
        return min(1.0, max(0.0, others / (wall * (os.cpu_count() or 1))))

    @staticmethod
    def _read() -> tuple[float, float] | None:
        """Return the time, and the seconds for which cores have been busy with other processes."""
        try:
            fields = CPU_STATE.read_text().splitlines()[0].split()
        except OSError:
            return None
        user, nice, system, _idle, _waiting, *interrupts = (int(field) for field in fields[1:9])
        busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
        own = os.times()
        return time.perf_counter(), busy - own.user - own.system


def median_seconds(contestants: Mapping[str, Contestant], seconds: float) -> Timing:
    """Return each contestant's median time of one step.

    In a round each makes one step. The rounds go through all orders of the contestants, so that everybody
    comes after everybody else equally often.

    Parameters
    ----------
    contestants : mapping of str to Contestant
    seconds : float
        How long to go on; all orders are gone through once in any case.
    """
    orders = list(itertools.permutations(contestants))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(WARM_UP_ROUNDS):
        for contestant in contestants.values():
            contestant.step()
            contestant.release()
    gc.collect()
    gc.disable()  # a collection would be charged to whoever happens to set it off
    clock = OthersClock()
    try:
        deadline = time.perf_counter() + seconds
        for done, order in enumerate(itertools.cycle(orders)):
            if done >= len(orders) and time.perf_counter() > deadline:
                break
            for name in order:
                contestant = contestants[name]
                start = time.perf_counter()
                contestant.step()
                times[name].append(time.perf_counter() - start)
                contestant.release()
    finally:
        gc.enable()
    medians = {name: statistics.median(own) for name, own in times.items()}
    return Timing(medians, done, clock.share())
