"""One process or several: who trains on which samples, and how their figures are added up."""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Ranks", "Work", "launch"]

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train together; by default it is alone."""

    rank: int = 0
    world: int = 1

    def shard(self, batch: Tensor) -> Tensor:
        """Return this rank's share of the rows: every `world`-th, possibly none."""
        return batch[self.rank :: self.world]

    def sum(self, figures: Tensor) -> Tensor:
        """Return the sum of every rank's `figures`."""
        if self.world > 1:
            dist.all_reduce(figures)
        return figures

    def wrap(self, net: nn.Module) -> nn.Module:
        """Return `net` with its gradients averaged over the ranks."""
        return nn.parallel.DistributedDataParallel(net) if self.world > 1 else net

    @contextmanager
    def first_rank_first(self) -> Iterator[None]:
        """Let the first rank do the block before the others, which find what it downloaded."""
        if self.world > 1 and self.rank > 0:
            dist.barrier()
        yield
        if self.world > 1 and self.rank == 0:
            dist.barrier()


Work = Callable[[Ranks, torch.device], None]


def launch(work: Work, device: str, ddp: bool) -> None:
    """Do `work` in this process, or in each of several that train together.

    Parameters
    ----------
    work : callable
        Takes the `Ranks` and the device. Where this function starts the processes, it is pickled.
    device : {"cpu", "cuda"}
    ddp : bool
        Train with several processes: those that ``torchrun`` started, else two on the CPU, or one
        for each GPU, started here.
    """
    if not ddp:
        work(Ranks(), torch.device(device))
    elif "RANK" in os.environ:  # started by torchrun
        dist.init_process_group(_backend(device))
        _work_among(work, device, int(os.environ["LOCAL_RANK"]))
    elif device == "cuda" and torch.cuda.device_count() == 1:
        work(Ranks(), torch.device(device))
    else:
        world = torch.cuda.device_count() if device == "cuda" else 2
        # The system picks a free port, which stays taken until all are done: no race for it.
        store = dist.TCPStore(_HOST, 0, is_master=True, wait_for_workers=False)
        torch.multiprocessing.spawn(_spawned, (work, device, world, store.port), nprocs=world)


def _spawned(rank: int, work: Work, device: str, world: int, port: int) -> None:
    # Gloo would otherwise look for the address of the host's name, which need not resolve.
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    if device == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // world))
    store = dist.TCPStore(_HOST, port)
    dist.init_process_group(_backend(device), store=store, rank=rank, world_size=world)
    _work_among(work, device, rank)


def _backend(device: str) -> str:
    return "nccl" if device == "cuda" else "gloo"


def _work_among(work: Work, device: str, local_rank: int) -> None:
    """Do the work inside the process group that has been joined, and leave it."""
    if device == "cuda":
        torch.cuda.set_device(local_rank)
        place = torch.device("cuda", local_rank)
    else:
        place = torch.device("cpu")
    try:
        work(Ranks(dist.get_rank(), dist.get_world_size()), place)
        gc.collect()  # a DDP model is a cycle that keeps the group alive: its threads abort the exit
    finally:
        dist.destroy_process_group()
