"""`scipy.special`, and `npl.special`."""

from tests.autodiff.row import between, normal, row

_NO = "no such function"
_X, _CUBE = normal(2, 3), normal(2, 3, 4)
_POSITIVE, _UNIT = between(0.3, 4, 2, 3), between(0.05, 0.95, 2, 3)
_SYMMETRIC = between(-0.9, 0.9, 2, 3)

ROWS = [
    *[
        row(f"special.{name}(x)", x, torch=torch and f"torch.special.{torch}(x)",
            without_hips=without, order=order, rtol=1e-8 if name in ("digamma", "psi") else 1e-10)
        for name, x, torch, without, order in [
            ("expit", _X, "expit", None, 2),
            ("log_expit", _X, None, _NO, 2),
            ("logit", _UNIT, "logit", None, 2),
            ("gammaln", _POSITIVE, "gammaln", None, 2),
            ("loggamma", _POSITIVE, "gammaln", _NO, 2),
            ("gamma", _POSITIVE, None, None, 2),
            ("gamma", _X - 0.2, None, None, 2),
            ("rgamma", _POSITIVE, None, None, 2),
            ("digamma", _POSITIVE, "digamma", None, 2),
            ("psi", _POSITIVE, "psi", None, 2),
            ("erf", _X, "erf", None, 2),
            ("erfc", _X, "erfc", None, 2),
            ("erfcx", _X, "erfcx", _NO, 2),
            ("erfinv", _SYMMETRIC, "erfinv", None, 2),
            ("erfcinv", _UNIT, None, None, 2),
            ("ndtr", _X, "ndtr", _NO, 2),
            ("ndtri", _UNIT, "ndtri", _NO, 2),
            ("log_ndtr", _X, "log_ndtr", _NO, 2),
            ("log_ndtr", _X - 6, "log_ndtr", _NO, 2),
            ("entr", _POSITIVE, "entr", _NO, 2),
            ("i0", _X, "i0", None, 2),
            ("i1", _X, "i1", None, 2),
            ("i0e", _X, "i0e", _NO, 2),
            ("i1e", _X, "i1e", _NO, 2),
            ("j0", _X, None, None, 2),
            ("j1", _X, None, None, 2),
            ("expm1", _X, "expm1", _NO, 2),
            ("log1p", _POSITIVE, "log1p", _NO, 2),
            ("exp2", _X, "exp2", _NO, 2),
            ("exp10", _X, None, _NO, 2),
            ("cbrt", _POSITIVE, None, _NO, 2),
        ]
    ],
    row("special.xlogy(x, y)", _X, _POSITIVE, torch="torch.special.xlogy(x, y)", without_hips=_NO),
    row("special.xlog1py(x, y)", _X, _POSITIVE, torch="torch.special.xlog1py(x, y)", without_hips=_NO),
    row("special.rel_entr(x, y)", _POSITIVE, between(0.2, 3, 2, 3, seed=1), without_hips=_NO),
    row("special.kl_div(x, y)", _POSITIVE, between(0.2, 3, 2, 3, seed=1), without_hips=_NO),
    row("special.rel_entr(x, y)", _POSITIVE, between(0.2, 3, 3), without_hips=_NO),
    row("special.xlogy(x, y)", normal(2, 1), between(0.2, 3, 3), without_hips=_NO),
    row("special.betaln(x, y)", _POSITIVE, between(0.2, 3, 2, 3, seed=1)),
    row("special.beta(x, y)", _POSITIVE, between(0.2, 3, 2, 3, seed=1)),
    row("special.pseudo_huber(1.5, x)", _X, without_hips=_NO),
    row("special.huber(0.7, x)", _X, torch="torch.nn.functional.huber_loss(x, x * 0, 'none', 0.7)",
        without_hips=_NO),
    row("special.boxcox(x, 0.3)", _POSITIVE, without_hips=_NO),
    row("special.boxcox1p(x, 0.3)", _POSITIVE, without_hips=_NO),
    row("np.i0(x)", between(0.1, 2, 3), without_hips=_NO),
    *[
        row(f"npl.special.{name}(x{options})", _CUBE, torch=torch and f"torch.{name}(x{torch})",
            without_hips="it is NPL's")
        for name in ("logsumexp", "softmax", "log_softmax")
        for options, torch in [("", None), (", axis=1", ", 1"), (", axis=-1", ", -1"), (", (0, 2)", None)]
    ],
    row("npl.special.logsumexp(x, 1, keepdims=True)", _CUBE, without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, (0, -1), keepdims=True)", _CUBE, without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, keepdims=True)", _CUBE, without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, b=y)", _X, _POSITIVE, without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, 1, b=y)", _X, between(1, 2, 3), without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, 1, y, True)", _X, between(1, 2, 2, 1), without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, (0, 1), b=y)", normal(3), between(1, 2, 2, 1),
        without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, 1, b=y, return_sign=True)[0]", _X, normal(2, 3, seed=1),
        without_hips="it is NPL's"),
    row("npl.special.logsumexp(x, 1, return_sign=True)[0]", _X, without_hips="it is NPL's"),
    row("npl.special.logsumexp(x)", normal(), without_hips="it is NPL's"),
    row("npl.special.softmax(x) * 2 + npl.special.log_softmax(x)", normal(), without_hips="it is NPL's"),
    row("np.sum(npl.special.softmax(x @ y, 1) * npl.special.log_softmax(x @ y, 1))", _X, normal(3, 2),
        torch="torch.sum(torch.softmax(x @ y, 1) * torch.log_softmax(x @ y, 1))", without_hips="it is NPL's"),
]  # fmt: skip
