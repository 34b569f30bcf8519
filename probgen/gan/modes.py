r"""Modes of the posterior of an inverse problem, and how much probability each holds.

Many restarts climb :math:`\log p(z, y)` at once. Around a mode :math:`z^*`, where :math:`-H` is the Hessian, Laplace's
approximation gives it a share of the evidence,

.. math:: \log p(y) \approx \log p(z^*, y) + \tfrac d2 \log 2\pi - \tfrac12 \log\det H,

exact for a linear generator. By it modes are compared: a narrow one may be high and yet hold little probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.gan.inverse_problem import InverseProblem

__all__ = ["Modes", "find_modes"]


@dataclass(frozen=True)
class Modes:
    r"""Where restarts ended, the best first.

    Attributes:
        z: Noise, ``[restarts, *batch, *base_event]``.
        log_joint: :math:`\log p(z, y)` in nats, ``[restarts, *batch]``, falling along the first dimension.
        log_evidence: What Laplace's approximation gives each mode of :math:`\log p(y)`, same shape; NaN where no maximum was
            found.

    Example:
        >>> import torch
        >>> from probgen.gan import Modes
        >>> z = torch.tensor([[1.0], [1.0001], [-1.0]])
        >>> Modes(z, torch.zeros(3), torch.zeros(3)).distinct(0.01).z.flatten()
        tensor([ 1., -1.])
    """

    z: Tensor
    log_joint: Tensor
    log_evidence: Tensor

    def distinct(self, tolerance: float = 0.1) -> Modes:
        """One of each: what lies nearer to a better one than a distance is left out.

        Args:
            tolerance: The distance, in units of the noise.

        Raises:
            ValueError: there is more than one observation.
        """
        if self.log_joint.dim() != 1:
            raise ValueError(f"the modes must be of one observation; these are of a batch {tuple(self.log_joint.shape[1:])}.")
        flat = self.z.reshape(len(self.z), -1)
        kept: list[int] = []
        for index in range(len(flat)):
            if all(float((flat[index] - flat[other]).norm()) > tolerance for other in kept):
                kept.append(index)
        return Modes(self.z[kept], self.log_joint[kept], self.log_evidence[kept])


def find_modes(
    problem: InverseProblem, y: Tensor, *, num_restarts: int = 16, num_steps: int = 300, learning_rate: float = 0.1
) -> Modes:
    """Climb to modes of the posterior from draws of the noise, all restarts at once, by Adam with a cosine schedule.

    Args:
        problem: The inverse problem.
        y: Observations ``[*batch, *observed]``.
        num_restarts: How many restarts for every observation.
        num_steps: How many steps.
        learning_rate: The first step size, in units of the noise; it falls to zero.

    Raises:
        ValueError: a number is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import InverseProblem, find_modes
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: 2 * z, (1,))
        >>> modes = find_modes(InverseProblem(law, noise=1.0), torch.tensor([5.0]), num_restarts=3)
        >>> bool((modes.z - 2.0).abs().max() < 1e-3), modes.log_evidence[0].round(decimals=3)  # log N(5; 0, 5)
        (True, tensor(-4.2240))
    """
    if num_restarts < 1 or num_steps < 1 or not learning_rate > 0:
        raise ValueError(
            "`num_restarts`, `num_steps` and `learning_rate` must be positive; "
            f"got {num_restarts}, {num_steps} and {learning_rate}."
        )
    if torch.is_inference_mode_enabled():  # nothing made in it can be differentiated
        with torch.inference_mode(mode=False):
            kept = {"num_restarts": num_restarts, "num_steps": num_steps}
            return find_modes(problem, y.clone(), learning_rate=learning_rate, **kept)
    z = problem.prior_draws(num_restarts, y).requires_grad_()
    optimizer = torch.optim.Adam([z], learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    with torch.enable_grad():
        for _ in range(num_steps):
            loss = -problem.log_joint(z, y).sum() + 0 * z.sum()
            z.grad = torch.autograd.grad(loss, z)[0]
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        end = z.detach()
        order = problem.log_joint(end, y).argsort(0, descending=True)
        rank = end.dim() - order.dim()
        best = end.gather(0, order.reshape(*order.shape, *(1,) * rank).expand_as(end))
        log_joint = problem.log_joint(best, y)
    return Modes(best, log_joint, log_joint + _laplace_volume(problem, best, y))


def _laplace_volume(problem: InverseProblem, z: Tensor, y: Tensor) -> Tensor:
    r""":math:`\tfrac d2 \log 2\pi - \tfrac12 \log\det H` at states ``[n, *batch, *base_event]``; NaN if H is not positive."""
    event = problem.law.base_dist.event_shape
    lead, size = z.shape[: z.dim() - len(event)], event.numel()
    at = z.detach().reshape(*lead, size).requires_grad_()
    with torch.enable_grad():
        value = -problem.log_joint(at.reshape(z.shape), y).sum() + 0 * at.sum()
        (gradient,) = torch.autograd.grad(value, at, create_graph=True)
        rows = [_second(gradient[..., index].sum(), at) for index in range(size)]
    curvature = torch.stack(rows, -2)
    factor, failed = torch.linalg.cholesky_ex(0.5 * (curvature + curvature.mT))
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return torch.where(failed == 0, 0.5 * size * math.log(2 * math.pi) - 0.5 * log_det, torch.nan)


def _second(total: Tensor, at: Tensor) -> Tensor:
    """A row of the Hessian of every state; states do not depend on each other."""
    if not total.requires_grad:
        return torch.zeros_like(at)
    (row,) = torch.autograd.grad(total, at, retain_graph=True)
    return row.detach()
