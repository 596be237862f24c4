"""Inverses, determinants and factorisations of matrices.

References
----------
.. [1] M. B. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
   differentiation", Advances in Automatic Differentiation, 2008.
.. [2] I. Murray, "Differentiation of the Cholesky decomposition", arXiv:1602.07527, 2016.
.. [3] G. W. Stewart, "On the adjugate matrix", Linear Algebra Appl. 283, 1998.
.. [4] G. H. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems
   whose variables separate", SIAM J. Numer. Anal. 10(2), 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, Several, summed_to, times
from npl.autodiff.registry import RULES, composed, function
from npl.autodiff.rules.shapes import swapped
from npl.autodiff.tape import as_array, plain

# ---------------------------------------------------------------------- inverses and determinants


def _inv_rule(ct: Any, ans: Any, x: Any) -> Any:
    transposed = swapped(ans)
    return -np.matmul(np.matmul(transposed, ct), transposed)


function(np.linalg.inv, _inv_rule)


def _is_vector(b: Any) -> bool:
    return bool(np.ndim(b) == 1)


def _solve_first(ct: Any, ans: Any, a: Any, b: Any) -> Any:
    if _is_vector(b):  # the gradient of a stack of results is one of vectors, not a matrix
        solved = np.linalg.solve(swapped(a), np.expand_dims(ct, -1))[..., 0]
        return summed_to(-np.expand_dims(solved, -1) * np.expand_dims(ans, -2), a.shape)
    solved = np.linalg.solve(swapped(a), ct)
    return summed_to(-np.matmul(solved, swapped(ans)), a.shape)


def _solve_second(ct: Any, ans: Any, a: Any, b: Any) -> Any:
    if _is_vector(b) and np.ndim(a) > 2:
        ct = np.expand_dims(ct, -1)
        return summed_to(np.linalg.solve(swapped(a), ct)[..., 0], np.shape(b))
    return summed_to(np.linalg.solve(swapped(a), ct), np.shape(b))


function(np.linalg.solve, _solve_first, _solve_second)


def _singular_basis(x: Any) -> tuple[Any, Any, Any, Any]:
    """Return U, s, V and det(U) det(V) = ±1."""
    u, s, vh = np.linalg.svd(x)
    sign = np.round(np.linalg.det(u) * np.linalg.det(vh))
    return u, s, swapped(vh), sign[..., None, None]


def _adjugate(x: Any) -> Any:
    """Return the adjugate, which a singular matrix has too, from the singular values [3]_."""
    u, s, v, sign = _singular_basis(x)
    others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]), -1)
    return sign * ((v * others[..., None, :]) @ swapped(u))


def _adjugate_product(ct: Any, x: Any) -> Any:
    """Return the derivative of the adjugate along `ct`, transposed, with no inverse.

    Between singular vectors x is diagonal, and there, with P_ij the product of all singular values but
    the i-th and j-th, d adj_ij = -P_ij dx_ij off the diagonal, and d adj_ii = Σ_{k≠i} P_ik dx_kk.
    """
    u, s, v, sign = _singular_basis(x)
    n = s.shape[-1]
    eye = np.eye(n, dtype=bool)
    left_out = eye[:, None, :] | eye[None, :, :]
    others = np.prod(np.where(left_out, 1, s[..., None, None, :]), -1) * ~eye
    middle = swapped(v) @ ct @ u
    diagonal = np.diagonal(middle, 0, -2, -1)
    turned = np.where(eye, (others @ diagonal[..., None])[..., 0][..., None, :], -others * middle)
    return sign * (u @ turned @ swapped(v))


_adjugate_change: Function = Function(
    _adjugate_product, lambda g, ans, ct, x: swapped(_adjugate_change(swapped(g), x)), None,
    name="derivative of the adjugate",
)  # fmt: skip
_adjugate_of = Function(_adjugate, lambda ct, ans, x: _adjugate_change(ct, x), name="adjugate")
function(np.linalg.det, lambda ct, ans, x: ct[..., None, None] * swapped(_adjugate_of(x)))


def _slogdet_rule(cts: list[Any], answers: Any, x: Any) -> Any:
    ct = cts[1]
    if ct is None:
        return np.zeros_like(plain(x))
    return np.reshape(ct, (*np.shape(ct), 1, 1)) * swapped(np.linalg.inv(x))


_slogdet = Several(np.linalg.slogdet, _slogdet_rule)


@composed(np.linalg.slogdet)
def _sign_and_log(x: Any) -> Any:
    sign, logarithm = _slogdet(x)
    return type(np.linalg.slogdet(np.eye(1)))(plain(sign), logarithm)


# ---------------------------------------------------------------------- factorisations


def _lower_half(x: Any) -> Any:
    """Return the lower triangle, with half of the diagonal."""
    return np.tril(x) * (1 - 0.5 * np.eye(x.shape[-1], dtype=x.dtype))


def _of_lower(symmetric: Any) -> Any:
    """Return the gradient with respect to the lower triangle, which is all that LAPACK reads."""
    n = symmetric.shape[-1]
    return np.tril(symmetric + swapped(symmetric)) * (1 - 0.5 * np.eye(n, dtype=symmetric.dtype))


def _cholesky_rule(ct: Any, ans: Any, x: Any, upper: bool = False) -> Any:
    transposed = swapped(ans)
    middle = _lower_half(np.matmul(transposed, ct))
    left = np.linalg.solve(transposed, middle)
    whole = swapped(np.linalg.solve(transposed, swapped(left)))
    return _of_lower(whole)


_cholesky = Function(np.linalg.cholesky, _cholesky_rule)


@composed(np.linalg.cholesky)
def _cholesky_either(a: Any, /, *, upper: bool = False) -> Any:
    return swapped(_cholesky(swapped(a))) if upper else _cholesky(a)


def _eigh_rule(cts: list[Any], answers: Any, x: Any) -> Any:
    """Return V (diag(w') + F ∘ VᵀV') Vᵀ, with F_ij = 1 / (w_j - w_i) off the diagonal [1]_."""
    values, vectors = answers
    of_values, of_vectors = cts
    n = x.shape[-1]
    eye = np.eye(n, dtype=x.dtype)
    middle: Any = 0.0
    if of_values is not None:
        middle = middle + eye * of_values[..., None, :]
    if of_vectors is not None:
        gaps = values[..., None, :] - values[..., :, None]
        turned = np.matmul(swapped(vectors), of_vectors)
        middle = middle + times(turned * (1 - eye), 1 / (gaps + eye))
    whole = np.matmul(np.matmul(vectors, middle), swapped(vectors))
    return _of_lower((whole + swapped(whole)) / 2)


_eigh = Several(np.linalg.eigh, _eigh_rule)


@composed(np.linalg.eigh)
def _eigh_either(a: Any, UPLO: str = "L") -> Any:
    results = _eigh(a if UPLO.upper() == "L" else swapped(a))
    return type(np.linalg.eigh(np.eye(1)))(*results)


RULES[np.linalg.eigvalsh] = lambda a, UPLO="L": _eigh_either(a, UPLO)[0]


def _svd_rule(cts: list[Any], answers: Any, x: Any) -> Any:
    """Return the gradient of U diag(s) Vᵀ, with F_ij = 1 / (s_j² - s_i²) off the diagonal [1]_."""
    u, s, vh = answers
    of_u, of_s, of_vh = cts
    eye = np.eye(s.shape[-1], dtype=x.dtype)
    middle: Any = 0.0
    if of_s is not None:
        # A singular value of 0 has a kink, as |x| has: the subgradient of least norm is 0.
        middle = middle + eye * np.where(plain(s) == 0, 0, of_s)[..., None, :]
    # (s_j - s_i)(s_j + s_i) keeps the digits of what is close together.
    gaps = (s[..., None, :] - s[..., :, None]) * (s[..., None, :] + s[..., :, None])
    inverse_gaps = (1 - eye) / (gaps + eye)
    outside: Any = 0.0
    if of_u is not None:
        turned = np.matmul(swapped(u), of_u)
        middle = middle + times(turned - swapped(turned), inverse_gaps) * s[..., None, :]
        if x.shape[-2] > x.shape[-1]:
            rest = (of_u - np.matmul(u, turned)) / s[..., None, :]
            outside = outside + np.matmul(rest, vh)
    if of_vh is not None:
        turned = np.matmul(vh, swapped(of_vh))
        middle = middle + s[..., :, None] * times(turned - swapped(turned), inverse_gaps)
        if x.shape[-1] > x.shape[-2]:
            rest = (of_vh - np.matmul(swapped(turned), vh)) / s[..., :, None]
            outside = outside + np.matmul(u, rest)
    return np.matmul(np.matmul(u, middle), vh) + outside


_thin_svd = Several(lambda x: np.linalg.svd(x, full_matrices=False), _svd_rule, name="svd")


@composed(np.linalg.svd)
def _svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if not compute_uv:
        return _thin_svd(a)[1]
    if full_matrices and a.shape[-2] != a.shape[-1]:
        raise TypeError(
            "npl: np.linalg.svd has a derivative rule for full_matrices=False and for square matrices; the "
            "other singular vectors are not unique."
        )
    return type(np.linalg.svd(np.eye(1)))(*_thin_svd(a))


RULES[np.linalg.svdvals] = lambda x, /: _thin_svd(x)[1]


# ---------------------------------------------------------------------- least squares


def _pinv_rule(ct: Any, ans: Any, a: Any, *_: Any, **__: Any) -> Any:
    """Return the transpose of dP = -P dA P + P Pᵀ dAᵀ (1 - A P) + (1 - P A) dAᵀ Pᵀ P [4]_."""
    transposed, of = swapped(ans), swapped(ct)
    left = of - np.matmul(a, np.matmul(ans, of))
    right = of - np.matmul(np.matmul(of, ans), a)
    return (
        np.matmul(np.matmul(left, ans), transposed)
        + np.matmul(np.matmul(transposed, ans), right)
        - np.matmul(np.matmul(transposed, ct), transposed)
    )


function(np.linalg.pinv, _pinv_rule)


@composed(np.linalg.lstsq)
def _lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = as_array(a), as_array(b)
    found = np.linalg.lstsq(plain(a), plain(b), rcond)
    limit = np.finfo(found[0].dtype).eps * max(a.shape) if rcond is None else rcond
    solution = np.matmul(np.linalg.pinv(a, limit), b)
    residuals = np.sum(np.square(b - np.matmul(a, solution)), 0, keepdims=np.ndim(b) == 1)
    full = found[1].size > 0
    return solution, residuals if full else found[1], found[2], np.linalg.svd(a, compute_uv=False)


def _qr_rule(cts: list[Any], answers: Any, a: Any) -> Any:
    q, r = answers
    of_q, of_r = cts
    middle: Any = 0.0
    if of_r is not None:
        middle = np.matmul(r, swapped(of_r))
    if of_q is not None:
        middle = middle - np.matmul(swapped(of_q), q)
    symmetric = np.tril(middle) + swapped(np.tril(middle, -1))
    whole = np.matmul(q, symmetric) if of_q is None else of_q + np.matmul(q, symmetric)
    return swapped(np.linalg.solve(r, swapped(whole)))


_qr = Several(np.linalg.qr, _qr_rule)


@composed(np.linalg.qr)
def _qr_factors(a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "r") or a.shape[-2] < a.shape[-1]:
        raise TypeError(
            "npl: np.linalg.qr has a derivative rule for mode='reduced' or 'r' and at least as many rows as "
            "columns."
        )
    factors = _qr(a)
    return factors[1] if mode == "r" else type(np.linalg.qr(np.eye(1)))(*factors)
