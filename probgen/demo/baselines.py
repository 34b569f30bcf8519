r"""What a flow has to beat: the uniform law, :math:`\log_2 L` bits a pixel, and Gaussians fitted in closed form."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from probgen.data import to_logits
from probgen.demo.problem import Problem, margin

__all__ = ["gaussian", "logit_gaussian"]

MOST = 10_000  # images from which moments are taken


def gaussian(problem: Problem) -> Tensor:
    """Log-density of the test images under a full Gaussian fitted to the dequantized training images: ``[draws, n]`` nats.

    Args:
        problem: The data.

    Example:
        >>> from probgen.demo import Settings, gaussian, load_problem
        >>> gaussian(load_problem(Settings.smoke())).shape
        torch.Size([1, 100])
    """
    return cast(Tensor, _fitted(problem.noisy(problem.train.x[:MOST], 1)).log_prob(problem.test_v))


def logit_gaussian(problem: Problem) -> Tensor:
    """The same with the Gaussian on logits, which is what a flow with one linear layer would be: ``[draws, n]`` nats.

    Args:
        problem: The data.

    Example:
        >>> from probgen.demo import Settings, load_problem, logit_gaussian
        >>> logit_gaussian(load_problem(Settings.smoke())).shape
        torch.Size([1, 100])
    """
    train, _ = to_logits(problem.noisy(problem.train.x[:MOST], 1), margin(problem.images))
    test, log_det = to_logits(problem.test_v, margin(problem.images))
    return cast(Tensor, _fitted(train).log_prob(test)) + log_det


def _fitted(x: Tensor) -> MultivariateNormal:
    """Maximum likelihood with a small ridge, in float64 for the inverse."""
    covariance = torch.cov(x.double().T) + 1e-4 * torch.eye(x.shape[-1], dtype=torch.float64)
    return MultivariateNormal(x.mean(0), covariance.to(x.dtype))
