"""The losses of one row in mpmath's arithmetic, with so many digits that the results count as exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp, mpf
from numpy.typing import NDArray

ROW_BITS = 320  # of which a margin of 80 cancels 115
DIFFERENCE_BITS = 1200
STEP = mpf(2) ** -250  # relative; a central difference is exact to its square


def numbers(values: NDArray[Any]) -> list[Any]:
    """Return the elements of an array, exactly."""
    return [value if isinstance(value, mpf) else mpf(float(value)) for value in values]


def by_differences(loss: Callable[..., Any]) -> Callable[..., tuple[Any, NDArray[Any]]]:
    """Return an elementwise loss with its gradient, taken from the formula of the loss alone.

    In exact arithmetic a tiny step costs nothing, and nobody's derivation is trusted.
    """

    def loss_and_gradient(element: Any, *others: Any) -> tuple[Any, NDArray[Any]]:
        with mp.workprec(DIFFERENCE_BITS):
            x, *rest = numbers(np.array([element, *others], np.float64))
            step = STEP * (abs(x) if x else 1)
            slope = (loss(x + step, *rest) - loss(x - step, *rest)) / (2 * step)
            return loss(x, *rest), np.array(slope, object)

    return loss_and_gradient


def cross_entropy(logits: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return log-sum-exp minus the label's logit, and softmax minus the label's unit vector."""
    with mp.workprec(ROW_BITS):
        # Each distinct logit is worked on once: a hard row of thousands of classes holds two or three.
        distinct, where, counts = np.unique(logits, return_inverse=True, return_counts=True)
        distances = [x - mpf(float(distinct[-1])) for x in numbers(distinct)]
        shares = [mp.exp(d) for d in distances]
        total = mp.fsum(int(n) * share for n, share in zip(counts, shares, strict=True))
        probabilities = np.array([share / total for share in shares], object)
        gradient = probabilities[where]
        gradient[label] -= 1
        return mp.log(total) - distances[where[label]], gradient


def nll_loss(log_probabilities: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return minus the label's entry, and minus the label's unit vector."""
    gradient = np.full(log_probabilities.shape, mpf(0), object)
    gradient[label] = mpf(-1)
    return -mpf(float(log_probabilities[label])), gradient


def binary_cross_entropy(x: Any, y: Any) -> Any:
    """Return the loss of a probability, both logarithms floored at -100."""
    floored = [max(mp.log(p), mpf(-100)) if p > 0 else mpf(-100) for p in (x, 1 - x)]
    return -(y * floored[0] + (1 - y) * floored[1])


def binary_cross_entropy_with_logits(x: Any, y: Any) -> Any:
    """Return the loss of a logit."""
    return y * mp.log(1 + mp.exp(-x)) + (1 - y) * mp.log(1 + mp.exp(x))


def l1_loss(x: Any, y: Any) -> Any:
    """Return the absolute error."""
    return abs(x - y)


def mse_loss(x: Any, y: Any) -> Any:
    """Return the squared error."""
    return (x - y) ** 2


def huber_loss(x: Any, y: Any) -> Any:
    """Return half the squared error, linear beyond 1."""
    r = abs(x - y)
    return r * r / 2 if r < 1 else r - mpf(1) / 2


def log_cosh_loss(x: Any, y: Any) -> Any:
    """Return the logarithm of the hyperbolic cosine, of numbers up to 1e15 and down to 1e-60."""
    r = abs(x - y)
    return r - mp.log(2) + mp.log1p(mp.exp(-2 * r)) if r > 1 else mp.log(mp.cosh(r))


def quantile_loss(x: Any, y: Any) -> Any:
    """Return the pinball loss of the median."""
    return abs(x - y) / 2


smooth_l1_loss = huber_loss  # with a threshold of 1 they are one


def multi_margin_loss(scores: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return the mean hinge of the other classes, and which are inside the margin."""
    return multilabel_margin_loss(scores, np.array([label, -1]))


def multilabel_margin_loss(scores: NDArray[Any], labels: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the hinges of each label against each other class over the number of classes."""
    with mp.workprec(ROW_BITS):
        own = labels[: list(labels).index(-1)]
        # Each distinct score is worked on once: a hard row of thousands of classes holds two or three.
        others = np.setdiff1d(np.arange(len(scores)), own)
        distinct, where, counts = np.unique(scores[others], return_inverse=True, return_counts=True)
        total, gradient = mpf(0), np.full(scores.shape, mpf(0), object)
        for label in own:
            gaps = [1 - mpf(float(scores[label])) + x for x in numbers(distinct)]
            inside = np.array([int(gap > 0) for gap in gaps])
            total += mp.fsum(int(n) * max(mpf(0), gap) for n, gap in zip(counts, gaps, strict=True))
            gradient[others] += inside[where]
            gradient[label] -= int((inside * counts).sum())
        return total / len(scores), gradient / len(scores)


def hinge_embedding_loss(x: Any, y: Any) -> Any:
    """Return the loss of a distance, with a margin of 1."""
    return x if y == 1 else max(mpf(0), 1 - x)


def margin_ranking_loss(x1: Any, x2: Any, y: Any) -> Any:
    """Return the loss of a pair of scores, without a margin."""
    return max(mpf(0), -y * (x1 - x2))


def soft_margin_loss(x: Any, y: Any) -> Any:
    """Return the loss of a score."""
    return mp.log(1 + mp.exp(-y * x))


def multilabel_soft_margin_loss(
    logits: NDArray[Any], labels: NDArray[Any]
) -> tuple[Any, NDArray[Any]]:
    """Return the mean of the classes' losses, and of each class its share in the gradient."""
    with mp.workprec(ROW_BITS):
        # Of a label of 1 and a logit the loss is that of a label of 0 and minus the logit.
        wrong, where, counts = np.unique(
            np.where(labels == 1, -logits, logits), return_inverse=True, return_counts=True
        )
        distinct = numbers(wrong)
        losses = [mp.log(1 + mp.exp(x)) for x in distinct]
        total = mp.fsum(int(n) * loss for n, loss in zip(counts, losses, strict=True))
        slopes = np.array([1 / (1 + mp.exp(-x)) / logits.size for x in distinct], object)[where]
        return total / logits.size, np.where(labels == 1, -slopes, slopes)


def kl_div(x: Any, y: Any) -> Any:
    """Return the divergence of a log-probability from a probability above 0."""
    return y * (mp.log(y) - x)


def poisson_nll_loss(x: Any, y: Any) -> Any:
    """Return the loss of a count and the logarithm of the expected one."""
    return mp.exp(x) - y * x


def gaussian_nll_loss(x: Any, y: Any, v: Any) -> Any:
    """Return the loss of a mean, a number and a variance of at least eps = 1e-6."""
    s = max(v, mpf(1e-6))
    return (mp.log(s) + (x - y) ** 2 / s) / 2


def ctc_loss(
    log_probs: NDArray[Any], labels: NDArray[Any], input_length: int, target_length: int
) -> tuple[Any, NDArray[Any]]:
    """Return the loss and minus the occupancies, from probabilities added up forward and backward.

    The blank is class 0. In mpmath's numbers no product of probabilities underflows.
    """
    with mp.workprec(ROW_BITS):
        states = [0]
        for label in labels[:target_length]:
            states += [int(label), 0]
        used = sorted(set(states))
        probabilities = [
            dict(zip(used, map(mp.exp, numbers(row[used])), strict=True))
            for row in log_probs[:input_length]
        ]
        count = len(states)
        skips = [s > 1 and states[s] != 0 and states[s] != states[s - 2] for s in range(count)]
        forward: list[list[Any]] = []
        for t, p in enumerate(probabilities):
            ways = [mpf(int(s < 2 and t == 0)) for s in range(count)]
            if t:
                b = forward[-1]
                ways = [
                    b[s] + (b[s - 1] if s else 0) + (b[s - 2] if skips[s] else 0)
                    for s in range(count)
                ]
            forward.append([way * p[k] for way, k in zip(ways, states, strict=True)])
        gradient = np.full(log_probs.shape, mpf(0), object)
        backward = [mpf(int(s >= count - 2)) for s in range(count)]
        total = mp.fsum(f * b for f, b in zip(forward[-1], backward, strict=True))
        for t in range(input_length - 1, -1, -1):
            for s, k in enumerate(states):
                gradient[t, k] -= forward[t][s] * backward[s] / total
            b = [way * probabilities[t][k] for way, k in zip(backward, states, strict=True)]
            backward = [
                b[s]
                + (b[s + 1] if s + 1 < count else 0)
                + (b[s + 2] if s + 2 < count and skips[s + 2] else 0)
                for s in range(count)
            ]
        return -mp.log(total), gradient


def _length(vector: list[Any]) -> Any:
    return mp.sqrt(mp.fsum(x * x for x in vector))


def _distance(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, list[Any]]:
    """Return the length of x - y + 1e-6, and its direction (0 where it is 0)."""
    eps = mpf(1e-6)
    difference = [a - b + eps for a, b in zip(numbers(x), numbers(y), strict=True)]
    length = _length(difference)
    return length, [r / length if length else mpf(0) for r in difference]


def pairwise_distance(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the distance and its gradient, a direction."""
    with mp.workprec(DIFFERENCE_BITS):
        length, direction = _distance(x, y)
        return length, np.array(direction, object)


def cosine_similarity(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the cosine and its gradient, of vectors longer than epsilon."""
    with mp.workprec(DIFFERENCE_BITS):
        one, two = numbers(x), numbers(y)
        length, other = _length(one), _length(two)
        cosine = mp.fsum(a * b for a, b in zip(one, two, strict=True)) / (length * other)
        slope = [(b / other - cosine * a / length) / length for a, b in zip(one, two, strict=True)]
        return cosine, np.array(slope, object)


def cosine_embedding_loss(
    x: NDArray[Any], y: NDArray[Any], target: float
) -> tuple[Any, NDArray[Any]]:
    """Return 1 - cos for a target of 1, max(0, cos) for -1, and its gradient."""
    with mp.workprec(DIFFERENCE_BITS):
        cosine, slope = cosine_similarity(x, y)
        if target == 1:
            return 1 - cosine, -slope
        return (cosine, slope) if cosine > 0 else (mpf(0), 0 * slope)


def triplet_margin_loss(
    positive: NDArray[Any], anchor: NDArray[Any], negative: NDArray[Any]
) -> tuple[Any, NDArray[Any]]:
    """Return the loss for a margin of 1, and its gradient in the positive example."""
    with mp.workprec(DIFFERENCE_BITS):
        near, direction = _distance(anchor, positive)
        loss = near - _distance(anchor, negative)[0] + 1
        slope = -np.array(direction, object)
        return (loss, slope) if loss > 0 else (mpf(0), 0 * slope)


def dice_loss(logits: NDArray[Any], mask: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the loss of logits of one class against 0 and 1, and its gradient; smoothed by 1e-5."""
    with mp.workprec(ROW_BITS):
        # Each distinct logit is worked on once: hard rows hold two.
        distinct, where = np.unique(logits, return_inverse=True)
        shares = np.array([1 / (1 + mp.exp(-x)) for x in numbers(distinct)], object)
        p, s = shares[where.reshape(logits.shape)], mpf(1e-5)
        size = mp.fsum(p.flat) + int(mask.sum()) + s
        loss = 1 - (2 * mp.fsum(p[mask == 1]) + s) / size
        slopes = (1 - loss - 2 * mask.astype(int)) / size
        bends = np.array([q * (1 - q) for q in shares], object)[where.reshape(logits.shape)]
        return loss, slopes * bends


def entropy_loss(logits: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the entropy of the softmax, and p times how far each logit lies below the mean logit."""
    with mp.workprec(ROW_BITS):
        # Each distinct logit is worked on once, as in cross entropy.
        distinct, where, counts = np.unique(logits, return_inverse=True, return_counts=True)
        distances = [x - mpf(float(distinct[-1])) for x in numbers(distinct)]
        shares = [mp.exp(d) for d in distances]
        total = mp.fsum(int(n) * share for n, share in zip(counts, shares, strict=True))
        mean = mp.fsum(
            int(n) * share * d for n, share, d in zip(counts, shares, distances, strict=True)
        )
        mean /= total
        gradient = [share / total * (mean - d) for share, d in zip(shares, distances, strict=True)]
        return mp.log(total) - mean, np.array(gradient, object)[where]


def focal_loss(logits: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return (1 - p)^2 times the cross entropy, and its slope in log (1 - p)/p times that of each logit."""
    with mp.workprec(ROW_BITS):
        loss, residual = cross_entropy(logits, label)
        rest = -residual[label]
        slope = rest**2 * (2 * (1 - rest) * loss + rest)
        return rest**2 * loss, residual * (slope / rest)


def sigmoid_focal_loss(x: Any, y: Any) -> Any:
    """Return the loss of a logit, with alpha 1/4 and gamma 2."""
    p, q = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
    return _focal(y, p, q, binary_cross_entropy_with_logits(x, y))


def binary_focal_loss(x: Any, y: Any) -> Any:
    """Return the same of a probability."""
    return _focal(y, x, 1 - x, binary_cross_entropy(x, y))


def _focal(y: Any, p: Any, q: Any, cross_entropy: Any) -> Any:
    balance = y / 4 + (1 - y) * 3 / 4
    return balance * (p * (1 - y) + q * y) ** 2 * cross_entropy
