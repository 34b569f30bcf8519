r"""Integers to real numbers and back, with the bookkeeping of volumes.

A pixel :math:`k \in \{0, \dots, L-1\}` has a probability mass, a flow has a density. *Uniform dequantization* adds
:math:`u \sim U[0, 1)` and divides by :math:`L`, so :math:`v = (k + u) / L \in [0, 1)`. By Jensen's inequality

.. math::

    \log P(k) = \log \int p(v)\,\mathrm{d}v \;\ge\; \mathbb{E}_u[\log p(v)] - D \log L,

so what a flow reports is exact for the continuous :math:`v` and a *lower bound* for the integers (bits per dimension are an
upper bound). *Logit preprocessing* maps the cube to :math:`\mathbb{R}^D`:
:math:`y = \mathrm{logit}(\alpha + (1 - 2\alpha) v)`, with
:math:`\alpha > 0` so that the ends stay finite.

References:
    Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from probgen.distributions.quantization import Quantization

__all__ = ["dequantize", "from_logits", "quantize", "to_logits"]


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
    _require_alpha(alpha)
    p = alpha + (1 - 2 * alpha) * v
    log_det = math.log1p(-2 * alpha) - p.log() - torch.log1p(-p)
    return torch.logit(p), log_det.sum(tuple(range(-event_dim, 0))) if event_dim else log_det


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
    _require_alpha(alpha)
    return ((functional.sigmoid(y) - alpha) / (1 - 2 * alpha)).clamp(0, 1)


def _require_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise ValueError(f"`alpha` must lie in (0, 1/2); got {alpha}.")
