"""The losses of a residual."""

from adapter_cases.case import Case, logits, weights


def _case(function: str, *shape: int, weighted: bool = False, **options: object) -> Case:
    def more() -> dict[str, object]:
        return {**options, "weight": weights(*shape)} if weighted else options

    return Case(
        function,
        lambda: {"input": logits(*shape), "target": logits(*shape)},
        ("input", "target"),
        more,
    )


ROWS = {
    "l1": _case("l1_loss", 3, 4),
    "l1-weighted": _case("l1_loss", 3, 4, weighted=True),
    "mse": _case("mse_loss", 3, 4),
    "mse-weighted": _case("mse_loss", 3, 4, weighted=True),
    "mse-scalar": _case("mse_loss"),
    "smooth-l1": _case("smooth_l1_loss", 3, 4),
    "smooth-l1-beta": _case("smooth_l1_loss", 3, 4, beta=0.4),
    "smooth-l1-beta-zero": _case("smooth_l1_loss", 5, beta=0.0),
    "huber": _case("huber_loss", 3, 4),
    "log-cosh": _case("log_cosh_loss", 3, 4),
    "quantile": _case("quantile_loss", 3, 4),
    "quantile-high": _case("quantile_loss", 5, quantile=0.9),
    "huber-delta-weighted": _case("huber_loss", 3, 4, weighted=True, delta=0.7),
}
