"""Cutting a pass into blocks, and the small pool of threads that runs them.

NumPy releases the GIL inside its loops, so blocks run side by side. What a block computes never depends
on who runs it, and partial results are kept by block, so results are the same, bit for bit, for any
number of threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np

Block: TypeAlias = tuple[slice, ...]
T = TypeVar("T")

# Elements of one block: its handful of temporaries stays in a core's second-level cache (1 to 2 MiB).
BLOCK_ELEMENTS = 1 << 16
# A hand-over to another thread costs about 50 µs, less than half of what such a block takes: so two
# blocks are already worth a second thread, and one block is never cut for it.


def blocks(lead: tuple[int, ...], row_elements: int) -> list[Block]:
    """Cut the index space `lead` into blocks of about `BLOCK_ELEMENTS` elements.

    Parameters
    ----------
    lead : tuple of int
        The shape to cut; a row of `row_elements` elements hangs on each of its points.
    row_elements : int
        Elements per point, never cut.

    Returns
    -------
    list of tuple of slice
        Blocks in C order; one slice per axis of `lead`. They depend on the shape alone.
    """
    rows = max(1, BLOCK_ELEMENTS // max(1, row_elements))
    axis, inner = len(lead) - 1, 1
    while axis > 0 and inner * lead[axis] <= rows:
        inner *= lead[axis]
        axis -= 1
    pieces = -(-lead[axis] // max(1, rows // max(1, inner)))
    step = max(1, -(-lead[axis] // max(1, pieces)))  # of even size, so that threads end together
    whole = tuple(slice(0, size) for size in lead[axis + 1 :])
    cut = [slice(i, min(i + step, lead[axis])) for i in range(0, lead[axis], step)]
    outer = [[slice(i, i + 1) for i in range(size)] for size in lead[:axis]]
    return [(*point, part, *whole) for *point, part in itertools.product(*outer, cut)]


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _initial_threads() -> int:
    text = os.environ.get("NPL_NUM_THREADS", "")
    if not text:
        return _available_cpus()
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"NPL_NUM_THREADS is {text!r}; it must be a whole number of at least 1.")
    return int(text)


class _Pool:
    """The number of threads and, once it is needed, the executor behind it."""

    def __init__(self) -> None:
        self.threads = _initial_threads()
        self.reset()

    def reset(self) -> None:
        """Forget the executor: its threads do not survive a fork, and neither does a held lock."""
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def resize(self, threads: int) -> None:
        # The old executor is not shut down: a pass in another thread may be about to use it. Its idle
        # threads end when the last such pass lets go of it.
        with self._lock:
            self._executor, self.threads = None, threads

    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max(1, self.threads - 1), thread_name_prefix="npl")
            return self._executor


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.reset)


def set_num_threads(threads: int) -> None:
    """Set how many threads a pass over a large input may use, the calling one included.

    Parameters
    ----------
    threads : int
        At least 1. The start value is `NPL_NUM_THREADS`, or else the number of CPUs that the process may
        use. Results do not depend on it, bit for bit.

    Examples
    --------
    >>> import npl
    >>> npl.set_num_threads(2)
    >>> npl.get_num_threads()
    2
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(f"set_num_threads: threads is {threads!r}; it must be an int of at least 1.")
    _pool.resize(threads)


def get_num_threads() -> int:
    """Return how many threads a pass over a large input may use."""
    return _pool.threads


def run(parts: list[Block], work: Callable[[Block], T], *, serial: bool = False) -> list[T]:
    """Call `work` on every block and return the results in the order of the blocks.

    Floating-point warnings are off inside: a kernel's limits (log 0, 0/0 to be repaired) are its own
    business. An error is raised after all blocks have ended; the one of the first block wins.
    """
    helpers = 0 if serial else max(0, min(_pool.threads, len(parts)) - 1)
    results: dict[int, T] = {}
    errors: dict[int, Exception] = {}
    ticket = itertools.count()

    def worker() -> None:
        with np.errstate(all="ignore"):
            while (i := next(ticket)) < len(parts):
                try:
                    results[i] = work(parts[i])
                except Exception as error:
                    errors[i] = error

    futures = [_pool.executor().submit(worker) for _ in range(helpers)]
    worker()
    for future in futures:
        if not future.cancel():  # one that never started has nothing left to do
            future.result()
    if errors:
        raise errors[min(errors)]
    return [results[i] for i in range(len(parts))]
