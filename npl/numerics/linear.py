r"""The calculus of a linear layer, $z = x W^\top + b$, on a block of rows.

Each product of matrices is one call of BLAS. An element of a product is an inner product $s = \sum_k
a_k b_k$ of $n$ terms, with an error of at most $n u \sum_k |a_k b_k|$ [1]_, and in the blocks of
BLAS far less.

References
----------
.. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, section 3.1.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas  # type: ignore[import-untyped]

from npl.numerics.rows import Array

# As kernels over classes want their rows: class-major where there are few (`npl.engine.operands`).
_CLASS_MAJOR_UP_TO = 64


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    r"""Return $x W^\top + b$ (n, C), in new memory, laid out as kernels over classes want it."""
    if len(weight) > _CLASS_MAJOR_UP_TO:
        z: Array = np.matmul(x, weight.T)
    else:
        z = np.matmul(weight, x.T).T
    if bias is not None:
        z += bias
    return z


def linear_jvp(
    x: Array,
    weight: Array,
    dx: Array | None,
    dweight: Array | None,
    dbias: Array | None,
) -> Array | None:
    r"""Return the change $dx\, W^\top + x\, dW^\top + db$ of $x W^\top + b$; None stays as it is."""
    change: Array | None = None
    if dx is not None:
        change = linear(dx, weight)
    if dweight is not None:
        moved = linear(x, dweight)
        change = moved if change is None else np.add(change, moved, out=change)
    if dbias is not None:
        if change is None:
            change = np.zeros_like(linear(x[:, :0], weight[:, :0]))
        change += dbias
    return change


def add_outer(total: Array, a: Array, b: Array) -> None:
    r"""Add $a^\top b$ to `total`, which is C-contiguous, without a temporary of its size.

    The gradient of a layer's weight, for `a` the gradient of its output and `b` its input.
    """
    if not (total.size and len(a)):
        return
    # BLAS counts columns first: totalᵀ += bᵀ a, and a row-major matrix is the transpose of what it sees.
    gemm = blas.sgemm if total.dtype == np.float32 else blas.dgemm
    left, left_is_transposed = _column_major(b.T)
    right, right_is_transposed = _column_major(a)
    gemm(
        1.0,
        left,
        right,
        beta=1.0,
        c=total.T,
        trans_a=left_is_transposed,
        trans_b=right_is_transposed,
        overwrite_c=True,
    )


def _column_major(matrix: Array) -> tuple[Array, bool]:
    """Return a matrix or its transpose, whichever is column-major, and whether it is the transpose."""
    if matrix.flags.f_contiguous:
        return matrix, False
    if not matrix.flags.c_contiguous:
        return np.asfortranarray(matrix), False
    return matrix.T, True
