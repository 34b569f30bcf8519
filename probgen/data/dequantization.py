r"""Integers to real numbers and back, with the bookkeeping of volumes.

A pixel :math:`k \in \{0, \dots, L-1\}` has a probability mass, a flow has a density. *Uniform dequantization* adds
:math:`u \sim U[0, 1)` and divides by :math:`L`, so :math:`v = (k + u) / L \in [0, 1)`. By Jensen's inequality

.. math::

    \log P(k) = \log \int p(v)\,\mathrm{d}v \;\ge\; \mathbb{E}_u[\log p(v)] - D \log L,

so what a flow reports is exact for the continuous :math:`v` and a *lower bound* for the integers (bits per dimension are an
upper bound). *Logit preprocessing* maps the cube to :math:`\mathbb{R}^D`:
:math:`y = \mathrm{logit}(\alpha + (1 - 2\alpha) v)`, with
:math:`\alpha > 0` so that the ends stay finite. As the last part of a flow it is a bijector, ``logit_preprocessing``; then the
volume is part of the flow's log-determinant and nothing is left to add.

References:
    Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors import Bijector, ToSupport
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.quantization import Quantization

__all__ = ["dequantize", "from_logits", "logit_preprocessing", "quantize", "to_logits"]


def dequantize(x: Tensor, levels: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""Uniform dequantization :math:`v = (x + u) / L`, so that ``quantize`` gives ``x`` back always.

    To survive rounding, :math:`u` keeps :math:`2 L \epsilon` away from 0 and 1 (6e-5 for 256 levels in float32). For levels
    that stand elsewhere than in the unit interval there is ``probgen.distributions.Quantization``, which does the arithmetic.

    Args:
        x: Integers in 0 .. ``levels - 1``, any shape.
        levels: Number of values L, at least 2.
        generator: Source of :math:`u`.

    Returns:
        Values in [0, 1), default dtype, the shape of ``x``.

    Raises:
        ValueError: there are fewer than two levels, or too many for the default dtype.

    Example:
        >>> import torch
        >>> from probgen.data import dequantize, quantize
        >>> x = torch.tensor([0, 7, 16])
        >>> quantize(dequantize(x, 17), 17)
        tensor([ 0,  7, 16])
    """
    return Quantization.from_cells(levels).dequantize(x, generator=generator)


def quantize(v: Tensor, levels: int) -> Tensor:
    """The integer whose cell ``v`` in [0, 1) lies in: the inverse of ``dequantize``; values outside go to the ends.

    Args:
        v: Real values, any shape.
        levels: Number of values, at least 2.

    Raises:
        ValueError: there are fewer than two levels.

    Example:
        >>> import torch
        >>> from probgen.data import quantize
        >>> quantize(torch.tensor([0.0, 0.49, 1.2]), 4)
        tensor([0, 1, 3])
    """
    return Quantization.from_cells(levels).encode(v)


def to_logits(v: Tensor, alpha: float = 0.05, *, event_dim: int = 1) -> tuple[Tensor, Tensor]:
    r"""Logit preprocessing :math:`y = \mathrm{logit}(\alpha + (1 - 2\alpha) v)`.

    Args:
        v: Values in [0, 1], ``[*batch, *event]``.
        alpha: Distance that is kept from 0 and 1, in (0, 1/2).
        event_dim: Number of event axes.

    Returns:
        ``y`` of the same shape and :math:`\log|\det \partial y / \partial v|` ``[*batch]``, nats.

    Raises:
        ValueError: ``alpha`` is outside (0, 1/2).

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.data import from_logits, to_logits
        >>> y, log_det = to_logits(torch.tensor([0.5, 0.5]), alpha=0.25)
        >>> y, log_det.exp(), from_logits(y, alpha=0.25)
        (tensor([0., 0.]), tensor(4.), tensor([0.5000, 0.5000]))
    """
    y, log_det = logit_preprocessing(alpha).inverse_and_log_det(v)
    return y, sum_rightmost(log_det, event_dim)


def from_logits(y: Tensor, alpha: float = 0.05) -> Tensor:
    """The inverse of ``to_logits``: values outside [0, 1] (possible for model samples) are clamped to it.

    Args:
        y: Real values, any shape.
        alpha: As in ``to_logits``.

    Raises:
        ValueError: ``alpha`` is outside (0, 1/2).

    Example:
        >>> import torch
        >>> from probgen.data import from_logits
        >>> from_logits(torch.tensor([-9.0, 0.0, 9.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    v: Tensor = logit_preprocessing(alpha)(y)
    return v.clamp(0, 1)


def logit_preprocessing(alpha: float = 0.05, *, levels: float = 1.0) -> Bijector:
    r"""From real numbers to values, :math:`v = L\,(\sigma(y) - \alpha) / (1 - 2\alpha)`: the last part of a flow on images.

    Its codomain is an interval a little wider than :math:`[0, L]`. The law of :math:`\lfloor v \rfloor`, ``Dequantized(law,
    levels=L)``, gives what lies outside to the ends, and the bound stays a bound.

    Args:
        alpha: Distance that is kept from 0 and 1, in (0, 1/2).
        levels: The length :math:`L` of the values' interval: 1 for the unit interval, 256 for bytes with noise in [0, 1).

    Raises:
        ValueError: ``alpha`` is outside (0, 1/2), or ``levels`` is not positive.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.data import logit_preprocessing
        >>> f = logit_preprocessing(0.25, levels=256)
        >>> f.codomain, f(torch.zeros(2))
        (Interval(lower_bound=-128.0, upper_bound=384.0), tensor([128., 128.]))
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"`alpha` must lie in (0, 1/2); got {alpha}.")
    if not levels > 0:
        raise ValueError(f"`levels` must be positive; got {levels}.")
    margin = alpha * levels / (1 - 2 * alpha)
    return ToSupport(constraints.interval(-margin, levels + margin))
