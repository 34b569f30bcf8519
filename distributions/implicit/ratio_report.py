r"""What an estimated density ratio is worth, on draws that it was not fitted to; and how to mend its scale.

With :math:`D = \sigma(r)` and a point that comes from :math:`p` (:math:`y = 1`) or :math:`q` (:math:`y = 0`) with equal
chances, the true ratio is *calibrated*, and it is a ratio:

.. math:: \mathbb E[y \mid D] = D, \qquad \mathbb E_q[e^{r}] = 1, \qquad \mathbb E_p[e^{-r}] = 1.

The first is asked for in bins of equal weight, whose weighted mean gap is the *expected calibration error*. It is no smaller
than what the noise of the bins alone makes, so that this floor is given beside it. Any :math:`r` bounds the divergences from
below,

.. math:: \mathrm{KL}(p \,\|\, q) \ge \mathbb E_p[r] - \mathbb E_q[e^r] + 1, \qquad
    \mathrm{JS}(p, q) \ge \log 2 + \tfrac12 \mathbb E_p[\log \sigma(r)] + \tfrac12 \mathbb E_q[\log \sigma(-r)],

with equality for the true ratio. *Recalibration* (Platt) fits :math:`a, b` of :math:`a r + b` by logistic regression.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from probgen.distributions.estimate import Estimate
from probgen.distributions.implicit.density_ratio import DensityRatio

__all__ = ["MeanEstimate", "RatioReport", "ratio_report", "recalibrated"]


class MeanEstimate(NamedTuple):
    """A mean and its standard error.

    Attributes:
        value: The mean.
        stderr: Its standard error.

    Example:
        >>> from probgen.distributions.implicit import MeanEstimate
        >>> MeanEstimate(1.02, 0.02).stderr
        0.02
    """

    value: float
    stderr: float


@dataclass(frozen=True)
class RatioReport:
    """What ``ratio_report`` finds; ``str`` gives a readable table.

    Attributes:
        predicted: Mean D in every bin, ``[bins]``.
        observed: Share of p in every bin, both laws having the same weight, ``[bins]``.
        stderr: Standard error of that share, if the prediction is true, ``[bins]``.
        calibration_error: Expected calibration error: mean distance of the two.
        floor: What that error would be, on average, for the true ratio.
        p_value: Of the chi-square test that all bins are calibrated.
        mean_ratio: The mean of exp(r) over q, which should be 1.
        mean_inverse: The mean of exp(-r) over p, which should be 1.
        kl: Lower bound of the Kullback–Leibler divergence of p from q, in nats.
        js: Lower bound of the Jensen–Shannon divergence, in nats.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import ratio_report
        >>> _ = torch.manual_seed(0)
        >>> report = ratio_report(lambda x: 0.5 - x, torch.randn(10_000), 1 + torch.randn(10_000))
        >>> report.p_value > 0.01, report.calibration_error < 3 * report.floor
        (True, True)
    """

    predicted: Tensor
    observed: Tensor
    stderr: Tensor
    calibration_error: float
    floor: float
    p_value: float
    mean_ratio: MeanEstimate
    mean_inverse: MeanEstimate
    kl: Estimate
    js: Estimate

    def __str__(self) -> str:
        rows = [
            f"  {said:.3f}   {seen:.3f} ± {error:.3f}"
            for said, seen, error in zip(self.predicted, self.observed, self.stderr, strict=True)
        ]
        return "\n".join(
            [
                "  D       share of p",
                *rows,
                f"calibration error {self.calibration_error:.4f} (floor {self.floor:.4f}), p = {self.p_value:.2g}",
                f"E_q[ratio]   {self.mean_ratio.value:.4f} ± {self.mean_ratio.stderr:.4f} (1 if it is one)",
                f"E_p[1/ratio] {self.mean_inverse.value:.4f} ± {self.mean_inverse.stderr:.4f} (1 if it is one)",
                f"KL(p, q) {self.kl}",
                f"JS(p, q) {self.js}",
            ]
        )


def ratio_report(ratio: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, *, num_bins: int = 10) -> RatioReport:
    """Check an estimated density ratio on fresh draws of both laws; without gradients.

    Args:
        ratio: From points to log-ratios, ``[n]``: a ``DensityRatio``, say.
        x: Draws of p, ``[n, *event]``, that the ratio was not fitted to.
        y: Draws of q, ``[m, *event]``, likewise.
        num_bins: Bins of equally many points; fewer where outputs are equal.

    Raises:
        ValueError: there are fewer draws than bins, or there is no bin; the ratio is NaN somewhere, or not one number for each
            point.

    References:
        Guo, Pleiss, Sun, Weinberger (2017). On calibration of modern neural networks. https://arxiv.org/abs/1706.04599

        Nguyen, Wainwright, Jordan (2010). Estimating divergence functionals and the likelihood ratio by convex risk
        minimization. https://arxiv.org/abs/0809.0853

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import ratio_report
        >>> _ = torch.manual_seed(0)
        >>> x, y = torch.randn(10_000), 1 + torch.randn(10_000)
        >>> overconfident = ratio_report(lambda x: 3 * (0.5 - x), x, y)
        >>> overconfident.p_value < 1e-10, overconfident.calibration_error > 0.1
        (True, True)
    """
    if num_bins < 1 or min(len(x), len(y)) < max(num_bins, 2):
        raise ValueError(
            f"`num_bins` must be at least 1 and not exceed the draws, of which two are needed; "
            f"got {num_bins}, {len(x)} and {len(y)}."
        )
    with torch.no_grad():
        of_p, of_q = _ratios(ratio(x), len(x)), _ratios(ratio(y), len(y))
        predicted, observed, stderr, share = _bins(of_p, of_q, num_bins)
        gap = predicted - observed
        # A ratio that is sure has no spread to be excused by; an error of the size of rounding is none.
        chi_square = torch.where(gap.abs() > 1e-12, gap.square() / stderr.square().clamp(min=1e-300), 0.0).sum()
        hits = math.log(2) + logsigmoid(of_p), math.log(2) + logsigmoid(-of_q)
        return RatioReport(
            predicted,
            observed,
            stderr,
            float((share * gap.abs()).sum()),
            float((share * stderr).sum()) * math.sqrt(2 / math.pi),
            float(torch.special.gammaincc(torch.tensor(len(gap) / 2).double(), chi_square.cpu() / 2)),
            _mean(of_q.exp()),
            _mean((-of_p).exp()),
            _bound(of_p, 1 - of_q.exp()),
            _bound(hits[0] / 2, hits[1] / 2),
        )


def recalibrated(ratio: DensityRatio, x: Tensor, y: Tensor, context: tuple[Tensor, Tensor] | None = None) -> DensityRatio:
    r"""Fit the affine map of a log-ratio by logistic regression on fresh draws; the critic is shared.

    Both laws have the same weight, and labels are smoothed as Platt has it, to :math:`(n + 1)/(n + 2)` and :math:`1/(m + 2)`,
    so that the fit exists for laws that are told apart without error.

    Args:
        ratio: What is recalibrated.
        x: Draws of p, ``[n, *event]``, that the critic was not fitted to.
        y: Draws of q, ``[m, *event]``, likewise.
        context: Contexts of x and of y, if the critic takes one.

    Raises:
        ValueError: there are no draws of one of the laws, or the ratio is not finite.

    References:
        Platt (1999). Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import DensityRatio, recalibrated
        >>> _ = torch.manual_seed(0)
        >>> wrong = DensityRatio(lambda x: 2 - 3 * x, event_shape=())  # of N(0, 1) and N(1, 1) it is 0.5 - x
        >>> better = recalibrated(wrong, torch.randn(20_000), 1 + torch.randn(20_000))
        >>> bool((better(torch.tensor([-1.0, 2.0])) - torch.tensor([1.5, -1.5])).abs().max() < 0.1)
        True
    """
    if not len(x) or not len(y):
        raise ValueError(f"`x` and `y` must hold draws of both laws; got {len(x)} and {len(y)}.")
    contexts = (None, None) if context is None else context
    with torch.no_grad():
        of_p, of_q = ratio(x, contexts[0]).double(), ratio(y, contexts[1]).double()
        if not bool(torch.cat([of_p, of_q]).isfinite().all()):
            raise ValueError("`ratio` must be finite at all points to be recalibrated; it is NaN or infinite at some.")
    with torch.inference_mode(mode=False):  # nothing made in inference mode can be differentiated
        slope, offset = _logistic_regression(of_p.clone(), of_q.clone())
    return DensityRatio(
        ratio.critic,
        ratio.event_shape,
        link=ratio.link,
        context_shape=ratio.context_shape,
        slope=(slope * ratio.slope).to(ratio.slope),
        offset=(slope * ratio.offset + offset).to(ratio.offset),
    )


def _ratios(found: Tensor, number: int) -> Tensor:
    if found.shape != (number,) or bool(found.isnan().any()):
        raise ValueError(
            f"`ratio` must return numbers [{number}], none of them NaN; it returned shape {tuple(found.shape)} "
            f"with {int(found.isnan().sum())} NaN."
        )
    return found.double()


def _logistic_regression(of_p: Tensor, of_q: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset, by a quasi-Newton method with line search; the problem is convex."""
    weights = torch.tensor([1.0, 0.0], dtype=of_p.dtype, device=of_p.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe")
    labels = (len(of_p) + 1) / (len(of_p) + 2), 1 / (len(of_q) + 2)

    def loss() -> Tensor:
        optimizer.zero_grad()
        terms = [
            binary_cross_entropy_with_logits(weights[0] * of + weights[1], torch.full_like(of, label))
            for of, label in zip((of_p, of_q), labels, strict=True)
        ]
        total = terms[0] + terms[1]
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(loss)
    return weights.detach()[0], weights.detach()[1]


def _bins(of_p: Tensor, of_q: Tensor, num_bins: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predicted share, observed share, its standard error and the weight of every bin of equally many draws."""
    logits = torch.cat([of_p, of_q])
    label = torch.cat([torch.ones_like(of_p), torch.zeros_like(of_q)])
    weight = torch.cat([torch.full_like(of_p, 0.5 / len(of_p)), torch.full_like(of_q, 0.5 / len(of_q))])
    inner = torch.arange(1, num_bins, device=logits.device) * len(logits) // num_bins
    place = torch.bucketize(logits, logits.sort().values[inner], right=True)  # equal outputs share a bin
    zeros = logits.new_zeros(num_bins)
    share = zeros.index_add(0, place, weight)
    predicted = zeros.index_add(0, place, weight * logits.sigmoid()) / share
    observed = zeros.index_add(0, place, weight * label) / share
    squared = zeros.index_add(0, place, weight.square())
    stderr = (predicted * (1 - predicted) * squared).sqrt() / share
    filled = share.nonzero().squeeze(-1)
    return predicted[filled], observed[filled], stderr[filled], share[filled]


def _mean(values: Tensor) -> MeanEstimate:
    return MeanEstimate(float(values.mean()), float(values.std() / math.sqrt(len(values))))


def _bound(first: Tensor, second: Tensor) -> Estimate:
    """The sum of two independent means, as a lower bound."""
    means, errors = zip(_mean(first), _mean(second), strict=True)
    return Estimate(torch.tensor(sum(means)), torch.tensor(math.hypot(*errors)), "lower")
