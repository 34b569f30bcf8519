r"""Random times of a batch of data, for objectives that look at a path at one time a datum.

Every datum gets a time of its own; the times of one batch may be spread evenly, which makes the mean over the batch less
variable and no datum's law different:

=================== =======================================================================
coupling            quantiles of the batch, k = 0 .. n - 1
=================== =======================================================================
"independent"       :math:`u_k` uniform
"stratified"        :math:`(\pi(k) + u_k)/n`, with a random permutation :math:`\pi`
"low-discrepancy"   :math:`(u + k/n) \bmod 1`, one u for all (Kingma et al. 2021)
=================== =======================================================================
"""

from __future__ import annotations

from typing import Literal, cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions.transforms import SigmoidTransform

__all__ = ["COUPLINGS", "TimeCoupling", "batch_quantiles", "logit_normal_time"]

TimeCoupling = Literal["independent", "stratified", "low-discrepancy"]
"""How the times of one batch hang together."""


def logit_normal_time(loc: float = 0.0, scale: float = 1.0) -> TorchDistribution:
    r"""The law of :math:`t = 1/(1 + e^{-z})` with :math:`z \sim \mathcal N(\mu, s^2)`: most weight in the middle of the path.

    Args:
        loc: Mean :math:`\mu`; larger values look at later times.
        scale: Standard deviation :math:`s > 0`.

    References:
        Esser et al. (2024). Scaling rectified flow transformers for high-resolution image synthesis.
        https://arxiv.org/abs/2403.03206

    Example:
        >>> import torch
        >>> from probgen.infer.random_times import logit_normal_time
        >>> float(logit_normal_time().icdf(torch.tensor(0.5).double()))
        0.5
    """
    base = dist.Normal(torch.tensor(loc, dtype=torch.float64), torch.tensor(scale, dtype=torch.float64))
    return cast(TorchDistribution, dist.TransformedDistribution(base, [SigmoidTransform()]))


def batch_quantiles(count: int, coupling: TimeCoupling, device: torch.device | str | None = None) -> Tensor:
    """Uniform quantiles in [0, 1) for a batch, each uniform by itself, float64.

    Args:
        count: Size of the batch.
        coupling: How they hang together, see the module.
        device: Where to draw.

    Raises:
        ValueError: no such coupling.

    Example:
        >>> from probgen.infer.random_times import batch_quantiles
        >>> sorted((batch_quantiles(4, "stratified") * 4).long().tolist())
        [0, 1, 2, 3]
    """
    if coupling not in COUPLINGS:
        raise ValueError(f"`coupling` must be one of {', '.join(map(repr, COUPLINGS))}; got {coupling!r}.")
    return COUPLINGS[coupling](count, device)


def _independent(count: int, device: torch.device | str | None) -> Tensor:
    return torch.rand(count, dtype=torch.float64, device=device)


def _stratified(count: int, device: torch.device | str | None) -> Tensor:
    return (torch.randperm(count, device=device) + _independent(count, device)) / max(count, 1)


def _low_discrepancy(count: int, device: torch.device | str | None) -> Tensor:
    return (_independent(1, device) + torch.arange(count, dtype=torch.float64, device=device) / max(count, 1)).frac()


COUPLINGS = {"independent": _independent, "stratified": _stratified, "low-discrepancy": _low_discrepancy}
