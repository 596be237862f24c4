"""Arguments of losses over sequences: lengths, and labels padded or laid end to end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npl.engine.arguments import Array, indices, position, shape_mismatch
from npl.engine.classes import in_classes


class Lengths(NamedTuple):
    """One length per sample, `(N,)`, under the argument's name."""

    name: str
    values: Array
    is_scalar: bool

    def check(self, loss: str, most: int, reason: str, removed: Array) -> None:
        """Raise unless all lengths lie in [0, most]; those of removed samples become 0, in place."""
        self.values[removed] = 0
        outside = (self.values < 0) | (self.values > most)
        if outside.any():
            (i,) = np.argwhere(outside)[0]
            where = "" if self.is_scalar else position((i,))
            raise ValueError(
                f"{loss}: {self.name}{where} is {self.values[i]}; {reason}, so that it must lie in "
                f"[0, {most}]."
            )


def lengths(loss: str, name: str, value: Any, shape: tuple[int, ...]) -> Lengths:
    """Check lengths of samples, of the shape `(N,)`, or `()` or `(1,)` for one unbatched sample.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If the shape does not fit.
    """
    array = indices(loss, name, value, what="lengths", kinds="iu")
    if array.shape != shape and not (shape == () and array.shape == (1,)):
        reference = f"{shape[0]} samples" if shape else "one sample"
        raise shape_mismatch(loss, name, array.shape, reference, shape)
    return Lengths(name, array.astype(np.intp).reshape(shape or (1,)), shape == ())


def padded_labels(
    loss: str,
    targets: Any,
    own: Lengths,
    shape: tuple[int, ...],
    classes: int,
    blank: int,
    removed: Array,
) -> Array:
    """Return labels as `(N, S)` with S of at least 1, the blank after each sample's last one.

    Parameters
    ----------
    targets : array_like
        `(N, S)`, or of one dimension: of one unbatched sample, or all samples' end to end.
    own : Lengths
        How many labels each sample has; checked here.
    removed : ndarray of bool
        Samples whose labels are nobody's concern.
    """
    labels = indices(loss, "targets", targets)
    samples = len(own.values)
    is_padded = labels.ndim == 2 or shape == ()
    if labels.ndim not in (1, 2) or (labels.ndim == 2 and len(labels) != samples):
        raise ValueError(
            f"{loss}: targets has shape {labels.shape}; for {samples} samples it must be "
            f"({samples}, S), or (sum of target_lengths,)."
        )
    if is_padded:
        table = labels.reshape(samples, labels.shape[-1])
        width = table.shape[1]
        own.check(loss, width, f"targets has {width} labels per sample", removed)
    else:
        own.check(loss, len(labels), f"targets has {len(labels)} labels", np.zeros_like(removed))
        total = int(own.values.sum())
        if total != len(labels):
            raise ValueError(
                f"{loss}: targets has shape {labels.shape}; for labels laid end to end it must be "
                f"({total},), the sum of target_lengths."
            )
        width = int(own.values.max(initial=0))
    counts = np.arange(max(width, 1)) < own.values[:, None]
    padded = np.full(counts.shape, blank, np.intp)
    starts = np.zeros(samples, np.intp) if is_padded else own.values.cumsum() - own.values
    row, column = np.nonzero(counts)
    chosen = table[row, column] if is_padded else labels[starts[row] + column]
    ignored = removed[row]
    outside = ((chosen < 0) | (chosen >= classes) | (chosen == blank)) & ~ignored
    if outside.any():
        k = int(np.argmax(outside))
        at = (row[k], column[k]) if labels.ndim == 2 else (starts[row[k]] + column[k],)
        raise _wrong_label(loss, int(chosen[k]), position(at), classes, blank)
    padded[row, column] = np.where(ignored, blank, chosen)
    return padded


def _wrong_label(loss: str, value: int, where: str, classes: int, blank: int) -> IndexError:
    if value == blank:
        return IndexError(
            f"{loss}: targets{where} is {value}, which is the blank; no label may be. Are your labels "
            "counted from 0? Did you mean targets + 1, or another blank=?"
        )
    hint = (
        "Is it padding? Then target_lengths must leave it out."
        if value < 0
        else "Do log_probs have a column for every class, and one for the blank?"
    )
    return IndexError(f"{loss}: targets{where} is {value}; {in_classes(classes)}. {hint}")
