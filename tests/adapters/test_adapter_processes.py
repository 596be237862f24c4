"""Threads, forked workers, ranks."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from adapter_cases import labels
from npl.adapters.torch import CrossEntropyLoss

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_many_threads_at_once():
    criterion = CrossEntropyLoss(torch.rand(10), label_smoothing=0.1)
    batches = [(torch.randn(5000, 10), labels(10, 5000)) for _ in range(8)]

    def gradient(batch):
        x = batch[0].clone().requires_grad_()
        criterion(x, batch[1]).backward()
        return x.grad

    expected = [gradient(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for own, other in zip(pool.map(gradient, batches), expected, strict=True):
                assert torch.equal(own, other)


class Losses(Dataset):
    """A loss computed in the worker that loads."""

    x = torch.linspace(-1, 1, 200_000).reshape(-1, 10)

    def __len__(self):
        return 4

    def __getitem__(self, i):
        target = torch.full((len(self.x),), i)
        return CrossEntropyLoss()(self.x, target)


def test_forked_workers_of_a_data_loader():
    data = Losses()
    here = torch.stack([data[i] for i in range(4)])  # the pool of threads is up before the fork
    loader = DataLoader(data, batch_size=2, num_workers=2, multiprocessing_context="fork")
    assert torch.equal(torch.cat(list(loader)), here)


def test_the_normalizer_makes_the_mean_of_uneven_ranks_exact():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "ddp_normalizer.py"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 ranks with 10 + 2 tokens" in done.stdout
