"""Cutting a pass into blocks, and the small pool of threads that runs them.

NumPy releases the GIL inside its loops, so blocks run side by side. What a block computes never
depends on who runs it, and partial results are kept by block, so results are the same, bit for bit,
for any number of threads.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np

from npl.engine.arguments import integer
from npl.engine.scratch import BlockScope

Block: TypeAlias = tuple[slice, ...]
P = TypeVar("P")
T = TypeVar("T")

# Bytes of one operand in a block. Smaller blocks stay in a core's own cache, but their short loops
# make threads wait for each other at the interpreter's lock (50 µs a wake-up); larger ones leave
# the caches.
BLOCK_BYTES = 1 << 21
# Large inputs are cut into a multiple of this many blocks, so that a few threads end together. It
# must not depend on the number of threads: the sums of the blocks would.
EVEN = 4


def blocks(lead: tuple[int, ...], row_bytes: int) -> list[Block]:
    """Cut the index space `lead` into blocks of at most about `BLOCK_BYTES`.

    Parameters
    ----------
    lead : tuple of int
        The shape to cut; a row hangs on each of its points.
    row_bytes : int
        Of the largest operand's row, which is never cut.

    Returns
    -------
    list of tuple of slice
        Blocks in C order; one slice per axis of `lead`. They depend on the shape alone.
    """
    rows = math.prod(lead)
    if rows * row_bytes <= BLOCK_BYTES:
        return [tuple([slice(0, size) for size in lead])]
    wanted = -(-rows * row_bytes // BLOCK_BYTES)
    per_block = max(1, -(-rows // (-(-wanted // EVEN) * EVEN)))
    axis, inner = len(lead) - 1, 1
    while axis > 0 and inner * lead[axis] <= per_block:
        inner *= lead[axis]
        axis -= 1
    step = max(1, per_block // inner)
    whole = tuple(slice(0, size) for size in lead[axis + 1 :])
    cut = [slice(i, min(i + step, lead[axis])) for i in range(0, lead[axis], step)]
    outer = [[slice(i, i + 1) for i in range(size)] for size in lead[:axis]]
    return [(*point, part, *whole) for *point, part in itertools.product(*outer, cut)]


def _available_cpus() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


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
        # The old executor is not shut down: a pass in another thread may be about to use it. Its
        # idle threads end when the last such pass lets go of it.
        with self._lock:
            self._executor, self.threads = None, threads

    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(
                    max(1, self.threads - 1), thread_name_prefix="npl"
                )
            return self._executor


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.reset)


def set_num_threads(threads: int) -> None:
    """Set how many threads a pass over a large input may use, the calling one included.

    Parameters
    ----------
    threads : int
        At least 1. The start value is `NPL_NUM_THREADS`, or else the number of CPUs that the
        process may use. Results do not depend on it, bit for bit.

    Examples
    --------
    >>> import npl
    >>> npl.set_num_threads(2)
    >>> npl.get_num_threads()
    2
    """
    integer("set_num_threads", "threads", threads, at_least=1)
    _pool.resize(int(threads))


def get_num_threads() -> int:
    """Return how many threads a pass over a large input may use."""
    return _pool.threads


def run(parts: list[P], work: Callable[[P], T], *, serial: bool = False) -> list[T]:
    """Call `work` on every block and return the results in the order of the blocks.

    Floating-point warnings are off inside: a kernel's limits (log 0, 0/0 to be repaired) are its
    own business. An error is raised after all blocks have ended; the one of the first block wins.
    """
    if len(parts) == 1:  # a small input: no more ceremony than it needs
        with np.errstate(all="ignore"), BlockScope():
            return [work(parts[0])]
    helpers = 0 if serial else max(0, min(_pool.threads, len(parts)) - 1)
    results: dict[int, T] = {}
    errors: dict[int, Exception] = {}
    ticket = itertools.count()
    all_done = threading.Event()

    def worker() -> None:
        with np.errstate(all="ignore"):
            while (i := next(ticket)) < len(parts):
                try:
                    with BlockScope():
                        results[i] = work(parts[i])
                except Exception as error:
                    errors[i] = error
                if len(results) + len(errors) == len(parts):
                    all_done.set()

    # A helper that cannot start (at interpreter shutdown, at a limit of threads) is done without: what
    # is waited for are the blocks, whoever takes them.
    with contextlib.suppress(RuntimeError):
        for _ in range(helpers):
            _pool.executor().submit(worker)
    worker()
    if parts:
        all_done.wait()
    if errors:
        raise errors[min(errors)]
    return [results[i] for i in range(len(parts))]
