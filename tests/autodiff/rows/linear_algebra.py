"""`numpy.linalg`."""

import numpy as np

from tests.autodiff.row import normal, positive_definite, row

_NO = "no such function"
_X = normal(3, 3)
_STACK = normal(2, 3, 3)
_PD, _PD_STACK = positive_definite(3, 3), positive_definite(2, 3, 3)
_WIDE = normal(2, 4)
_SYMMETRIC = "(x + np.swapaxes(x, -1, -2))"
_SINGULAR = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
_RANK_1 = np.outer([1.0, 2, 3], [1, -1, 2])

ROWS = [
    # Norms
    *[
        row(f"np.linalg.norm(x{options})", x, torch=torch and f"torch.linalg.norm(x{options})",
            without_hips=without)
        for x, options, torch, without in [
            (normal(4), "", True, None),
            (normal(4), ", 2", True, None),
            (normal(4), ", 1", True, "no rule"),
            (normal(4), ", 3", True, None),
            (normal(4), ", 0.5", True, "no rule"),
            (normal(4), ", -1", True, "its rule fails"),
            (normal(4), ", np.inf", False, "no rule"),
            (normal(4), ", -np.inf", False, "no rule"),
            (_X, "", True, None),
            (_X, ", 'fro'", True, None),
            (_X, ", 'nuc'", True, None),
            (_WIDE, ", 'nuc'", True, None),
            (_WIDE.T, ", 'nuc'", True, None),
            (_X, ", 2", True, "no rule"),
            (_X, ", -2", True, "no rule"),
            (_X, ", 1", True, "no rule"),
            (_X, ", -1", True, "no rule"),
            (_X, ", np.inf", False, "no rule"),
            (_X, ", -np.inf", False, "no rule"),
            (_STACK, "", False, None),
            (_STACK, ", axis=1", False, None),
            (_STACK, ", axis=-1", False, None),
            (_STACK, ", 1, axis=0", False, "no rule"),
            (_STACK, ", 3, 2", False, None),
            (_STACK, ", np.inf, axis=1", False, "no rule"),
            (_STACK, ", axis=(0, 2)", False, None),
            (_STACK, ", 'nuc', axis=(0, 2)", False, None),
            (_STACK, ", 1, axis=(2, 0)", False, "no rule"),
            (_STACK, ", axis=1, keepdims=True", False, "no such option"),
            (_STACK, ", axis=(0, 1), keepdims=True", False, "no such option"),
            (_STACK, ", keepdims=True", False, "no such option"),
            (_STACK, ", 1, (0, 1), keepdims=True", False, "no such option"),
            (_STACK, ", 3, axis=-1, keepdims=True", False, "no such option"),
        ]
    ],
    row("np.linalg.vector_norm(x)", _STACK, without_hips=_NO),
    row("np.linalg.vector_norm(x, keepdims=True, ord=3)", _STACK, without_hips=_NO),
    row("np.linalg.vector_norm(x, axis=1)", _STACK, without_hips=_NO),
    row("np.linalg.vector_norm(x, axis=(0, 2), ord=1)", _STACK, without_hips=_NO),
    row("np.linalg.vector_norm(x, axis=(0, 2), keepdims=True)", _STACK, without_hips=_NO),
    row("np.linalg.matrix_norm(x)", _STACK, without_hips=_NO),
    row("np.linalg.matrix_norm(x, keepdims=True, ord='fro')", _STACK, without_hips=_NO),
    # Inverses
    row("np.linalg.inv(x)", _X, torch="torch.linalg.inv(x)"),
    row("np.linalg.inv(x)", _STACK, torch="torch.linalg.inv(x)"),
    row("np.linalg.solve(x, y)", _X, normal(3), torch="torch.linalg.solve(x, y)"),
    row("np.linalg.solve(x, y)", _X, normal(3, 2), torch="torch.linalg.solve(x, y)"),
    row("np.linalg.solve(x, y)", _STACK, normal(2, 3, 2), torch="torch.linalg.solve(x, y)"),
    row("np.linalg.solve(x, y)", _STACK, normal(3, 2), without_hips="its rule fails"),
    row("np.linalg.solve(x, y)", _STACK, normal(3), without_hips="its rule fails"),
    row("np.linalg.solve(x, y)", _X, normal(2, 3, 2), without_hips="its rule fails"),
    # Determinants
    row("np.linalg.det(x)", _X, torch="torch.linalg.det(x)"),
    row("np.linalg.det(x)", _STACK, torch="torch.linalg.det(x)"),
    row("np.linalg.det(x)", normal(1, 1)),
    row("np.linalg.det(x)", normal(2, 2)),
    row("np.linalg.det(x)", normal(5, 5), torch="torch.linalg.det(x)"),
    row("np.linalg.det(x)", _SINGULAR, without_hips="inverts"),
    row("np.linalg.slogdet(x)[1]", _X, torch="torch.linalg.slogdet(x)[1]"),
    row("np.linalg.slogdet(x)[1]", _STACK, torch="torch.linalg.slogdet(x)[1]"),
    row("np.linalg.slogdet(x).logabsdet", _X, without_hips="its result has no names"),
    row("np.linalg.slogdet(x)[0] * x", _X),
    # Factorisations
    row("np.linalg.cholesky(x + x.T)", _PD, torch="torch.linalg.cholesky(x + x.T)"),
    row(f"np.linalg.cholesky({_SYMMETRIC})", _PD_STACK, torch="torch.linalg.cholesky(x + x.mT)"),
    row("np.linalg.cholesky(x)", _PD, without_hips="another gradient for the upper half"),
    row("np.linalg.cholesky(x + x.T, upper=True)", _PD, torch="torch.linalg.cholesky(x + x.T, upper=True)",
        without_hips="no such option"),
    row("np.linalg.eigh(x + x.T)[0]", _X, torch="torch.linalg.eigh(x + x.T)[0]"),
    row("np.linalg.eigh(x + x.T).eigenvalues", _X, without_hips="its result has no names"),
    row("np.linalg.eigh(x + x.T)[1] ** 2", _X, torch="torch.linalg.eigh(x + x.T)[1] ** 2"),
    row(f"np.linalg.eigh({_SYMMETRIC})[1] ** 2", _STACK, torch="torch.linalg.eigh(x + x.mT)[1] ** 2"),
    row("np.linalg.eigh(x + x.T, 'U')[0]", _X, torch="torch.linalg.eigh(x + x.T)[0]"),
    row("np.linalg.eigh(x, UPLO='U')[0] + np.linalg.eigh(x)[0]", _X,
        without_hips="another gradient for the other half"),
    row("np.linalg.eigvalsh(x + x.T)", _X, torch="torch.linalg.eigvalsh(x + x.T)", without_hips=_NO),
    row("np.linalg.eigvalsh(x + x.T, 'U')", _X, without_hips=_NO),
    row("np.sum(np.exp(np.linalg.eigvalsh(x + x.T)))", np.eye(3), order=1, without_hips=_NO),
    row("np.sum(np.linalg.eigh(x + x.T)[0] ** 2)", np.diag([1.0, 1, 2]), order=1),
    row("np.linalg.svd(x, compute_uv=False)", _WIDE, torch="torch.linalg.svdvals(x)"),
    row("np.linalg.svd(x, compute_uv=False)", normal(2, 4, 3), torch="torch.linalg.svdvals(x)"),
    row("np.linalg.svdvals(x)", _WIDE.T, torch="torch.linalg.svdvals(x)", without_hips=_NO),
    row("np.linalg.svd(x)[0] ** 2", _X, without_hips="thin ones only", torch="torch.linalg.svd(x)[0] ** 2"),
    row("np.linalg.svd(x).Vh ** 2", _X, torch="torch.linalg.svd(x)[2] ** 2", without_hips="no names"),
    row("np.linalg.svd(x, full_matrices=False)[0] ** 2", normal(4, 2),
        torch="torch.linalg.svd(x, full_matrices=False)[0] ** 2"),
    row("np.linalg.svd(x, full_matrices=False)[2] ** 2", normal(2, 4),
        torch="torch.linalg.svd(x, full_matrices=False)[2] ** 2"),
    row("np.linalg.svd(x, False)[0] * np.linalg.svd(x, False)[1] @ np.linalg.svd(x, False)[2]",
        normal(2, 4), order=1),
    # Least squares
    row("np.linalg.pinv(x)", normal(4, 2), torch="torch.linalg.pinv(x)"),
    row("np.linalg.pinv(x)", normal(2, 4), torch="torch.linalg.pinv(x)"),
    row("np.linalg.pinv(x)", normal(2, 3, 3), torch="torch.linalg.pinv(x)"),
    row("np.linalg.lstsq(x, y)[0]", normal(5, 2), normal(5),
        torch="torch.linalg.lstsq(x, y[:, None])[0][:, 0]",
        without_hips=_NO),
    row("np.linalg.lstsq(x, y)[1]", normal(5, 2), normal(5, 3), without_hips=_NO),
    row("np.linalg.lstsq(x, y)[1]", normal(5, 2), normal(5), without_hips=_NO),
    row("np.linalg.lstsq(x, y, rcond=None)[3]", normal(5, 2), normal(5, 3), without_hips=_NO),
    row("np.linalg.qr(x)[0]", normal(4, 2), torch="torch.linalg.qr(x)[0]", without_hips=_NO),
    row("np.linalg.qr(x).R ** 2", normal(4, 2), torch="torch.linalg.qr(x)[1] ** 2", without_hips=_NO),
    row("np.linalg.qr(x, 'r')", normal(2, 3, 3), torch="torch.linalg.qr(x)[1]", without_hips=_NO),
    row("np.linalg.qr(x)[0] @ np.linalg.qr(x)[1]", normal(3, 3), order=1, without_hips=_NO),
    row("np.linalg.cond(x)", _X, torch="torch.linalg.cond(x)", without_hips=_NO),
    row("np.linalg.cond(x, 'fro') + np.linalg.cond(x, -2)", _STACK, without_hips=_NO),
    # Parts
    row("np.trace(x)", _X, torch="torch.trace(x)"),
    row("np.trace(x, 1)", normal(3, 4)),
    row("np.trace(x, -1, 2, 0)", _STACK, without_hips="its rule fails"),
    row("np.linalg.trace(x, offset=1)", _STACK, without_hips=_NO),
    row("np.linalg.diagonal(x)", _STACK, without_hips=_NO),
    row("np.linalg.matrix_transpose(x) * 2", _STACK, without_hips=_NO),
    # What people write with them
    row("-0.5 * y @ np.linalg.solve(x, y) - 0.5 * np.linalg.slogdet(x)[1]", _PD, normal(3),
        torch="-0.5 * y @ torch.linalg.solve(x, y) - 0.5 * torch.linalg.slogdet(x)[1]"),
    row("np.sqrt(np.sum((x[:, None] - x[None]) ** 2, -1) + np.eye(3))", normal(3, 2)),
]  # fmt: skip
