#!/usr/bin/env python
"""Two ranks with uneven batches: averaging their means is wrong, `normalizer=` makes the mean exact.

DistributedDataParallel averages the gradients of the ranks. If each rank's loss is the mean over its own
tokens, a token of the rank that has two weighs five times what one of the rank with ten does. Dividing by
what all ranks count together, over the number of ranks, gives the gradient of one process with all of them.

    python examples/ddp_normalizer.py
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from npl.adapters.torch import CrossEntropyLoss

FEATURES, CLASSES, IGNORED = 16, 8, -100
TOKENS = (10, 2)  # that count, on each rank; the others of its batch are padding
PADDED = 10
HOST = "127.0.0.1"


def batch(rank: int) -> tuple[Tensor, Tensor]:
    """Return a rank's features and labels, padded to the same length with ignored labels."""
    generator = torch.Generator().manual_seed(rank)
    features = torch.randn(PADDED, FEATURES, generator=generator, dtype=torch.float64)
    labels = torch.randint(CLASSES, (PADDED,), generator=generator)
    labels[TOKENS[rank] :] = IGNORED
    return features, labels


def new_model() -> nn.Module:
    """Return the model that all ranks begin with."""
    torch.manual_seed(0)
    return nn.Linear(FEATURES, CLASSES, dtype=torch.float64)


def loss_and_gradient(model: nn.Module, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss, averaged over the ranks if there are any, and its gradient in all parameters."""
    model.zero_grad()
    loss.backward()  # where DistributedDataParallel averages the gradients
    value = loss.detach()
    if dist.is_initialized():
        dist.all_reduce(value)
        value /= dist.get_world_size()
    return value, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def both_ways(rank: int, world: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Return a rank's loss and gradient, by the mean of the ranks' means and by the mean over all."""
    model = nn.parallel.DistributedDataParallel(new_model())
    criterion = CrossEntropyLoss(ignore_index=IGNORED)
    features, labels = batch(rank)

    of_means = loss_and_gradient(model, criterion(model(features), labels))

    count = (labels != IGNORED).sum()
    dist.all_reduce(count)
    exact = loss_and_gradient(model, criterion(model(features), labels, normalizer=count / world))
    return {"of_means": of_means, "exact": exact}


def train_rank(rank: int, world: int, port: int, out: str) -> None:
    """Join the ranks, take the loss both ways; the first rank writes what it got to `out`."""
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if loopback:  # gloo would look for the address of the host's name, which need not resolve
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    store = dist.TCPStore(HOST, port)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    try:
        results = both_ways(rank, world)
        gc.collect()  # a DDP model is a cycle that keeps the group alive: its threads abort the exit
        dist.barrier()
        if rank == 0:
            torch.save(results, out)
    finally:
        dist.destroy_process_group()


def main() -> int:
    """Compare the ranks' gradients with that of one process; return 0 if they are as promised."""
    world = len(TOKENS)
    model = new_model()
    batches = [batch(rank) for rank in range(world)]
    features, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss, gradient = loss_and_gradient(
        model, CrossEntropyLoss(ignore_index=IGNORED)(model(features), labels)
    )

    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "results.pt")
        # The system picks a free port, which stays taken until all are done: no race for it.
        store = dist.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
        torch.multiprocessing.spawn(train_rank, (world, store.port, out), nprocs=world)
        by_ranks = torch.load(out, weights_only=True)

    tokens = " + ".join(str(count) for count in TOKENS)
    print(f"{world} ranks with {tokens} tokens, against one process with {sum(TOKENS)}:")
    errors = {}
    for way, name in {
        "of_means": "mean of the ranks' means",
        "exact": "normalizer = tokens of all / ranks",
    }.items():
        value, own = by_ranks[way]
        off, errors[way] = float(value / loss - 1), float((own - gradient).norm() / gradient.norm())
        print(f"  {name:<36} loss off by {off:+.1e}, gradient by {errors[way]:.1e}")
    if errors["of_means"] < 0.01 or errors["exact"] > 1e-14:
        print("not as promised", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
