"""A normalizing flow in the comparison: standard normal, learned bijector, fixed map to pixels; exact in every direction."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pyro
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.registry import ImageModel
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Bijector
from probgen.distributions.latent import hamiltonian_move

__all__ = ["FlowModel"]

_LEAPFROG, _ACCEPTED = 5, 0.7
_EDGE, _STARTS = 1e-3, 256


class FlowModel(ImageModel):
    """A flow over pixels: standard normal, learned bijector, fixed map to the unit cube.

    Args:
        flow: The learned bijector of flat images, with a one-hot label as context if it is by class.
        to_pixels: The fixed map to pixels.
        pictures: From the trained bijector to what there is to see of it, caption to pixels ``[rows, columns, D]``; None for
            nothing.
        images: The format of the images.

    Example:
        >>> from probgen.demo import FlowModel, Settings, load_problem
        >>> from probgen.distributions.bijectors import Affine
        >>> problem = load_problem(Settings.smoke())
        >>> model = FlowModel(Affine(shape=(64,)), problem.to_pixels)
        >>> model.law().event_shape
        torch.Size([64])
    """

    latent = "yes, one code an image"
    completes = "Hamiltonian Monte Carlo on the density"

    def __init__(
        self,
        flow: Bijector,
        to_pixels: Bijector,
        pictures: Callable[[Bijector], dict[str, Tensor]] | None = None,
        images: ImageFormat = DIGITS,
    ) -> None:
        super().__init__(images)
        self.bijector = flow >> to_pixels
        self._draw_pictures = pictures

    def law(self, label: Tensor | None = None) -> TransformedDistribution:
        """The distribution of pixels, given labels if there are any."""
        bijector = self.bijector if label is None else self.bijector.condition(self.images.one_hot(label))
        return TransformedDistribution(standard_normal(self.images.num_pixels), bijector)

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: ``v`` is observed at one site inside a plate over the data."""
        with pyro.plate("images", len(v)):
            return pyro.sample("v", self.law(label), obs=v)

    def _log_prob(self, v: Tensor, label: Tensor | None) -> Tensor:
        return self.law(label).log_prob(v)

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        """Draws, clamped to the unit cube (the density reaches a little over its edge)."""
        return self._decode(torch.randn(n, self.images.num_pixels, device=self.device), label).clamp(0, 1)

    def _encode(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The base value of each image."""
        return self.bijector.inverse(v, None if label is None else self.images.one_hot(label))

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The image of each base value."""
        return self.bijector.forward(z, None if label is None else self.images.one_hot(label))

    def _complete(self, v: Tensor, num_rows: int, moves: int) -> Tensor:
        """Chains on the missing pixels, each started at the draw whose upper rows are nearest."""
        known = num_rows * self.images.width
        draws = self._sample(_STARTS, None)
        start = draws[torch.cdist(v[:, :known], draws[:, :known]).argmin(-1), known:].clamp(_EDGE, 1 - _EDGE)

        def log_density(y: Tensor) -> Tensor:
            image = torch.cat([v[:, :known].expand(len(y), -1, -1), y.sigmoid()], -1)
            return self.law().log_prob(image) + (logsigmoid(y) + logsigmoid(-y)).sum(-1)

        y, size = start.logit().unsqueeze(0), torch.full((len(v),), 0.1, device=v.device)
        for _ in range(moves):
            move = hamiltonian_move(y, log_density, size, event_dim=1, num_leapfrog=_LEAPFROG)
            y, size = move.z, size * torch.where(move.acceptance[0] > _ACCEPTED, 1.1, 0.8)
        return torch.cat([v[:, :known], y[0].sigmoid()], -1)

    def pictures(self) -> dict[str, Tensor]:
        """What else there is to see."""
        if self._draw_pictures is None:
            return {}
        with torch.no_grad():
            return self._draw_pictures(copy.deepcopy(self.bijector).cpu())
