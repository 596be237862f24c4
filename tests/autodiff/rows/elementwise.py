"""NumPy's ufuncs, operators and their broadcasting."""

import numpy as np

from tests.autodiff.row import between, normal, row

_X, _Y = normal(2, 3), normal(2, 3, seed=1)
_POSITIVE, _POSITIVE_TOO = between(0.3, 3, 2, 3), between(0.3, 3, 2, 3, seed=1)
_UNIT = between(-0.9, 0.9, 2, 3)
_FROM_ONE = between(1.1, 4, 2, 3)
_UNARY = {
    "negative": _X, "positive": _X, "conjugate": _X, "absolute": _X, "fabs": _X,
    "sqrt": _POSITIVE, "cbrt": _POSITIVE, "square": _X, "reciprocal": _POSITIVE,
    "exp": _X, "exp2": _X, "expm1": _X, "log": _POSITIVE, "log2": _POSITIVE, "log10": _POSITIVE,
    "log1p": _POSITIVE,
    "sin": _X, "cos": _X, "tan": _UNIT, "arcsin": _UNIT, "arccos": _UNIT, "arctan": _X,
    "sinh": _X, "cosh": _X, "tanh": _X, "arcsinh": _X, "arccosh": _FROM_ONE, "arctanh": _UNIT,
    "radians": _X, "deg2rad": _X, "degrees": _X, "rad2deg": _X,
}  # fmt: skip
_NOT_IN_TORCH = {"cbrt", "fabs", "conjugate", "degrees", "radians"}
_NOT_IN_HIPS = {"positive", "cbrt"}
_BINARY = {
    "add": (_X, _Y), "subtract": (_X, _Y), "multiply": (_X, _Y), "divide": (_X, _Y),
    "power": (_POSITIVE, _Y), "float_power": (_POSITIVE, _Y), "hypot": (_X, _Y),
    "arctan2": (_X, _Y), "logaddexp": (_X, _Y), "logaddexp2": (_X, _Y), "maximum": (_X, _Y),
    "minimum": (_X, _Y), "fmax": (_X, _Y), "fmin": (_X, _Y), "remainder": (_X * 3, _POSITIVE),
    "fmod": (_X * 3, _POSITIVE), "copysign": (_X, _Y),
}  # fmt: skip

ROWS = [
    *[
        row(
            f"np.{name}(x)",
            x,
            torch=None if name in _NOT_IN_TORCH else f"torch.{name}(x)",
            without_hips="it has no such function" if name in _NOT_IN_HIPS else None,
        )
        for name, x in _UNARY.items()
    ],
    *[
        row(
            f"np.{name}(x, y)",
            *arguments,
            torch=f"torch.{'pow' if name == 'power' else name}(x, y)",
            without_hips={
                "float_power": "it has no such function",
                "hypot": "it has no such function",
                "copysign": "it has no such function",
                "fmod": "it has no rule",
            }.get(name),
        )
        for name, arguments in _BINARY.items()
    ],
    # Broadcasting, with whatever stands on either side.
    row("x + y", normal(2, 3), normal(3, seed=1), torch="x + y"),
    row("x - y", normal(2, 1), normal(1, 3, seed=1), torch="x - y"),
    row("x * y", normal(2, 1, 3), normal(4, 1, seed=1), torch="x * y"),
    row("x / y", normal(), between(0.5, 2, 2, 3), torch="x / y"),
    row("x ** y", between(0.5, 2, 3), normal(2, 3), torch="x ** y"),
    row("x // y + x % y", normal(2, 3) * 3, between(0.5, 2, 3), without_hips="it has no //"),
    row("np.maximum(x, y)", normal(2, 3), normal(2, 1, seed=1), torch="torch.maximum(x, y)"),
    row("np.logaddexp(x, y)", normal(3), normal(2, 1, seed=1), torch="torch.logaddexp(x, y)"),
    row("np.arctan2(x, y)", normal(3), normal(2, 1, seed=1), torch="torch.arctan2(x, y)"),
    row("1.0 + x", _X),
    row("x + 1", _X),
    row("1 - x", _X),
    row("x - 1", _X),
    row("2 * x", _X),
    row("2.0 / x", _POSITIVE, torch="2 / x"),
    row("x / 2", _X),
    row("2.0 ** x", _X, torch="2 ** x"),
    row("np.arange(1.0, 4.0) ** x", _X),
    row("np.arange(3.0) - x", _X),
    row("np.arange(3.0) + x", _X),
    row("np.arange(3.0) * x", _X),
    row("np.arange(3.0) / x", _POSITIVE),
    row("np.ones((3, 2)) @ x", _X),
    row("x @ np.arange(3)", _X),
    row("np.float64(2) * x", _X),
    row("x * True + x * np.array([True, False, True])", _X),
    row("x * np.array([1, 2, 3]) + np.array([1, 2, 3])", _X),
    row("-x", _X),
    row("+x * 2", _X, without_hips="it has no unary plus"),
    row("abs(x)", _X),
    row("x ** 2", _X, torch="x ** 2"),
    row("x ** 3", _X, torch="x ** 3"),
    row("x ** 1", _X),
    row("x ** 0", _X),
    row("x ** -1", _POSITIVE, torch="x ** -1"),
    row("x ** 0.5", _POSITIVE, torch="x ** 0.5"),
    row("x ** -1.5", _POSITIVE, torch="x ** -1.5"),
    row("x ** np.array([0, 1, 2])", _X),
    row("np.power(x, 2)", _X, torch="torch.pow(x, 2)"),
    row("np.divmod(x, y)[1]", _X, _POSITIVE, without_hips="it has no such function"),
    row("divmod(x, y)[1]", _X, _POSITIVE, without_hips="it has no such function"),
    row("np.modf(x)[0]", _X, without_hips="it has no such function"),
    row("np.nextafter(x, 9.0)", _X, without_hips="it has no such function"),
    row("np.ldexp(x, 3)", _X, without_hips="it has no such function"),
    row("np.frexp(x)[0] ** 2", _X, without_hips="it has no such function"),
    row("np.nextafter(x, y) ** 2", _X, _Y, without_hips="it has no such function"),
    row("np.add.outer(x, y)", normal(2), normal(3, seed=1), without_hips="no methods of ufuncs"),
    row("np.subtract.outer(x, y)", normal(2), normal(3, 2), without_hips="no methods of ufuncs"),
    row("np.multiply.outer(x, y)", normal(2, 2), normal(3), without_hips="no methods of ufuncs"),
    row("np.divide.outer(x, y)", normal(2), normal(3, seed=1), without_hips="no methods of ufuncs"),
    row("np.power.outer(x, y)", between(1, 2, 2), normal(3), without_hips="no methods of ufuncs"),
    row("np.maximum.outer(x, y)", normal(2), normal(3), without_hips="no methods of ufuncs"),
    row("np.minimum.outer(x, y)", normal(2), normal(3), without_hips="no methods of ufuncs"),
    row("np.logaddexp.outer(x, y)", normal(2), normal(3), without_hips="no methods of ufuncs"),
    # Scalars, 0-d arrays, Python's own numbers, empty arrays.
    row("np.exp(x) * y", np.float64(0.3), np.array(2.0)),
    row("np.exp(x) * y", 0.3, 2.0),
    row("np.tanh(x) + y", np.array(0.3), normal(2, 3)),
    row("np.tanh(x) + np.sum(y)", np.zeros((0, 3)), np.zeros(0)),
    # The same array twice, and one that does not matter.
    row("x * x + x / x", _POSITIVE, torch="x * x + x / x"),
    row("np.sin(x) * np.cos(x) + np.exp(-x * x)", _X, torch="x.sin() * x.cos() + (-x * x).exp()"),
    row("x + np.sign(x) + np.floor(x) + np.round(x)", _X),
    row("np.where(x > 0, x, np.expm1(x))", _X, torch="torch.nn.functional.elu(x)"),
    row("x * (x > 0) * (x != 1) * (x >= 0) * (x < 9) * (x <= 9) * (x == x)", _X, torch="x.relu()"),
    row("np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)", _X, torch="torch.nn.functional.softplus(x)"),
]  # fmt: skip
