"""The peak of memory that one step of a contestant takes.

NumPy tells tracemalloc of its memory, and torch tells its profiler. The adapter uses both: its two peaks
are added, though they need not fall together, so that what is reported is never too little. Memory that
the C++ of torch or of its libraries takes past torch's allocator is not seen.
"""

from __future__ import annotations

import gc
import os
import threading
import tracemalloc

import torch

import npl
from benchmarks.contestants import Contestant

RUNS = 3


def peak_bytes(contestant: Contestant, device: str) -> int:
    """Return the peak of a step, the gradient included; on a GPU that of its own memory."""
    contestant.release()
    gc.collect()
    if device == "cuda":
        return _cuda_peak(contestant)
    return _numpy_peak(contestant) + torch_peak(contestant)


def _cuda_peak(contestant: Contestant) -> int:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    contestant.step()
    contestant.release()
    return torch.cuda.max_memory_allocated() - before


def _numpy_peak(contestant: Contestant) -> int:
    """Return the peak of NumPy's memory, in threads that start from nothing.

    NPL's threads keep their scratch memory from one pass to the next. In those that were here before, a step
    would seem to need none. Of a few runs the worst counts: in a short pass it is up to chance whether a
    second thread finds work, and then needs memory too.
    """
    peaks: list[int] = []

    def measure() -> None:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            contestant.step()
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
            contestant.release()

    for _ in range(RUNS):
        npl.set_num_threads(npl.get_num_threads())  # with a new pool
        thread = threading.Thread(target=measure)
        thread.start()
        thread.join()
    return max(peaks)


def torch_peak(contestant: Contestant) -> int:
    """Return the most bytes that torch holds at once during a step."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or it reports each start and stop on stderr
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        contestant.step()
    contestant.release()
    events = [e for e in profile.kineto_results.events() if e.name() == "[memory]"]
    peak = now = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak
