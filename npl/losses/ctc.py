"""Connectionist temporal classification: sequences of labels without alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, boolean, floats, integer
from npl.engine.classes import in_classes
from npl.engine.loss import Terms
from npl.engine.operands import AsItLies, Operand
from npl.engine.reduction import sample_weights
from npl.engine.sequences import lengths, padded_labels

__all__ = ["CTCLoss", "ctc_loss"]

# Bytes of one array over times and states in a block. The steps in time run in Python, so a block
# holds many samples.
_BLOCK_BYTES = 1 << 24


class _Saved(NamedTuple):
    """A block's alignments."""

    scaled: numerics.ScaledAlignments  # of all samples
    others: Array  # the samples for which these are not good enough
    exact: numerics.Alignments | None  # of the others, where there are any
    undefined: Array  # (n,) bool: where a log-probability is NaN


@dataclass(frozen=True, eq=False)
class CTCLoss(Loss):
    r"""Connectionist temporal classification: a sequence of labels, wherever in time they stand.

    An alignment $\pi$ gives each time step a label or the blank; without repetitions and then
    without blanks it reads as the target $y$. With log-probabilities $x_{t,k}$,

    $$\ell = -\log p, \qquad p = \sum_{\pi \,\to\, y} \prod_{t=1}^{T} e^{x_{t, \pi_t}} .$$

    Parameters
    ----------
    blank : int, default 0
        The class that stands for no label.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides each loss by its target's length (by 1, if that is 0), and the sum of these by
        the number of samples, or the sum of `sample_weight`. "batchmean" divides the sum of the losses
        by N.
    zero_infinity : bool, default False
        Whether a loss of $+\infty$, of a sample without any alignment of $p > 0$, becomes 0.
    normalizer : float, optional
        What "mean" divides by instead of the number of samples, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (no sample, or every weight 0). Its gradient is zero.

    Notes
    -----
    **Derivatives.** The log-probabilities are taken as they are, so that $x$ need not be normalised.
    Given the target, an alignment has the probability $\prod_t e^{x_{t,\pi_t}} / p$. Under it let
    $n_{t,k} = [\pi_t = k]$, and $\gamma_{t,k}$ be its mean, the occupancy. Then

    $$\frac{\partial \ell}{\partial x_{t,k}} = -\gamma_{t,k},$$

    $$\nabla^2 \ell\, v = -\operatorname{Cov}\Bigl(n_{t,k},\; \sum_{\tau, j} n_{\tau,j}\, v_{\tau,j}\Bigr)
    = -\gamma_{t,k}\,\bigl(\mathbb E[V \mid \pi_t = k] - \mathbb E[V]\bigr),$$

    with $V = \sum_\tau v_{\tau,\pi_\tau}$. Alignments are a Markov chain, so that one pass forward
    and one backward give the occupancies, and one more each the covariances. torch returns
    $e^{x_{t,k}} - \gamma_{t,k}$, which is the derivative only behind a log-softmax, where both give the
    same one of the logits.

    **Limits.** Without an alignment (the input is shorter than the labels and the blanks between equal
    ones, or all alignments meet a log-probability of $-\infty$) the loss is $+\infty$, or 0 with
    `zero_infinity`, and the gradient zero. A log-probability of $-\infty$ beside possible ones has the
    gradient 0. An empty target has the one alignment of blanks.

    **Accuracy.** Terms of one sign are added, in float64: the error of a gradient is that of $\sqrt{T}$
    roundings, in float64 some 8 eps of each element at $T = 200$ and at times twice that, however small
    the element. Probabilities are added up as they are, scaled by powers of two, and of each sample a
    bound says whether underflow has cost any of it a digit. Where it might have, weights are taken
    relative to the best alignment instead, and so they are where the loss is so near to 0 that it has to
    be the difference of that alignment's and the logarithm of the sum of the others; then its error is
    relative to the larger of these. Covariances are sums of deviations from the mean at each time step,
    and that of a class which outweighs all others is had from theirs: the error of a Hessian-vector
    product is relative to the absolute sum of its terms, also where one alignment is all but certain.

    References
    ----------
    .. [1] A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist temporal classification:
       labelling unsegmented sequence data with recurrent neural networks", ICML 2006.

    Examples
    --------
    >>> import numpy as np, npl
    >>> log_probs = np.log(np.full((3, 1, 2), 0.5))
    >>> float(npl.CTCLoss()(log_probs, np.array([[1]]), [3], [1]))  # 6 of 8 alignments: log(8 / 6)
    0.287682072451...
    """

    blank: int = 0
    reduction: Reduction = "mean"
    zero_infinity: bool = False
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        integer(self.name, "blank", self.blank)
        boolean(self.name, "zero_infinity", self.zero_infinity)

    def __call__(
        self,
        log_probs: ArrayLike,
        targets: ArrayLike,
        input_lengths: ArrayLike,
        target_lengths: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `log_probs` against `targets`.

        Parameters
        ----------
        log_probs : array_like of shape (T, N, C) or (T, C)
            Log-probabilities of the classes over time, of a float dtype.
        targets : array_like of shape (N, S), (sum of target_lengths,) or (S,)
            Labels of any integer dtype, none of them the blank: padded, or one sample's after
            another's. What stands in the padding does not matter.
        input_lengths, target_lengths : array_like of shape (N,), or scalars
            How many time steps and labels each sample has.
        sample_weight : array_like, optional
            A scalar or (N,): a weight per sample; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the log-probabilities' dtype; for `reduction="none"` of shape (N,) or ().

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype or shape, a length or label out of range.
        """
        operands = (log_probs, targets, input_lengths, target_lengths)
        return self._evaluate(operands, sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return (N,) for log-probabilities of shape (T, N, C), () for (T, C)."""
        return tuple(shapes[0][1:-1])

    def _bind(
        self,
        log_probs: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
        *,
        sample_weight: ArrayLike | None,
    ) -> Terms:
        scores = floats(self.name, "log_probs", log_probs)
        if scores.ndim not in (2, 3):
            raise ValueError(
                f"{self.name}: log_probs has shape {scores.shape}; it must be (T, N, C), or (T, C) "
                "for one sample."
            )
        times, classes, shape = scores.shape[0], scores.shape[-1], scores.shape[1:-1]
        lead = shape or (1,)
        if times == 0:
            raise ValueError(f"{self.name}: log_probs has shape {scores.shape}: no time step.")
        if not 0 <= self.blank < classes:
            raise ValueError(f"{self.name}: blank is {self.blank}; {in_classes(classes)}.")
        weights = sample_weights(self.name, sample_weight, shape, lead)
        removed = np.zeros(lead, bool) if weights is None else weights == 0
        own = lengths(self.name, "input_lengths", input_lengths, shape)
        wanted = lengths(self.name, "target_lengths", target_lengths, shape)
        own.check(self.name, times, f"log_probs has {times} time steps", removed)
        labels = padded_labels(self.name, targets, wanted, shape, classes, self.blank, removed)
        states = times * (2 * labels.shape[1] + 1) * 8
        return Terms(
            (
                AsItLies("log_probs", scores, lead, (0, scores.ndim - 1)),
                Operand("targets", labels, lead, (1,), index=True),
                Operand("input_lengths", own.values, lead, index=True),
                Operand("target_lengths", wanted.values, lead, index=True),
            ),
            shape,
            weight=1 / np.maximum(wanted.values, 1) if self.reduction == "mean" else None,
            block_rows=max(1, _BLOCK_BYTES // states),
        )

    def _forward(
        self, log_probs: Array, labels: Array, input_lengths: Array, target_lengths: Array
    ) -> tuple[Array, Any]:
        losses, sure, scaled = numerics.scaled_align(
            log_probs, labels, input_lengths, target_lengths, self.blank
        )
        (others,) = np.nonzero(~sure)
        exact = None
        if others.size:
            losses[others], exact = numerics.align(
                log_probs[others],
                labels[others],
                input_lengths[others],
                target_lengths[others],
                self.blank,
            )
        saved = _Saved(scaled, others, exact, np.isnan(losses))
        if self.zero_infinity:
            losses[losses == np.inf] = 0
        return losses.astype(log_probs.dtype, copy=False), saved

    def _grad(self, saved: _Saved, c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is None:
            return
        numerics.scaled_to_classes(saved.scaled, out[0], -c)
        if saved.exact is not None:
            occupancy = numerics.posterior(saved.exact).occupancy
            own = np.empty((len(saved.others), *out[0].shape[1:]), out[0].dtype)
            numerics.to_classes(saved.exact, occupancy, own, -c[saved.others])
            out[0][saved.others] = own
        out[0][saved.undefined] = np.nan

    def _hvp(
        self, saved: _Saved, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is None:
            return
        if v[0] is None:
            out[0].fill(0)
            return
        numerics.scaled_covariance(saved.scaled, v[0], out[0], -c)
        if saved.exact is not None:
            along = numerics.on_states(v[0][saved.others], saved.exact.labels, self.blank)
            chain = numerics.posterior(saved.exact)
            product = numerics.covariance_product(saved.exact, chain, along)
            own = np.empty((len(saved.others), *out[0].shape[1:]), out[0].dtype)
            numerics.to_classes(saved.exact, product, own, -c[saved.others], chain)
            out[0][saved.others] = own
        out[0][saved.undefined] = np.nan

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        # Minus the variance of an indicator: occupancy times that of all other classes.
        _, saved = self._forward(*operands)
        occupancy = np.empty(out.shape)
        self._grad(saved, -np.ones(len(out)), [occupancy])
        rows = occupancy.reshape(-1, out.shape[-1])
        variance = (rows * numerics.sum_of_others(rows)).reshape(out.shape)
        np.multiply(variance, -c[:, None, None], out=out)


def ctc_loss(
    log_probs: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike,
    target_lengths: ArrayLike,
    blank: int = 0,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the loss of log-probabilities over time against sequences of labels.

    The functional form of `CTCLoss`, which see for the formula, shapes, options and derivatives.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> log_probs = np.log(np.full((3, 2, 4), 0.25))
    >>> F.ctc_loss(log_probs, np.array([1, 2, 3]), [3, 2], [2, 1], reduction="none").tolist()
    [2.5494..., 1.6739...]
    """
    loss = CTCLoss(blank, reduction, zero_infinity, normalizer=normalizer, empty=empty)
    return loss(log_probs, targets, input_lengths, target_lengths, sample_weight=sample_weight)
