r"""Flow matching: the velocity of the straight path, on the same denoiser.

On :math:`x_t = \alpha_t x_0 + \sigma_t\varepsilon` the conditional velocity is :math:`\dot\alpha x_0 + \dot\sigma\varepsilon`.
On the straight path, :math:`\alpha = 1 - t, \sigma = t`, it is :math:`\varepsilon - x_0`, and its squared error is :math:`(1 +
\sqrt{\mathrm{SNR}})^2` times that of :math:`x_0`: flow matching is a denoising loss with the weighting "velocity". The
marginal velocity that it learns is the probability flow, so the samplers and the exact likelihood are those of any other
denoiser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from probgen.diffusion.objectives.denoising_loss import DenoisingLoss, Times

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["flow_matching_loss"]


def flow_matching_loss(
    diffusion: Diffusion, *, times: Times = "logit-normal", correct_times: bool = False, context_dropout: float = 0.0
) -> DenoisingLoss:
    r"""Conditional flow matching :math:`\mathbb E\|\hat u - (\varepsilon - x_0)\|^2` with logit-normal times.

    Args:
        diffusion: A model on the straight path, ``flow_matching_schedule()``; best with the parameterization "velocity".
        times: Which times a batch looks at; "continuous" for uniform ones.
        correct_times: Whether their law is corrected for; by default it is part of the weighting.
        context_dropout: As in ``DenoisingLoss``.

    Raises:
        ValueError: the schedule is not a straight path.

    References:
        Lipman, Chen, Ben-Hamu, Nickel, Le (2023). Flow matching for generative modeling. https://arxiv.org/abs/2210.02747
        Liu, Gong, Liu (2023). Flow straight and fast: learning to generate and transfer data with rectified flow.
        https://arxiv.org/abs/2209.03003
        Esser et al. (2024). Scaling rectified flow transformers for high-resolution image synthesis.
        https://arxiv.org/abs/2403.03206

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> network = pg.nn.DenoisingMLP(2, hidden=(8,))
        >>> d = pg.diffusion.Diffusion(
        ...     network, pg.diffusion.flow_matching_schedule(), event_shape=(2,), parameterization="velocity"
        ... )
        >>> d.flow_matching_loss()(torch.randn(8, 2)).shape
        torch.Size([])
    """
    if diffusion.schedule.scaling != "linear":
        raise ValueError(
            "`diffusion` must be on the straight path, `schedule=flow_matching_schedule()`; "
            f"got the scaling {diffusion.schedule.scaling!r}."
        )
    return DenoisingLoss(diffusion, "velocity", times=times, correct_times=correct_times, context_dropout=context_dropout)
