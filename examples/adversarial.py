"""Fool a network by its own gradient: adversarial inputs by FGSM and PGD, in plain NumPy.

    python examples/adversarial.py                        # seconds
    python examples/adversarial.py --hidden 0             # softmax regression

A network learns to read digits. Then the gradient is taken with respect to the images: a step along its
sign (FGSM [1]), or many small ones that stay within the same distance of the image (PGD [2]). A table of
accuracies is printed; a figure is written to ``runs/``. Needs the extra ``examples``, of it scikit-learn
and matplotlib.

[1] I. J. Goodfellow, J. Shlens, C. Szegedy, "Explaining and harnessing adversarial examples", ICLR, 2015.
[2] A. Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR, 2018.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEEDS = "Install the project with its extra: pip install '.[examples]'"
try:
    import numpy as np
    import perceptron
    from matplotlib.figure import Figure
    from perceptron import Array, Parameters

    import npl
    import npl.functional as F
except ModuleNotFoundError as error:
    raise SystemExit(f"adversarial.py: {error}. {NEEDS}") from error

DISTANCES = (0.0, 0.05, 0.1, 0.15, 0.2)  # of pixels from 0 to 1


def of_images(parameters: Parameters) -> Callable[[Array, Any], Array]:
    """Return the gradient of the loss with respect to images, of the true labels.

    The sum over the images: so the gradient of one does not depend on how many others there are.
    """
    return npl.grad(
        lambda images, labels: F.cross_entropy(
            perceptron.scores(parameters, images), labels, reduction="sum"
        )
    )


def fgsm(parameters: Parameters, images: Array, labels: Any, distance: float) -> Array:
    """Return images a step along the sign of the gradient away, each pixel by `distance` at most."""
    gradient = of_images(parameters)(images, labels)
    return np.clip(images + distance * np.sign(gradient), 0, 1)


def pgd(
    parameters: Parameters, images: Array, labels: Any, distance: float, steps: int = 20
) -> Array:
    """Return images after many small steps, each projected back to within `distance` of the images."""
    gradient, step = of_images(parameters), 2.5 * distance / steps
    moved = images
    for _ in range(steps):
        moved = moved + step * np.sign(gradient(moved, labels))
        moved = np.clip(moved, images - distance, images + distance)
        moved = np.clip(moved, 0, 1)
    return moved


def main(argv: list[str] | None = None) -> None:
    """Train, attack, and show what came of it."""
    options = parse(argv)
    x, labels, images, true = perceptron.digits()
    hidden = [options.hidden] if options.hidden else []
    sizes = [perceptron.SIDE**2, *hidden, perceptron.CLASSES]
    objective = npl.Objective(
        lambda parameters, x, y: F.cross_entropy(perceptron.scores(parameters, x), y),
        npl.L2Penalty(options.alpha),
    )
    parameters = perceptron.fit(
        objective, perceptron.initial(sizes, options.seed), x, labels, iterations=options.iterations
    )
    table: dict[str, list[float]] = {"FGSM": [], "PGD": []}
    print("each pixel within   accuracy by FGSM   by PGD")
    for distance in DISTANCES:
        for name, attack in (("FGSM", fgsm), ("PGD", pgd)):
            moved = attack(parameters, images, true, distance)
            table[name].append(perceptron.accuracy(parameters, moved, true))
        print(f"{distance:<19g} {table['FGSM'][-1]:<18.4f} {table['PGD'][-1]:.4f}")
    path = options.out / "adversarial.png"
    plot(path, parameters, images, true, table)
    print(f"written: {path}")


def plot(
    path: Path, parameters: Parameters, images: Array, true: Any, table: dict[str, list[float]]
) -> None:
    """Draw the accuracies, and a few images before and after."""
    distance = DISTANCES[2]
    moved = pgd(parameters, images, true, distance)
    before, after = (perceptron.scores(parameters, own).argmax(-1) for own in (images, moved))
    shown = np.flatnonzero((before == true) & (after != true))[:6]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.6])
    axes = left.subplots()
    for name, accuracies in table.items():
        axes.plot(DISTANCES, accuracies, marker="o", label=name)
    axes.set(xlabel="distance of each pixel, at most", ylabel="accuracy", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend()
    right.suptitle(f"Fooled by PGD within {distance:g}")
    cells = right.subplots(2, 6)
    for cell in cells.flat:
        cell.axis("off")
    for column, place in enumerate(shown):
        for row, (own, said) in enumerate(((images, before), (moved, after))):
            cell = cells[row, column]
            square = own[place].reshape(perceptron.SIDE, perceptron.SIDE)
            cell.imshow(square, cmap="gray_r", vmin=0, vmax=1)
            cell.set_title(f"read as {said[place]}", fontsize=9)
    figure.savefig(path, dpi=150)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(
        prog="adversarial.py", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    units = functools.partial(perceptron.count, least=0)
    add("--hidden", type=units, default=64, help="units; 0: softmax regression (%(default)s)")
    add("--alpha", type=perceptron.strength, default=1e-4, help="of the L2 penalty (%(default)s)")
    add("--iterations", type=perceptron.count, default=100, help="of L-BFGS, at most (%(default)s)")
    add("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    add("--out", type=Path, default=Path("runs"), help="folder for the figure (%(default)s)")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
