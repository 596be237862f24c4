"""SciPy's logsumexp, softmax and log_softmax, for traced arrays too.

They are no ufuncs: SciPy's own turn a traced array into a plain one. Those here have the same signatures,
take plain arrays as well, and keep all digits where the largest term is all there is. Everything else of
`scipy.special` that has a derivative is a ufunc, and works as it is.

>>> import numpy as np, npl
>>> npl.grad(npl.special.logsumexp)(np.array([0.0, np.log(3.0)]))
array([0.25, 0.75])
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from npl.autodiff.blockwise import is_finite
from npl.autodiff.primitives import Function, Parents, spread, summed_to, times, zero_wins
from npl.autodiff.registry import METHODS
from npl.autodiff.rules.reductions import kept
from npl.autodiff.tape import Node, Primitive, plain
from npl.engine import threads
from npl.engine.arguments import Array
from npl.engine.threads import Block
from npl.numerics import (
    SumOfExp,
    centered,
    shifted_exp,
    softmax_jvp,
    split_softmax,
    sum_of_exp,
    sum_of_others,
)
from npl.numerics.rows import CLASS_MAJOR_UP_TO

_WORTHWHILE = 1 << 12  # elements: for fewer, blocks are too much ado
Axis = int | tuple[int, ...] | None

__all__ = ["log_softmax", "logsumexp", "softmax"]


def logsumexp(
    a: Any,
    axis: Axis = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    r"""Return the logarithm of a sum of exponentials, as `scipy.special.logsumexp`.

    $$\log \sum_i b_i e^{a_i}$$

    Parameters
    ----------
    a : array_like
        Of a float dtype, or integers, which become float64.
    axis : int or tuple of int, optional
        What to sum over; None: everything.
    b : array_like, optional
        Factors, broadcast with `a`; a 0 removes its element.
    keepdims : bool, default False
    return_sign : bool, default False
        Whether to return the sign of the sum too, and the logarithm of its absolute value.

    Returns
    -------
    scalar or ndarray, or a pair of them with `return_sign`
        Without `b` exact to a few units in the last place: with the largest element $m$, $m + \log(1 +
        \sum_{others} e^{a_i - m})$. The derivative is the softmax, $b_i e^{a_i} / \sum$.
    """
    a = _float(a)
    if b is None and not return_sign:
        result = _logsumexp(a, axis)
        return (
            kept(result, a.shape, axis if axis is not None else tuple(range(a.ndim)))
            if keepdims
            else result
        )
    weights = np.ones_like(plain(a)) if b is None else _float(b)
    from scipy import special as scipy_special  # type: ignore[import-untyped]  # slow to import

    # The derivative of a constant sign is 0: it is taken from the plain values.
    size, sign = scipy_special.logsumexp(
        plain(a), axis=axis, b=plain(weights), keepdims=True, return_sign=True
    )
    shape = np.broadcast_shapes(a.shape, weights.shape)
    result = _weighted(a, weights, size, sign, axis)
    if keepdims:
        result = kept(result, shape, axis if axis is not None else tuple(range(len(shape))))
    else:
        sign = np.reshape(sign, np.shape(plain(result)))[()]
    if return_sign:
        return result, sign
    return np.where(sign < 0, np.nan, result) if np.any(sign < 0) else result


def softmax(x: Any, axis: Axis = None) -> Any:
    r"""Return $e^{x_i} / \sum_k e^{x_k}$, as `scipy.special.softmax`.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        What sums to 1; None: everything.

    Returns
    -------
    ndarray
        Of the shape of `x`. Its derivative along $v$, $p \odot (v - p \cdot v)$, keeps its digits next to
        certainty.
    """
    return _softmax(_float(x), axis)


def log_softmax(x: Any, axis: Axis = None) -> Any:
    r"""Return $x_i - \log \sum_k e^{x_k}$, as `scipy.special.log_softmax`.

    Parameters
    ----------
    x : array_like
    axis : int or tuple of int, optional
        What sums to 1; None: everything.

    Returns
    -------
    ndarray
        Of the shape of `x`; at the largest element $-\log(1 + \sum_{others})$, which does not cancel.
    """
    return _log_softmax(_float(x), axis)


def _float(x: Any) -> Any:
    if isinstance(x, Node):
        return x
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


class _Rows:
    """An array seen as rows along some axes, and the way back."""

    def __init__(self, shape: tuple[int, ...], axis: Axis) -> None:
        every = tuple(range(len(shape)))
        axes = every if axis is None else normalize_axis_tuple(axis, len(shape))
        lead = [i for i in every if i not in axes]
        self.order = [*lead, *axes]
        self.is_in_order = self.order == list(every)
        self.shape = shape
        self.lead_shape = tuple([shape[i] for i in lead])
        self.count = math.prod(self.lead_shape)
        self.classes = math.prod([shape[i] for i in axes])

    def rows(self, array: Array) -> Array:
        """Return the rows (n, C), where possible as a view."""
        arranged = array if self.is_in_order else array.transpose(self.order)
        return arranged.reshape(self.count, self.classes)

    def of(self, array: Array) -> Array:
        """Return the rows (n, C) as they are worked on."""
        return _arranged(self.rows(array))

    def restored(self, rows: Array, dtype: Any) -> Any:
        """Return rows as an array of the original shape."""
        back: Any = rows.reshape([self.shape[i] for i in self.order])
        if not self.is_in_order:
            back = back.transpose(np.argsort(self.order))
        return back.astype(dtype, copy=False)[()]

    def reduced(self, values: Array, dtype: Any) -> Any:
        """Return one value per row in the shape without the axes."""
        result: Any = values.reshape(self.lead_shape).astype(dtype, copy=False)
        return result[()]


def _rows_along(shape: tuple[int, ...], axis: Any) -> _Rows:
    """Return the rows along some axes: shapes come again and again."""
    return _cached_rows(
        shape, axis if axis is None or isinstance(axis, tuple) else operator.index(axis)
    )


_cached_rows = lru_cache(maxsize=256)(_Rows)


def _arranged(rows: Array, *, copy: bool | None = None) -> Array:
    """Return rows, or a copy, as they are worked on: in float32 at least.

    Few classes lie one after the other: there NumPy reduces over whole vectors of rows. Of many, each row
    lies in one piece: there it adds pairwise, and loses fewer digits.
    """
    dtype = np.float32 if rows.dtype == np.float16 else rows.dtype.type
    order: Any = "F" if rows.shape[1] <= CLASS_MAJOR_UP_TO else "C"
    return np.array(rows, dtype, order=order, copy=copy)


def _sums(rows: Array) -> tuple[list[Block], list[SumOfExp]]:
    """Return blocks of rows, and the sums of each."""
    if rows.size < _WORTHWHILE:
        with np.errstate(all="ignore"):
            return [(slice(None),)], [sum_of_exp(rows, _arranged(rows, copy=True))]
    row_bytes = rows.shape[1] * _arranged(rows[:0]).itemsize
    blocks = threads.blocks(rows.shape[:1], row_bytes)
    return blocks, threads.run(blocks, lambda b: sum_of_exp(rows[b], _arranged(rows[b], copy=True)))


def _still(product: Any, v: Any, axis: Axis) -> Any:
    """Return a product with rows `v`: 0 where such a row is, also beside a softmax that is NaN."""
    if math.isfinite(np.add.reduce(plain(product), None)):
        return product
    return np.where(np.all(plain(v) == 0, axis, keepdims=True), 0, product)


class _LogSumExp(Primitive):
    """The logarithm of a sum of exponentials, which keeps them for its gradient."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return the logarithm; traced, with the exponentials beside it."""
        argument, axis = args
        a = plain(argument)
        view = _rows_along(a.shape, axis)
        if a.size:
            blocks, sums = _sums(view.rows(a))
            logarithms = [own.logarithm for own in sums]
            logarithm = logarithms[0] if len(sums) == 1 else np.concatenate(logarithms)
        else:
            blocks, sums, logarithm = [], [], np.full(view.count, -np.inf, a.dtype)
        value = view.reduced(logarithm, a.dtype)
        if not isinstance(argument, Node):
            return value
        return self.result(value, self, [(0, argument)], (a, axis, view, blocks, sums))

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return the softmax times the cotangent."""
        ((_, parent),) = parents
        a, axis, view, blocks, sums = node.traced_arguments() if recorded else node.arguments
        if recorded or not a.size:
            ct = spread(kept(cotangent, a.shape, axis), a.shape)
            return [(parent, times(ct, softmax(a, axis)))]
        rows = cotangent.reshape(-1, 1)
        if len(sums) == 1:
            gradient = _softmax_times(rows, sums[0])
        else:
            order: Any = "F" if sums[0].exp.flags.f_contiguous else "C"
            gradient = np.empty((view.count, view.classes), sums[0].exp.dtype, order)

            def write(part: tuple[Block, SumOfExp]) -> None:
                block, own = part
                _softmax_times(rows[block], own, gradient[block])

            threads.run(list(zip(blocks, sums, strict=True)), write)
        return [(parent, view.restored(gradient, a.dtype))]


def _softmax_times(ct: Array, sums: SumOfExp, out: Array | None = None) -> Array:
    """Return the cotangent of each row times its softmax, in which a zero wins."""
    total = sums.total[:, None]
    product: Array = np.multiply(sums.exp, ct / total, out=out)
    if not is_finite(product):
        product[...] = zero_wins(ct, sums.exp / total)
    return product


def _plain_softmax(x: Array, axis: Axis) -> Any:
    view = _rows_along(x.shape, axis)
    if not x.size:
        return x.copy()
    with np.errstate(invalid="ignore"):
        exp = shifted_exp(view.of(x)).exp
        exp /= exp.sum(-1, keepdims=True)
    return view.restored(exp, x.dtype)


def _plain_log_softmax(x: Array, axis: Axis) -> Any:
    if not x.size:
        return x.copy()
    view = _rows_along(x.shape, axis)
    with np.errstate(invalid="ignore"):
        nlp = split_softmax(view.of(x)).nlp
    return view.restored(np.subtract(0, nlp, out=nlp), x.dtype)


def _product(p: Array, v: Array, axis: Axis) -> Any:
    if not p.size:
        return np.zeros_like(p)
    view = _rows_along(p.shape, axis)
    return _still(view.restored(softmax_jvp(view.of(p), view.of(v)), p.dtype), v, axis)


def _product_by_p(g: Any, ans: Any, p: Any, v: Any, axis: Axis) -> Any:
    mean = np.sum(p * v, axis, keepdims=True)
    return _still(g * (v - mean) - v * np.sum(g * p, axis, keepdims=True), v, axis)


def _residual(x: Array, ct: Array, axis: Axis) -> Any:
    """Return ct - softmax(x) Σ ct, without subtracting what is nearly equal."""
    if not x.size:
        return np.zeros_like(x)
    view = _rows_along(x.shape, axis)
    rows = view.of(ct)
    with np.errstate(invalid="ignore"):
        split = split_softmax(view.of(x))
    residual = rows * split.complement - split.p * sum_of_others(rows)
    return _still(view.restored(residual, x.dtype), ct, axis)


def _residual_by_x(g: Any, ans: Any, x: Any, ct: Any, axis: Axis) -> Any:
    product = -_softmax_product(softmax(x, axis), g, axis) * np.sum(ct, axis, keepdims=True)
    return _still(product, ct, axis)


def _residual_by_ct(g: Any, ans: Any, x: Any, ct: Any, axis: Axis) -> Any:
    return _centered(softmax(x, axis), g, axis)


def _plain_centered(p: Array, v: Array, axis: Axis) -> Any:
    view = _rows_along(p.shape, axis)
    return _still(view.restored(centered(view.of(p), view.of(v)), p.dtype), v, axis)


def _weighted_value(a: Array, b: Array, size: Any, sign: Any, axis: Axis) -> Any:
    shape = np.broadcast_shapes(a.shape, b.shape)
    view = _rows_along(shape, axis)
    return view.reduced(np.asarray(size).reshape(-1), np.asarray(size).dtype)


def _share(ct: Any, a: Any, b: Any, size: Any, sign: Any, axis: Axis) -> Any:
    """Return the cotangent times sign · e^(a - ans), of the broadcast shape."""
    shape = np.broadcast_shapes(np.shape(plain(a)), np.shape(plain(b)))
    ct = spread(kept(ct, shape, axis), shape)
    result = _weighted(a, b, size, sign, axis)
    removed = plain(b) == 0
    exponent = np.where(removed, 0, a) - kept(result, shape, axis)
    return times(ct, np.exp(exponent) * sign)


def _weighted_by_a(ct: Any, ans: Any, a: Any, b: Any, size: Any, sign: Any, axis: Axis) -> Any:
    return summed_to(times(_share(ct, a, b, size, sign, axis), b), np.shape(plain(a)))


def _weighted_by_b(ct: Any, ans: Any, a: Any, b: Any, size: Any, sign: Any, axis: Axis) -> Any:
    return summed_to(_share(ct, a, b, size, sign, axis), np.shape(plain(b)))


_softmax = Function(
    _plain_softmax, lambda ct, ans, x, axis: _softmax_product(ans, ct, axis), None, name="softmax"
)
_logsumexp = _LogSumExp(lambda a, axis: logsumexp(a, axis), "logsumexp")
_log_softmax = Function(
    _plain_log_softmax,
    lambda ct, ans, x, axis: _log_residual(x, ct, axis),
    None,
    name="log_softmax",
)
_softmax_product: Function = Function(
    _product,
    _product_by_p,
    lambda g, ans, p, v, axis: _softmax_product(p, g, axis),
    None,
    name="softmax product",
)
_log_residual: Function = Function(
    _residual, _residual_by_x, _residual_by_ct, None, name="softmax residual"
)
_centered = Function(
    _plain_centered,
    lambda g, ans, p, v, axis: -v * np.sum(g, axis, keepdims=True),
    lambda g, ans, p, v, axis: _still(g - p * np.sum(g, axis, keepdims=True), g, axis),
    None,
    name="centered",
)
_weighted = Function(
    _weighted_value, _weighted_by_a, _weighted_by_b, None, None, None, name="logsumexp"
)


def _reduced(
    x: Any, axis: Axis = 0, dtype: Any = None, out: None = None, keepdims: bool = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """Return the logarithm of a sum of exponentials as `np.logaddexp.reduce` has it."""
    x = x if dtype is None else x.astype(dtype)
    x = x if where is True else np.where(where, x, x.dtype.type(-np.inf))
    result = logsumexp(x, axis, keepdims=keepdims)
    return result if initial is None else np.logaddexp(initial, result)


METHODS[np.logaddexp, "reduce"] = _reduced
