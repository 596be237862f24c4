"""Train a network without any framework: objective = cost + regularisation, by SciPy's L-BFGS.

    python examples/train_numpy.py                        # seconds
    python examples/train_numpy.py --samples 400 --alpha 0 0.001 0.01 --iterations 200

The same network is trained on a few digits with penalties of several strengths. A table is printed; a
figure is written to ``runs/``. Needs the extra ``examples``, of it scikit-learn and matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

NEEDS = "Install the project with its extra: pip install '.[examples]'"
try:
    import perceptron
    from matplotlib.figure import Figure

    import npl
except ModuleNotFoundError as error:
    raise SystemExit(f"train_numpy.py: {error}. {NEEDS}") from error

criterion = npl.CrossEntropyLoss()


def cost(parameters: perceptron.Parameters, x: Any, labels: Any) -> Any:
    """Return the mean loss of what the network says: the model stands between parameters and loss."""
    return criterion(perceptron.scores(parameters, x), labels)


def main(argv: list[str] | None = None) -> None:
    """Train with each strength of the penalty, and show what came of it."""
    options = parse(argv)
    x, labels, test_x, test_labels = perceptron.digits()
    x, labels = x[: options.samples], labels[: options.samples]
    sizes = [perceptron.SIDE**2, options.hidden, perceptron.CLASSES]
    runs = {}
    print("alpha     iterations  cost      penalty   train accuracy  test accuracy")
    for alpha in options.alpha:
        objective = npl.Objective(cost, npl.L2Penalty(alpha))
        curve: list[dict[str, float]] = []
        found = perceptron.fit(
            objective,
            perceptron.initial(sizes, options.seed),
            x,
            labels,
            iterations=options.iterations,
            each=lambda parameters, terms, curve=curve: curve.append(terms),
        )
        terms = objective.terms(found, x, labels)
        train, test = (
            perceptron.accuracy(found, *data) for data in ((x, labels), (test_x, test_labels))
        )
        print(
            f"{alpha:<9g} {len(curve):<11} {terms['cost']:<9.5f} {terms['L2Penalty']:<9.5f} {train:<15.4f} "
            f"{test:.4f}"
        )
        runs[alpha] = curve
    path = options.out / "numpy-l2.png"
    plot(path, runs)
    print(f"written: {path}")


def plot(path: Path, runs: dict[float, list[dict[str, float]]]) -> None:
    """Draw cost and penalty along the iterations."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for alpha, curve in runs.items():
        for axes, name in ((left, "cost"), (right, "L2Penalty")):
            axes.plot([terms[name] for terms in curve], label=f"alpha = {alpha:g}")
    left.set(title="Cost", ylabel="mean cross entropy (nats)", yscale="log")
    right.set(title="Penalty")
    for axes in (left, right):
        axes.set(xlabel="iteration of L-BFGS")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=150)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(
        prog="train_numpy.py", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add(
        "--alpha",
        type=perceptron.strength,
        nargs="+",
        default=[0.0, 0.001, 0.01],
        help="of the penalty",
    )
    add("--samples", type=perceptron.count, default=200, help="to train with (%(default)s)")
    add(
        "--hidden",
        type=perceptron.count,
        default=64,
        help="units of the hidden layer (%(default)s)",
    )
    add("--iterations", type=perceptron.count, default=100, help="of L-BFGS, at most (%(default)s)")
    add("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    add("--out", type=Path, default=Path("runs"), help="folder for the figure (%(default)s)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
