"""A linear generator seen through a mask: everything about its posterior is known."""

import math

import torch

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions.implicit import InjectiveLinear

NOISE = 0.4
MATRIX = torch.tensor([[1.0, 0.5], [-0.3, 0.8], [0.2, -1.0]], dtype=torch.float64)
SHIFT = torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64)
SEEN = MATRIX[:2]
Y = torch.tensor([[1.0, -0.5], [0.3, 2.0], [0.0, 0.0]], dtype=torch.float64)


def law():
    """Two coordinates of noise, three of an event."""
    return ImplicitDistribution(standard_normal(2), InjectiveLinear(MATRIX, SHIFT), (3,))


def mask(x):
    """The first two coordinates of an event."""
    return x[:, :2]


def posterior():
    """Mean ``[3, 2]`` for every row of Y, and covariance ``[2, 2]``."""
    covariance = torch.linalg.inv(torch.eye(2, dtype=torch.float64) + SEEN.mT @ SEEN / NOISE**2)
    return (Y - SHIFT[:2]) @ SEEN @ covariance / NOISE**2, covariance


def log_evidence():
    """The log-density of every row of Y."""
    total = SEEN @ SEEN.mT + NOISE**2 * torch.eye(2, dtype=torch.float64)
    gap = Y - SHIFT[:2]
    return -0.5 * (gap @ torch.linalg.inv(total) * gap).sum(-1) - 0.5 * torch.logdet(2 * math.pi * total)
