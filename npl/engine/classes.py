"""Arguments of losses over classes: `(..., C)` as torch lays it out, labels, class weights."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, floats, indices, position, real_values, shape_mismatch
from npl.engine.operands import Operand
from npl.engine.reduction import sample_weights


class ClassLayout(NamedTuple):
    """Where the classes of an input lie, as torch has it: (C), (N, C) or (N, C, d1, d2, ...)."""

    axis: int
    classes: int
    shape: tuple[int, ...]  # without the class axis: of the labels and of the losses

    @property
    def lead(self) -> tuple[int, ...]:
        """The shape over which kernels run: one unbatched sample is a batch of one."""
        return self.shape or (1,)


def class_layout(loss: str, input: Array) -> ClassLayout:
    """Return where the classes of `input` lie."""
    if input.ndim == 0:
        raise ValueError(
            f"{loss}: input has shape (); it must be (C,), (N, C) or (N, C, d1, ...). "
            "Did you mean input[None]?"
        )
    axis = min(1, input.ndim - 1)
    return ClassLayout(axis, input.shape[axis], input.shape[:axis] + input.shape[axis + 1 :])


def rows_of_classes(loss: str, input: ArrayLike) -> tuple[Operand, ClassLayout]:
    """Check scores (C) or (N, C), for losses that take no other; a scalar is a row of one class."""
    scores = floats(loss, "input", input)
    if scores.ndim > 2:
        raise ValueError(f"{loss}: input has shape {scores.shape}; it must be (C,) or (N, C).")
    row = scores.shape or (1,)
    layout = ClassLayout(len(row) - 1, row[-1], row[:-1])
    operand = Operand("input", scores, layout.lead, (layout.axis,), shape=row, aligned=row)
    return operand, layout


def holds_probabilities(target: ArrayLike, logits: tuple[int, ...]) -> bool:
    """Whether a target is a distribution over the classes of logits of a shape.

    Torch's rule: by the target's shape, then by its dtype.
    """
    array = np.asarray(target)
    if array.shape != logits:
        return array.dtype.kind == "f" and array.ndim == len(logits) > 1
    return array.ndim > 1 or array.dtype.kind == "f" or array.size > 1


def no_index_to_ignore(loss: str, ignore_index: int) -> ValueError:
    """Return the error for an `ignore_index` beside a distribution over the classes."""
    return ValueError(
        f"{loss}: ignore_index is {ignore_index}, but target holds class probabilities: there is no "
        "index to ignore. Did you mean sample_weight=, with 0 for what is ignored?"
    )


class Labels(NamedTuple):
    """Class indices that are all in range, and which of the caller's were not ignored."""

    indices: Array  # of the lead shape; 0 in place of what is ignored
    valid: Array | None  # bool of the lead shape; None: all

    def counts(self, weight: Array | None) -> Array | None:
        """Return what each label counts for: its class's weight, 0 if ignored; None: 1 each."""
        if weight is None or weight.size == 0:
            return self.valid
        own = weight.take(self.indices)
        return own if self.valid is None else np.where(self.valid, own, 0)


def class_labels(
    loss: str,
    target: ArrayLike,
    layout: ClassLayout,
    ignore_index: int | None,
    sample_weight: ArrayLike | None,
    *,
    reference: str | None = None,
) -> Labels:
    """Check class indices against the input; `ignore_index` is None where a loss ignores none.

    `reference` is what messages say that the shape must fit, by default the input as `layout` has it.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If the shape does not fit.
    IndexError
        If one that counts lies outside the classes; the message has its place and value.
    """
    of_input = (*layout.shape[:1], layout.classes, *layout.shape[1:])
    labels = indices(loss, "target", target, one_hot=of_input)
    one_of_unbatched = layout.shape == () and labels.shape == (1,)  # torch takes both () and (1,)
    if labels.shape != layout.shape and not one_of_unbatched:
        reference = reference or f"input {of_input}"
        raise shape_mismatch(loss, "target", labels.shape, reference, layout.shape)
    labels = labels.reshape(layout.lead)
    if labels.size == 0:
        return Labels(labels.astype(np.intp), None)
    if labels.dtype.kind == "b":
        labels = labels.view(np.uint8)
    # Seen as unsigned, a negative label is larger than any class: one look finds both ends.
    unsigned = labels.view(f"{labels.dtype.byteorder}u{labels.itemsize}")
    in_range = np.maximum.reduce(unsigned, None) < layout.classes
    if in_range and (ignore_index is None or not 0 <= ignore_index < layout.classes):
        return Labels(labels, None)
    valid = np.ones(labels.shape, bool) if ignore_index is None else labels != ignore_index
    if not in_range:
        outside = valid & ((labels < 0) | (labels >= layout.classes))
        weights = sample_weights(loss, sample_weight, layout.shape, layout.lead)
        if weights is not None:
            outside &= weights != 0
            valid = valid & (weights != 0)
        if outside.any():
            raise _out_of_range(loss, labels, outside, layout, ignore_index)
    return Labels(np.where(valid, labels, labels.dtype.type(0)), valid)


def _out_of_range(
    loss: str, labels: Array, outside: Array, layout: ClassLayout, ignore_index: int | None
) -> IndexError:
    index = tuple(np.argwhere(outside)[0])
    value = int(labels[index])
    where = position(index) if layout.shape else ""
    if layout.classes == 0:
        return IndexError(f"{loss}: target{where} is {value}, but input has no classes.")
    if ignore_index is None:
        ignored, if_negative = "", "Did you mean sample_weight=, with 0 for what is ignored?"
    else:
        ignored = f" or be ignore_index ({ignore_index})"
        if_negative = f"Did you mean ignore_index={value}?"
    hint = range_hint(value, layout.classes, if_negative)
    return IndexError(
        f"{loss}: target{where} is {value}; {in_classes(layout.classes)}{ignored}. {hint}"
    )


def in_classes(classes: int) -> str:
    """Return what messages ask of a label."""
    return f"for {classes} classes it must lie in [0, {classes - 1}]"


def range_hint(value: int, classes: int, if_negative: str) -> str:
    """Return the likely fix for a label that is no class."""
    if value == classes:
        return "Are your labels counted from 1? Did you mean target - 1?"
    return if_negative if value < 0 else "Does the input have a column for every class?"


def class_weight_scale(weight: ArrayLike) -> float:
    """Return a power of two near the largest class weight, for a loss that has them inside.

    Inside they are relative to it, so that none leaves the range of float32; the engine multiplies
    by it outside, in float64 (`outside_weight`).
    """
    largest = float(np.max(np.abs(np.asarray(weight, np.float64)), initial=0.0))
    return 2.0 ** math.frexp(largest)[1] if 0 < largest < math.inf else 1.0


def outside_weight(
    weight: ArrayLike | None, lead: tuple[int, ...], valid: Array | None
) -> Array | None:
    """Return what multiplies a loss that has its class weights inside, as that of a distribution."""
    if weight is None:
        return valid
    scale = np.broadcast_to(class_weight_scale(weight), lead)
    return scale if valid is None else scale * valid


def class_weights(loss: str, weight: ArrayLike | None, classes: int) -> Array | None:
    """Check a weight per class, `(C,)`."""
    if weight is None:
        return None
    checked = real_values(loss, "weight", weight)
    if checked.shape != (classes,):
        raise shape_mismatch(loss, "weight", checked.shape, f"{classes} classes", (classes,))
    return checked
