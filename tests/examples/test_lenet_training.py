"""The short form of the training, with each loss; and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
import train_lenet
from lenet.model import LeNet5, TorchCrossEntropyLoss, make_criterion, normalise
from lenet.ranks import Ranks
from lenet.report import table
from lenet.training import Epoch

PNG = b"\x89PNG\r\n\x1a\n"


def loss_or_skip(loss: str) -> str:
    """Skip a test of NPL's own loss while NPL's torch adapter is not installed."""
    if loss != "torch":
        pytest.importorskip("npl.adapters.torch")
    return loss


def short(out, *options: str) -> dict:
    """Train for an epoch on a few digits, and return the record."""
    train_lenet.main(
        ["--epochs", "1", "--limit", "300", "--device", "cpu", "--out", str(out), *options]
    )
    (path,) = out.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def without_times(record: dict) -> dict:
    """Return the figures that must not depend on the machine's mood."""
    return {
        loss: [
            {
                key: value
                for key, value in epoch.items()
                if "second" not in key and "share" not in key
            }
            for epoch in run["epochs"]
        ]
        for loss, run in record["runs"].items()
    }


# The network and its losses


def test_lenet5_has_the_shape_of_the_paper():
    net = LeNet5()
    assert sum(parameter.numel() for parameter in net.parameters()) == 61_706
    shapes = {name: tuple(value.shape) for name, value in net.named_parameters()}
    assert shapes["conv1.weight"] == (6, 1, 5, 5)
    assert shapes["conv2.weight"] == (16, 6, 5, 5)
    assert shapes["conv3.weight"] == (120, 16, 5, 5)
    assert shapes["fc1.weight"] == (84, 120)
    assert shapes["fc2.weight"] == (10, 84)
    for count in (0, 1, 7):  # a rank may get no sample of a small last batch
        assert net(torch.zeros(count, 1, 32, 32)).shape == (count, 10)


def test_normalise_is_mean_half_deviation_half():
    images = torch.arange(256, dtype=torch.uint8)
    torch.testing.assert_close(normalise(images), (images / 255 - 0.5) / 0.5)
    assert images[0] == 0  # a copy


@pytest.mark.parametrize("loss", ["torch", "npl"])
def test_normalizer_makes_the_mean_over_uneven_ranks_exact(loss):
    criterion = make_criterion(loss_or_skip(loss))
    scores = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([1, 2, 3, 4, 5])
    means = [
        criterion(ranks.shard(scores), ranks.shard(labels), normalizer=5 / 8)
        for ranks in (Ranks(rank, world=8) for rank in range(8))  # three of them hold nothing
    ]
    expected = torch.nn.functional.cross_entropy(scores, labels)
    torch.testing.assert_close(torch.stack(means).mean(), expected)


# The training


@pytest.mark.parametrize("loss", ["torch", "npl", "both"])
def test_short_training_leaves_a_record_and_a_figure(tmp_path, capsys, loss):
    record = short(tmp_path, "--loss", loss_or_skip(loss))
    names = ["torch", "npl"] if loss == "both" else [loss]
    assert list(record["runs"]) == names
    assert record["samples"] == {"train": 300, "test": 360}
    assert record["config"] == {
        "loss": loss,
        "data": "digits",
        "epochs": 1,
        "batch_size": 128,
        "lr": 1e-3,
        "seed": 0,
        "limit": 300,
        "device": "cpu",
        "ddp": False,
    }
    assert record["versions"]["torch"] == torch.__version__
    for run in record["runs"].values():
        (epoch,) = run["epochs"]
        assert 2.2 < epoch["loss"] < 2.4  # log(10) is 2.303
        assert epoch["loss"] == run["epoch_1_loss"] == run["final_loss"]
        # 128, 128 and 44 samples: an epoch's loss is the mean of the samples, not of the batches
        weighted = sum(n * value for n, value in zip((128, 128, 44), epoch["curve"], strict=True))
        assert epoch["loss"] == pytest.approx(weighted / 300, rel=1e-12)
        assert epoch["first_batch_loss"] == epoch["curve"][0]
        correct = round(epoch["train_accuracy"] * 300)
        assert epoch["train_accuracy"] == correct / 300
        assert 0 < epoch["loss_seconds"] < epoch["seconds"]
        assert epoch["loss_share"] == epoch["loss_seconds"] / epoch["seconds"]
    figure = tmp_path / f"lenet-digits-{loss}.png"
    assert figure.read_bytes().startswith(PNG)
    printed = capsys.readouterr().out
    assert "| epoch-1 mean loss | final test accuracy | seconds per epoch | ratio |" in printed
    assert f"written: {figure.with_suffix('.json')}, {figure}" in printed


def test_both_start_from_the_same_weights_and_batches(tmp_path):
    record = short(tmp_path, "--loss", loss_or_skip("both"), "--epochs", "2")
    ours, theirs = (record["runs"][name]["epochs"] for name in ("npl", "torch"))
    assert ours[0]["first_batch_loss"] == pytest.approx(theirs[0]["first_batch_loss"], rel=3e-7)
    assert ours[1]["loss"] == pytest.approx(theirs[1]["loss"], rel=1e-4)
    assert record["npl_against_torch"]["epoch_1_loss_difference"] == pytest.approx(0, abs=1e-5)
    assert record["npl_against_torch"]["seconds_ratio"] > 0


def test_interleaved_runs_equal_separate_ones(tmp_path, monkeypatch):
    # Two runs of the same loss, so that the interleaving alone is tested, and NPL is not needed.
    monkeypatch.setattr("lenet.training.make_criterion", lambda name: TorchCrossEntropyLoss())
    both = without_times(short(tmp_path / "both", "--loss", "both", "--epochs", "3"))
    alone = without_times(short(tmp_path / "alone", "--loss", "torch", "--epochs", "3"))
    assert both["torch"] == both["npl"] == alone["torch"]


def test_the_seed_alone_decides(tmp_path):
    first, again, other = (
        without_times(short(tmp_path / name, "--loss", "torch", "--seed", seed))
        for name, seed in (("first", "1"), ("again", "1"), ("other", "2"))
    )
    assert first == again != other


def test_detaching_the_scores_changes_no_number(tmp_path):
    # The same three steps, written as anyone would.
    epoch = short(tmp_path, "--loss", "torch")["runs"]["torch"]["epochs"][0]
    data = train_lenet.load("digits", limit=300)
    torch.manual_seed(0)
    net = LeNet5()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    for batch, expected in zip(order.split(128), epoch["curve"], strict=True):
        scores = net(normalise(data.train_images[batch]))
        loss = torch.nn.functional.cross_entropy(scores, data.train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", ["torch", "npl"])
def test_two_processes_train_as_one(tmp_path, loss):
    # 257 samples: the last batch holds one, so that the second process has none.
    options = ["--loss", loss_or_skip(loss), "--limit", "257"]
    alone = short(tmp_path / "alone", *options)["runs"][loss]["epochs"]
    command = [sys.executable, "-W", "error", train_lenet.__file__, "--epochs", "1"]
    environment = {key: value for key, value in os.environ.items() if key != "RANK"}
    done = subprocess.run(
        [*command, "--device", "cpu", "--ddp", "--out", str(tmp_path / "ddp"), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("written:") == 1
    record = json.loads((tmp_path / "ddp" / f"lenet-digits-{loss}-ddp.json").read_text("utf-8"))
    assert record["machine"]["processes"] == 2
    together = record["runs"][loss]["epochs"]
    assert together[0]["curve"] == pytest.approx(alone[0]["curve"], rel=1e-5)
    assert together[0]["loss"] == pytest.approx(alone[0]["loss"], rel=1e-5)


def test_table():
    def epoch(seconds: float) -> Epoch:
        return Epoch(0.65, 0.9, 0.88, seconds, 0.1, 0.1 / seconds, 1.0, 2.3, [0.7, 0.6])

    runs = {"torch": [epoch(1.0), epoch(9.0), epoch(2.0)], "npl": [epoch(2.1)] * 3}
    assert table(runs) == (
        "| loss  | epoch-1 mean loss | final test accuracy | seconds per epoch | ratio |\n"
        "| ----- | ----------------- | ------------------- | ----------------- | ----- |\n"
        "| torch | 0.650000          | 0.8800              | 2.00              | 1.00  |\n"
        "| npl   | 0.650000          | 0.8800              | 2.10              | 1.05  |"
    )


# The command line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "argument --epochs: '0' is not a whole number from 1 on"),
        (["--limit", "x"], "argument --limit: 'x' is not a whole number from 1 on"),
        (["--data", "cifar"], "argument --data: invalid choice: 'cifar'"),
    ],
)
def test_options_are_refused_by_name(capsys, options, message):
    with pytest.raises(SystemExit):
        train_lenet.parse(options)
    assert message in capsys.readouterr().err


def test_cuda_is_refused_where_there_is_none(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train_lenet.parse([]).device == "cpu"
    with pytest.raises(SystemExit):
        train_lenet.parse(["--device", "cuda"])
    assert "argument --device: cuda, but torch finds no CUDA device" in capsys.readouterr().err


def test_one_of_several_processes_must_know_it(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit):
        train_lenet.parse([])
    assert "add --ddp to train with all of them" in capsys.readouterr().err


def test_a_data_error_is_one_line(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"<html>" * 10)
    with pytest.raises(SystemExit, match=r"^train_lenet\.py: .*train-images-idx3-ubyte: found mag"):
        train_lenet.main(["--data", "mnist", "--data-dir", str(tmp_path)])
