"""The examples in NumPy alone: a network trained by L-BFGS, and adversarial inputs."""

from __future__ import annotations

import adversarial
import numpy as np
import perceptron
import pytest
import train_numpy

import npl

PNG = b"\x89PNG\r\n\x1a\n"


def test_vectors_and_parameters():
    parameters = perceptron.initial([4, 3, 2], seed=0)
    vector = perceptron.to_vector(parameters)
    assert vector.shape == (4 * 3 + 3 + 3 * 2 + 2,)
    back = perceptron.from_vector(vector, parameters)
    for own, other in zip(back, parameters, strict=True):
        for name in ("w", "b"):
            np.testing.assert_array_equal(own[name], other[name])


def test_the_gradient_of_the_objective():
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(size=(6, 4)), rng.integers(0, 2, 6)
    parameters = perceptron.initial([4, 3, 2], seed=0)
    objective = npl.Objective(train_numpy.cost, npl.L2Penalty(0.1))

    def of_vector(vector):
        own = perceptron.from_vector(npl.stop_gradient(vector), parameters)
        value, gradient = npl.value_and_grad(objective)(own, x, labels)
        return value, perceptron.to_vector(gradient)

    vector = perceptron.to_vector(parameters)
    _, gradient = of_vector(vector)
    for place in range(len(vector)):
        step = np.zeros_like(vector)
        step[place] = 1e-5
        change = (of_vector(vector + step)[0] - of_vector(vector - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(change, abs=1e-8)


def test_a_run_in_its_short_form(tmp_path, capsys):
    short = [
        "--samples",
        "100",
        "--hidden",
        "8",
        "--iterations",
        "20",
        "--alpha",
        "0",
        "0.01",
        "--out",
    ]
    train_numpy.main([*short, str(tmp_path / "new")])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    free, held = ([float(word) for word in row] for row in rows[1:3])
    assert (free[0], held[0]) == (0, 0.01)
    assert free[2] < held[2]  # the cost alone is lower where nothing else counts
    assert free[3] == 0 < held[3]
    assert min(free[4], held[4]) > 0.8
    assert (tmp_path / "new" / "numpy-l2.png").read_bytes()[:8] == PNG


@pytest.mark.parametrize("hidden", ["0", "8"])
def test_an_attack_in_its_short_form(hidden, tmp_path, capsys):
    adversarial.main(["--hidden", hidden, "--iterations", "20", "--out", str(tmp_path)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:6]]
    table = np.array(rows, float)
    np.testing.assert_array_equal(table[:, 0], adversarial.DISTANCES)
    assert table[0, 1] == table[0, 2] > 0.8  # no distance, no harm
    assert table[-1, 1] < 0.5 * table[0, 1]
    assert table[-1, 2] < 0.2
    assert (table[:, 2] <= table[:, 1] + 0.02).all()  # many steps find what one does
    assert (tmp_path / "adversarial.png").read_bytes()[:8] == PNG


@pytest.mark.parametrize("attack", [adversarial.fgsm, adversarial.pgd])
def test_attacks_stay_within_their_distance_and_raise_the_loss(attack):
    rng = np.random.default_rng(0)
    images, labels = rng.uniform(size=(20, 64)), rng.integers(0, 10, 20)
    parameters = perceptron.initial([64, 16, 10], seed=0)
    before = images.copy()
    moved = attack(parameters, images, labels, 0.1)
    np.testing.assert_array_equal(images, before)
    assert np.abs(moved - images).max() <= 0.1 + 1e-15
    assert moved.min() >= 0
    assert moved.max() <= 1
    criterion = npl.CrossEntropyLoss(reduction="none")
    losses = [criterion(perceptron.scores(parameters, own), labels) for own in (images, moved)]
    assert (losses[1] > losses[0]).all()


def test_bad_options(capsys):
    for module, argument in (
        (train_numpy, ["--alpha", "-1"]),
        (train_numpy, ["--samples", "0"]),
        (adversarial, ["--hidden", "x"]),
    ):
        with pytest.raises(SystemExit):
            module.parse(argument)
        assert "is not a" in capsys.readouterr().err
