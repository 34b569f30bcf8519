r"""Hierarchies whose posterior is known: linear-Gaussian chains z_2 -> z_1 -> x, coordinate by coordinate.

With z_2 ~ N(0, 1), z_1 = A z_2 + S e, x = W z_1 + T e the evidence is N(0, W^2 (A^2 + S^2) + T^2) for every coordinate, and
the exact posterior is of the family of every rule.
"""

import math

import pyro.distributions as dist
import torch
from torch import nn

from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.vae import ChainVAE, Level, TopDownVAE

A, S, W, T = 0.8, 0.6, 1.5, 0.5
DIM = 3

EVIDENCE_VARIANCE = W**2 * (A**2 + S**2) + T**2
ABOVE_NOISE = W**2 * S**2 + T**2  # of x given z_2
TOP_VARIANCE = 1 / (1 + (W * A) ** 2 / ABOVE_NOISE)
TOP_SLOPE = TOP_VARIANCE * W * A / ABOVE_NOISE
LOW_VARIANCE = 1 / (1 / S**2 + W**2 / T**2)


class Combination(nn.Module):
    """The sum of its inputs times given numbers."""

    def __init__(self, *slopes):
        super().__init__()
        self.slopes = slopes

    def forward(self, *inputs):
        return sum(slope * part for slope, part in zip(self.slopes, inputs, strict=True))


def law(std, *slopes):
    """A normal law around a combination of its inputs; two slopes: of state and context."""
    context = (DIM,) if len(slopes) == 2 else None
    return NetworkLaw(Combination(*slopes), NormalElement(std), (DIM,), (DIM,), context)


def _corrections(rule):
    """What the data say about z_1 and z_2 so that the rule gives the exact posterior."""
    likelihood = W * LOW_VARIANCE / T**2  # weight of x in the mean of z_1
    share = A * LOW_VARIANCE / S**2  # weight of z_2
    if rule == "direct":
        return law(math.sqrt(LOW_VARIANCE), share, likelihood), law(math.sqrt(TOP_VARIANCE), TOP_SLOPE)
    if rule == "residual":
        low = law(math.sqrt(LOW_VARIANCE) / S, (share - A) / S, likelihood / S)
        return low, law(math.sqrt(TOP_VARIANCE), TOP_SLOPE)
    return law(T / W, 1 / W), law(math.sqrt(ABOVE_NOISE) / (W * A), 1 / (W * A))


def exact_top_down(rule):
    """The chain with the exact posterior by top-down inference."""
    low, top = _corrections(rule)
    levels = [Level((DIM,), (DIM,), prior=law(S, A), correction=low), Level((DIM,), correction=top)]
    return TopDownVAE(levels, law(T, W), [nn.Identity(), nn.Identity()], posterior=rule)


def exact_chain():
    """The same with the exact posterior from the data up: q(z_1 | x) q(z_2 | z_1)."""
    spread = A**2 + S**2  # of z_1
    low = 1 / (1 / spread + W**2 / T**2)
    top = 1 / (1 + A**2 / S**2)
    encoders = [law(math.sqrt(low), low * W / T**2), law(math.sqrt(top), top * A / S**2)]
    return ChainVAE([law(S, A)], law(T, W), encoders)


def evidence():
    """The law of x."""
    return dist.Normal(torch.zeros(DIM), math.sqrt(EVIDENCE_VARIANCE)).to_event(1)


EXACT = {
    "residual": lambda: exact_top_down("residual"),
    "direct": lambda: exact_top_down("direct"),
    "precision-weighted": lambda: exact_top_down("precision-weighted"),
    "chain": exact_chain,
}
