"""Train LeNet-5 with NPL's cross entropy, with torch's, or with both side by side.

    python examples/train_lenet.py                                   # digits, seconds
    python examples/train_lenet.py --data fashion-mnist --device auto
    python examples/train_lenet.py --data mnist --loss npl --ddp     # two processes, or all GPUs
    torchrun --nproc-per-node 4 examples/train_lenet.py --ddp

A table is printed; a JSON record and a figure are written to ``runs/``.
Needs the extra ``examples``.
"""

from __future__ import annotations

import argparse
import functools
import logging
import math
import os
from pathlib import Path

NEEDS = "Install the project with its extra: pip install '.[examples]'"
try:
    import torch
    from lenet import report
    from lenet.datasets import DATASETS, load
    from lenet.idx import DataError
    from lenet.model import LOSSES
    from lenet.ranks import Ranks, launch
    from lenet.training import Settings, train
except ModuleNotFoundError as error:
    raise SystemExit(f"train_lenet.py: {error}. {NEEDS}") from error


def main(argv: list[str] | None = None) -> None:
    """Read the command line, and train in one process or in several."""
    options = parse(argv)
    work = functools.partial(train_and_report, options)
    try:
        if options.ddp and "RANK" not in os.environ:
            # What is wrong with the data should be said once, here, not by each process.
            load(options.data, options.data_dir, options.limit)
        launch(work, options.device, options.ddp)
    except DataError as error:
        raise SystemExit(f"train_lenet.py: {error}") from error
    except ModuleNotFoundError as error:
        raise SystemExit(f"train_lenet.py: {error}. {NEEDS}") from error


def train_and_report(options: argparse.Namespace, ranks: Ranks, device: torch.device) -> None:
    """Train, and have the first rank say and write what came out."""
    first = ranks.rank == 0
    logging.basicConfig(
        format="%(asctime)s %(message)s", level=logging.INFO if first else logging.WARNING
    )
    torch.backends.cudnn.deterministic = True  # the same seed, the same numbers
    with ranks.first_rank_first():
        data = load(options.data, options.data_dir, options.limit)
    losses = LOSSES if options.loss == "both" else (options.loss,)
    settings = Settings(options.epochs, options.batch_size, options.lr, options.seed)
    runs = train(data, losses, settings, ranks, device)
    if not first:
        return
    print(report.table(runs))
    suffix = "-ddp" if options.ddp else ""
    stem = options.out / f"lenet-{options.data}-{options.loss}{suffix}"
    folders = ("data_dir", "out")  # stay out of the record: they are the user's own
    record = {
        "config": {key: value for key, value in vars(options).items() if key not in folders},
        "samples": {"train": len(data.train_labels), "test": len(data.test_labels)},
        "versions": report.versions(),
        "machine": {**report.machine(device), "processes": ranks.world},
        **report.summary(runs),
    }
    report.write_json(stem.with_suffix(".json"), record)
    report.plot(stem.with_suffix(".png"), f"LeNet-5 on {options.data}", runs)
    print(f"written: {stem}.json, {stem}.png")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line, the device chosen."""
    parser = argparse.ArgumentParser(
        prog="train_lenet.py",
        description=(__doc__ or "").partition("\n")[0],
    )
    add = parser.add_argument
    add("--loss", choices=[*LOSSES, "both"], default="both", help="cross entropy (%(default)s)")
    add("--data", choices=DATASETS, default="digits", help="images (%(default)s)")
    add("--data-dir", type=Path, help="folder of IDX files; else $NPL_DATA_DIR, the user's cache")
    add("--epochs", type=_count, default=5, help="passes over the training set (%(default)s)")
    add("--batch-size", type=_count, default=128, help="of all processes together (%(default)s)")
    add("--lr", type=_rate, default=1e-3, help="learning rate of Adam (%(default)s)")
    add("--seed", type=int, default=0, help="of weights and order of samples (%(default)s)")
    add("--limit", type=_count, help="train on the first LIMIT samples (all)")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: cuda if any")
    add("--ddp", action="store_true", help="several processes: torchrun's, else 2, or one per GPU")
    add("--out", type=Path, default=Path("runs"), help="folder for what is written (%(default)s)")
    options = parser.parse_args(argv)
    try:  # before the training, not after it
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --out: {options.out} cannot be a folder ({error.strerror})")
    if options.data_dir is not None and not options.data_dir.is_dir():
        parser.error(f"argument --data-dir: {options.data_dir} is no folder")
    if options.device == "auto":
        options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("argument --device: cuda, but torch finds no CUDA device; try --device cpu")
    if not options.ddp and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        parser.error("started as one of several processes; add --ddp to train with all of them")
    return options


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number above 0")
    return number


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return number


if __name__ == "__main__":
    main()
