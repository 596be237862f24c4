"""The training loop, and what is measured in it.

The loss gets its scores as a leaf of their own: ``loss.backward()`` then ends at the scores, and
``scores.backward(gradient)`` takes the gradient on through the network. The numbers are those of
one ``loss.backward()`` through everything, and the time of the loss, forward and backward, can be
told from that of the network.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from .datasets import Dataset
from .model import LeNet5, make_criterion, normalise
from .ranks import Ranks

__all__ = ["Epoch", "Settings", "train"]

logger = logging.getLogger("lenet")

_EVALUATION_BATCH = 500
_CURVE_POINTS = 20


@dataclass(frozen=True)
class Settings:
    """What two runs that are compared have in common."""

    epochs: int = 5
    batch_size: int = 128  # of all ranks together
    lr: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What one epoch showed."""

    loss: float
    """Mean over the samples of the loss that each had when its batch came."""
    train_accuracy: float
    """After the epoch, over the whole training set; so is the test accuracy."""
    test_accuracy: float
    seconds: float
    """Of the training pass alone; the accuracies do not depend on how fast a loss is."""
    loss_seconds: float
    """Of these, in the criterion's forward and backward."""
    loss_share: float
    evaluation_seconds: float
    first_batch_loss: float
    curve: list[float]
    """Mean loss of each of up to 20 equal parts of the epoch."""


def train(
    data: Dataset,
    losses: Sequence[str],
    settings: Settings,
    ranks: Ranks,
    device: torch.device,
) -> dict[str, list[Epoch]]:
    """Train one network with each of `losses`, from the same weights, on the same batches.

    Returns
    -------
    dict
        The epochs of each loss.
    """
    data = data.to(device)
    runs = {name: _Run(name, data, settings, ranks, device) for name in losses}
    epochs: dict[str, list[Epoch]] = {name: [] for name in losses}
    with logging_redirect_tqdm():
        for number in range(1, settings.epochs + 1):
            # Epoch by epoch, each first in turn: when the machine is busy, it is so for both.
            for name in list(runs)[:: 1 if number % 2 else -1]:
                epoch = runs[name].epoch(f"{name} {number}/{settings.epochs}")
                epochs[name].append(epoch)
                logger.info(
                    "%-5s epoch %d/%d  loss %.6f  train accuracy %.4f  test accuracy %.4f  "
                    "%.2f s, %.1f %% of it in the loss",
                    name,
                    number,
                    settings.epochs,
                    epoch.loss,
                    epoch.train_accuracy,
                    epoch.test_accuracy,
                    epoch.seconds,
                    100 * epoch.loss_share,
                )
    return epochs


class _Run:
    """One network on its way with one loss; it shares no state with another run."""

    def __init__(
        self, loss: str, data: Dataset, settings: Settings, ranks: Ranks, device: torch.device
    ) -> None:
        self.data, self.settings, self.ranks, self.device = data, settings, ranks, device
        torch.manual_seed(settings.seed)
        self.net = LeNet5().to(device)
        self.criterion = make_criterion(loss).to(device)
        self.clock = _Clock(device)
        self._warm_up()
        self.replica = ranks.wrap(self.net)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr)
        self.generator = torch.Generator().manual_seed(settings.seed)

    def epoch(self, title: str) -> Epoch:
        """Train once over the training set, then measure both accuracies."""
        data, count = self.data, len(self.data.train_labels)
        start = self._now()
        sums = self._train(title)
        trained = self._now()
        loss_seconds = self.clock.total()
        train_accuracy = self._accuracy(data.train_images, data.train_labels)
        test_accuracy = self._accuracy(data.test_images, data.test_labels)
        sizes = self._batch_sizes(count)
        parts = min(_CURVE_POINTS, len(sums))
        curve = [
            float(part.sum() / size.sum())
            for part, size in zip(sums.tensor_split(parts), sizes.tensor_split(parts), strict=True)
        ]
        return Epoch(
            loss=float(sums.sum() / count),
            train_accuracy=train_accuracy,
            test_accuracy=test_accuracy,
            seconds=trained - start,
            loss_seconds=loss_seconds,
            loss_share=loss_seconds / (trained - start),
            evaluation_seconds=self._now() - trained,
            first_batch_loss=float(sums[0] / sizes[0]),
            curve=curve,
        )

    def _train(self, title: str) -> Tensor:
        """Take one step per batch; return the sum of the losses of each batch, over all ranks."""
        order = torch.randperm(len(self.data.train_labels), generator=self.generator)
        batches = order.to(self.device).split(self.settings.batch_size)
        silent = True if self.ranks.rank > 0 else None  # None: a bar on a terminal only
        losses = []
        for batch in tqdm(batches, title, unit="batch", leave=False, disable=silent):
            losses.append(self._step(batch))
        # Kept on the device until here, so that no step waits for the number.
        means = torch.stack(losses).to("cpu", torch.float64)
        sums = means * self._batch_sizes(len(order)) / self.ranks.world
        return self.ranks.sum(sums.to(self.device)).cpu()

    def _step(self, batch: Tensor) -> Tensor:
        mine = self.ranks.shard(batch)
        labels = self.data.train_labels[mine]
        scores = self.replica(normalise(self.data.train_images[mine]))
        leaf = scores.detach().requires_grad_()
        with self.clock:
            loss = self._mean_loss(leaf, labels, len(batch))
            loss.backward()
        self.optimizer.zero_grad()
        scores.backward(leaf.grad)
        self.optimizer.step()
        return loss.detach()

    def _mean_loss(self, scores: Tensor, labels: Tensor, batch_size: int) -> Tensor:
        if self.ranks.world == 1:
            return self.criterion(scores, labels)
        # Ranks may hold unequal shares of a batch, and the gradients are averaged over the ranks:
        # (1 / world) * sum over ranks of (rank's sum / normalizer) is then the mean of the batch.
        return self.criterion(scores, labels, normalizer=batch_size / self.ranks.world)

    @torch.inference_mode()
    def _accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Share of the samples whose highest score is that of their label."""
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        shards = (self.ranks.shard(images), self.ranks.shard(labels))
        for some, wanted in zip(*(s.split(_EVALUATION_BATCH) for s in shards), strict=True):
            correct += (self.net(normalise(some)).argmax(1) == wanted).sum()
        return int(self.ranks.sum(correct)) / len(labels)

    def _warm_up(self) -> None:
        """Do on a copy what happens once per process, so that the first epoch is timed like all."""
        net = copy.deepcopy(self.net)
        optimizer = torch.optim.Adam(net.parameters())
        few = slice(0, self.settings.batch_size)
        for _ in range(3):
            scores = net(normalise(self.data.train_images[few]))
            self.criterion(scores, self.data.train_labels[few]).backward()
            optimizer.step()

    def _batch_sizes(self, count: int) -> Tensor:
        full, rest = divmod(count, self.settings.batch_size)
        sizes = [self.settings.batch_size] * full + ([rest] if rest else [])
        return torch.tensor(sizes, dtype=torch.float64)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


class _Clock:
    """Adds up the time of the blocks it is entered for: on the host, or on the GPU's own stream."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.seconds = 0.0
        self.events: list[torch.cuda.Event] = []

    def __enter__(self) -> None:
        self._mark(-1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mark(+1)

    def _mark(self, sign: int) -> None:
        if self.cuda:  # asking the host would mean to wait for the GPU at every step
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.events.append(event)
        else:
            self.seconds += sign * time.perf_counter()

    def total(self) -> float:
        """Return the seconds since the last call, all of whose GPU work must be done."""
        pairs = zip(self.events[::2], self.events[1::2], strict=True)
        seconds = self.seconds + sum(start.elapsed_time(end) for start, end in pairs) / 1000
        self.seconds = 0.0
        self.events.clear()
        return seconds
