"""Sweeps of the losses of a residual."""

from sweeps.sweep import Curve, Sweep, elementwise, span

SWEEPS: dict[str, Sweep] = {
    "L1Loss": Sweep("l1_loss", "the residual", span(-3, 3), {"L1": Curve(elementwise(0))}),
    "MSELoss": Sweep("mse_loss", "the residual", span(-3, 3), {"MSE": Curve(elementwise(0))}),
    "SmoothL1Loss": Sweep(
        "smooth_l1_loss",
        "the residual",
        span(-3, 3),
        {
            "beta=1": Curve(elementwise(0)),
            "beta=2": Curve(elementwise(0), {"beta": 2.0}),
            "beta=0": Curve(elementwise(0), {"beta": 0.0}),
        },
    ),
    "LogCoshLoss": Sweep(
        "log_cosh_loss", "the residual", span(-3, 3), {"log-cosh": Curve(elementwise(0))}
    ),
    "QuantileLoss": Sweep(
        "quantile_loss",
        "the residual",
        span(-3, 3),
        {
            "quantile=0.5": Curve(elementwise(0)),
            "quantile=0.9": Curve(elementwise(0), {"quantile": 0.9}),
        },
    ),
    "HuberLoss": Sweep(
        "huber_loss",
        "the residual",
        span(-3, 3),
        {
            "delta=1": Curve(elementwise(0)),
            "delta=2": Curve(elementwise(0), {"delta": 2.0}),
        },
    ),
}
