"""Arguments of losses of masks: a probability for each pixel and class, against the true masks.

One loss compares all pixels of a class, so a row of the kernels is all that belongs to one; or to all
classes of a sample, where a pixel's classes depend on each other. Kernels get either as sets of places,
(k, n, D): the D pixels of n rows, of k classes each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Interval, real_values
from npl.engine.classes import ClassLayout, class_labels
from npl.engine.operands import Operand
from npl.engine.reduction import sample_weights

SHARES = Interval(0, 1)  # of a pixel in a class
_LOGITS_HINT = "Are these logits? Did you mean activation='sigmoid' or activation='softmax'?"
_MASKS_HINT = "Masks hold 0 and 1, or shares between. Did you mean target / target.max()?"


class Masks(NamedTuple):
    """True masks, checked, and which of their places count how often."""

    target: Array  # of the input's shape, or indices: the same without the classes
    is_index: bool
    counts: Array | None  # broadcasts to `target`; None: each place once


def masks(
    loss: str,
    target: ArrayLike,
    shape: tuple[int, ...],
    ignore_index: int,
    sample_weight: ArrayLike | None,
    batch: bool,
) -> Masks:
    """Check masks against the shape (N, C, d1, ...) of an input.

    Where losses go over the batch, a sample's places count as often as its weight says; elsewhere the
    weights are those of losses, and here only tell which labels are nobody's concern.
    """
    samples, classes, *pixels = shape
    given = np.asarray(sample_weight).shape
    if batch and given not in ((), (1,), (samples,)):
        raise ValueError(
            f"{loss}: sample_weight has shape {given}; with batch=True it must be a scalar or have shape "
            f"{(samples,)}, a weight for each sample."
        )
    own = (samples,) if batch else (samples, classes)
    weights = sample_weights(loss, sample_weight, own, own)
    if np.ndim(target) == len(shape) - 1 and classes != 1:
        layout = ClassLayout(1, classes, (samples, *pixels))
        taking_part = weights if weights is None or batch else (weights != 0).any(-1)
        labels = class_labels(loss, target, layout, ignore_index, taking_part)
        y, valid, is_index = labels.indices, labels.valid, True
    else:
        y, valid, is_index = *_of_input_shape(loss, target, shape, ignore_index), False
    if valid is not None and valid.all():
        valid = None
    if not batch or weights is None:
        return Masks(y, is_index, valid)
    counts = weights.reshape(-1, *(1,) * (y.ndim - 1))
    return Masks(y, is_index, counts if valid is None else counts * valid)


def _of_input_shape(
    loss: str, target: ArrayLike, shape: tuple[int, ...], ignore_index: int
) -> tuple[Array, Array | None]:
    y = real_values(loss, "target", target)
    if y.shape != shape:
        samples, classes, *pixels = shape
        wanted, hint = f"{shape}", ""
        if classes != 1:
            wanted += f", or {(samples, *pixels)} for class indices"
            if y.shape == (samples, 1, *pixels):
                hint = " Did you mean target[:, 0]?"
        elif y.shape == (samples, *pixels):
            hint = " Did you mean target[:, None]?"
        raise ValueError(
            f"{loss}: target has shape {y.shape}; for input {shape} it must be {wanted}.{hint}"
        )
    # A look at both ends is quicker than one at all places, and mostly enough.
    if not y.size or y.min() > ignore_index or y.max() < ignore_index:
        return y, None
    return y, np.not_equal(y, ignore_index)


class MaskLayout(NamedTuple):
    """How the arguments lie in rows."""

    lead: tuple[int, ...]
    row: tuple[int, ...]  # the axes of the input that a row consists of
    places: tuple[int, ...]  # those of an array without classes
    row_losses: tuple[int, ...]
    shape: tuple[int, ...]  # of the losses


def mask_layout(shape: tuple[int, ...], *, is_coupled: bool, batch: bool) -> MaskLayout:
    """Return how an input (N, C, d1, ...) lies in rows: its samples' masks, or its samples if coupled."""
    samples, classes = shape[:2]
    row, places = tuple(range(2, len(shape))), tuple(range(1, len(shape) - 1))
    losses: tuple[int, ...] = (classes,) if batch else (samples, classes)
    if batch:
        row, places = (0, *row), (0, *places)
    if is_coupled:
        return MaskLayout((1,) if batch else (samples,), (1, *row), places, (classes,), losses)
    return MaskLayout(losses, row, places, (), losses)


def mask_operands(
    x: Array, given: Masks, layout: MaskLayout, *, are_logits: bool
) -> tuple[Operand, ...]:
    """Return the operands input and target, and how often places count if not all count once."""
    y, is_index, counts = given
    places = layout.places if is_index else layout.row
    if counts is not None:
        y = y if is_index else _hide(y, counts)
        x = x if are_logits else _hide(x, counts[:, None] if is_index else counts)
    domain, hint = (None, "") if are_logits else (SHARES, _LOGITS_HINT)
    operands = [Operand("input", x, layout.lead, layout.row, domain=domain, hint=hint)]
    domain, hint = (None, "") if is_index else (SHARES, _MASKS_HINT)
    operands.append(
        Operand("target", y, layout.lead, places, domain=domain, hint=hint, index=is_index)
    )
    if counts is not None:
        shape, aligned = y.shape, counts.shape
        operands.append(
            Operand(
                "counts", counts, layout.lead, places, shape=shape, aligned=aligned, constant=True
            )
        )
    return tuple(operands)


def _hide(shares: Array, counts: Array) -> Array:
    """Return shares with 0 for those that count for nothing, where one of these lies outside [0, 1]."""
    outside = ~SHARES.contains(shares) & (counts == 0)
    return np.where(outside, shares.dtype.type(0), shares) if outside.any() else shares


# ---------------------------------------------------------------------- blocks


def sets_of(rows: Array, dtype: Any, *, is_coupled: bool) -> Array:
    """Return a block of rows as contiguous sets of places, (k, n, D): of k classes, or of one."""
    if is_coupled:
        sets = np.moveaxis(rows.reshape(*rows.shape[:2], -1), 1, 0)
    else:
        sets = rows.reshape(1, len(rows), -1)
    is_contiguous = sets.flags.c_contiguous or sets.flags.f_contiguous
    return sets.astype(dtype, "K" if is_contiguous else "C", copy=not is_contiguous)


def write_sets(out: Array, sets: Array, *, is_coupled: bool) -> None:
    """Write what belongs to sets of places to where their rows have it."""
    rows = np.moveaxis(sets, 0, 1) if is_coupled else sets
    out[...] = rows.reshape(out.shape)


def coefficients_of(c: Array, losses: Array) -> Array:
    """Return the coefficients of the losses of a block as those lie, (k, n)."""
    return c.astype(np.float64).reshape(losses.shape[::-1]).T


def pixels_of(sets: Array) -> Array:
    """Return sets of places (C, n, D) as rows of classes, one for each pixel."""
    return sets.reshape(len(sets), -1).T


def from_pixels(rows: Array, like: Array) -> Array:
    """Return rows of classes as sets of places."""
    return rows.T.reshape(like.shape)
