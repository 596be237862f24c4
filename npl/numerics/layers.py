r"""The calculus of linear layers, $z = x W^\top + b$, on a block of rows.

Each product of matrices is one call of BLAS. An element of a product is an inner product $s = \sum_k
a_k b_k$ of $n$ terms, with an error of at most $n u \sum_k |a_k b_k|$ [1]_, and in the blocks of
BLAS far less.

References
----------
.. [1] N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npl.numerics.rows import CLASS_MAJOR_UP_TO, Array

_ADDED_BYTES = 1 << 21  # of a gradient, in cache from its making to its adding


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    r"""Return $x W^\top + b$ (n, C), in new memory, class-major where there are few classes."""
    if len(weight) > CLASS_MAJOR_UP_TO:
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
    r"""Add $a^\top b$ to `total`, some rows at a time, without a temporary of its size.

    The gradient of a layer's weight, for `a` the gradient of its output and `b` its input. NumPy's BLAS
    alone, which cannot add: SciPy's can, but it is another library with threads of its own, and the two
    wait for each other's.
    """
    rows, width = total.shape
    step = max(1, _ADDED_BYTES // max(1, width * total.itemsize))
    for start in range(0, rows if width and len(a) else 0, step):
        part = total[start : start + step]
        part += a[:, start : start + step].T @ b


class Layers:
    r"""Linear layers, one after the other, on a block of rows: their output, and the ways back.

    With $x_0 = x$ and $x_{k+1} = x_k W_k^\top$, the last one with the bias $b$ if there is one. For $g$
    the gradient in the output, that in $W_k$ is $g_k^\top x_k$ and $g_k W_k$ the one in $x_k$, so $g_{k-1}
    = g_k W_k$ from the last layer to the first. Its derivative along $(\dot x, \dot W, \dot b)$, with $\dot
    g$ that of $g$, is $\dot g_k^\top x_k + g_k^\top \dot x_k$ and $\dot g_{k-1} = \dot g_k W_k + g_k \dot
    W_k$.

    Attributes
    ----------
    output : ndarray (n, C)
        In memory of its own, which whoever has no more use for it may write to.
    """

    def __init__(self, x: Array, weights: Sequence[Array], bias: Array | None = None) -> None:
        self._weights = weights
        self._inputs = [x]
        for weight in weights[:-1]:
            self._inputs.append(linear(self._inputs[-1], weight))
        self.output = linear(self._inputs[-1], weights[-1], bias)

    def push(
        self, dx: Array | None, dweights: Sequence[Array | None], dbias: Array | None
    ) -> list[Array | None]:
        """Return the changes of each layer's input, and at the end that of the output; None is zero."""
        changes = [dx]
        for x, weight, dweight in zip(self._inputs, self._weights, dweights, strict=True):
            last = len(changes) == len(self._weights)
            changes.append(linear_jvp(x, weight, changes[-1], dweight, dbias if last else None))
        return changes

    def pull(
        self, g: Array, along_weights: Sequence[Array | None], along_bias: Array | None
    ) -> Array:
        """Add the gradients of weights and bias for `g`, that of the output; return that of the input."""
        if along_bias is not None:
            along_bias += g.sum(0)
        for k in reversed(range(len(self._weights))):
            own = along_weights[k]
            if own is not None:
                add_outer(own, g, self._inputs[k])
            g = g @ self._weights[k]
        return g

    def pull_change(
        self,
        g: Array,
        dg: Array,
        changes: Sequence[Array | None],
        dweights: Sequence[Array | None],
        along_weights: Sequence[Array | None],
        along_bias: Array | None,
    ) -> Array:
        """Add the derivatives of what `pull` adds, and return that of what it returns.

        `changes` are those of `push`, and `dg` is the change of `g`.
        """
        if along_bias is not None:
            along_bias += dg.sum(0)
        for k in reversed(range(len(self._weights))):
            own, dx, dweight = along_weights[k], changes[k], dweights[k]
            if own is not None:
                add_outer(own, dg, self._inputs[k])
                if dx is not None:
                    add_outer(own, g, dx)
            dg = dg @ self._weights[k]
            if dweight is not None:
                dg += g @ dweight
            g = g @ self._weights[k]
        return dg
