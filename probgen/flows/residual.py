r"""Residual flows: the identity plus a contraction, again and again, with an unbiased log-determinant.

From the data to the latent a layer is :math:`h = (x - m) / s`, :math:`y = h + g(h)`, with a normalization of every coordinate
and a perceptron :math:`g` of Lipschitz constant :math:`\kappa < 1`. One such layer moves volume by no more than a factor
:math:`(1 + \kappa)^D`; several together are as free as a deep network, with a Jacobian that has no zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import ActNorm, Bijector, Compose, Residual
from probgen.distributions.numerics.random_truncation import RandomTruncation
from probgen.nn import LipschitzMLP, LipSwish

__all__ = ["residual_flow"]


def residual_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    hidden: Sequence[int] = (128, 128),
    lipschitz: float = 0.97,
    log_det: Literal["exact", "roulette", "truncated"] = "roulette",
    terms: int = 10,
    truncation: RandomTruncation | None = None,
    evaluation_terms: int = 20,
    probes: int = 1,
    activation: Callable[[], nn.Module] = LipSwish,
    normalization: bool = True,
    recompute: bool = False,
) -> Bijector:
    r"""The residual flow of Chen et al. (2019) on vectors.

    Scoring data is one pass; drawing solves :math:`h + g(h) = y` in every layer, by at most 27 evaluations of the network.

    Args:
        features: How many coordinates; 1 works.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many residual layers.
        hidden: Widths of the hidden layers.
        lipschitz: The constant :math:`\kappa` of every layer's network, in (0, 1).
        log_det: "exact" for few coordinates: one backward pass for each. "roulette" is unbiased: train with
            ``TransformedDistribution(..., allow_estimate=True)``, evaluate with ``.eval()`` and ``log_prob_estimate``.
            "truncated" is biased.
        terms: Terms of "truncated".
        truncation: The law of the number of terms of "roulette" in training.
        evaluation_terms: Terms that are always there in evaluation mode.
        probes: Number of probes.
        activation: Makes the activation, of slopes at most one.
        normalization: Put a learned affine map of every coordinate behind each layer; ``flow.initialize_from(x)`` starts them.
        recompute: Evaluate networks again in the backward pass instead of storing what they computed.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{features}`, from the base to the data; densities are its fast direction.

    Raises:
        ValueError: a size is not positive, or ``lipschitz`` is not in (0, 1).

    References:
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> import torch
        >>> from probgen.distributions import TransformedDistribution, standard_normal
        >>> from probgen.flows import residual_flow
        >>> flow = residual_flow(3, layers=2, hidden=(16,)).eval()
        >>> estimate = TransformedDistribution(standard_normal(3), flow).log_prob_estimate(torch.zeros(5, 3), 4)
        >>> estimate.value.shape, estimate.kind, bool(estimate.stderr.isfinite().all())
        (torch.Size([5]), 'unbiased', True)
    """
    if features < 1 or layers < 1:
        raise ValueError(f"`features` and `layers` must be positive; got {features} and {layers}.")
    told = 0 if context_shape is None else context_shape
    parts: list[Bijector] = []
    for _ in range(layers):
        network = LipschitzMLP(features, hidden=hidden, lipschitz=lipschitz, activation=activation, context_features=told)
        layer = Residual(
            network,
            (features,),
            log_det=log_det,
            terms=terms,
            truncation=truncation,
            evaluation_terms=evaluation_terms,
            probes=probes,
            recompute=recompute,
        )
        parts.append(layer.inv)
        if normalization:
            parts.append(ActNorm((features,)))
    return Compose(*parts)
