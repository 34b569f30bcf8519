"""A normalizing flow in the comparison: standard normal, learned bijector, fixed map to pixels; exact in every direction."""

from __future__ import annotations

from collections.abc import Callable

import pyro
import torch
from torch import Tensor

from probgen.demo.problem import PIXELS, one_hot
from probgen.demo.registry import DigitModel
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Bijector

__all__ = ["FlowModel"]


class FlowModel(DigitModel):
    """A flow over pixels: standard normal, learned bijector, fixed map to the unit cube.

    Args:
        flow: The learned bijector of 64 dimensions, with a context of 10 if it is by class.
        to_pixels: The fixed map to pixels.
        pictures: From the trained bijector to what there is to see of it, caption to pixels ``[rows, columns, 64]``; None for
            nothing.

    Example:
        >>> from probgen.demo import FlowModel, Settings, load_problem
        >>> from probgen.distributions.bijectors import Affine
        >>> problem = load_problem(Settings.smoke())
        >>> model = FlowModel(Affine(shape=(64,)), problem.to_pixels)
        >>> model.law().event_shape
        torch.Size([64])
    """

    def __init__(
        self, flow: Bijector, to_pixels: Bijector, pictures: Callable[[Bijector], dict[str, Tensor]] | None = None
    ) -> None:
        super().__init__()
        self.bijector = flow >> to_pixels
        self._draw_pictures = pictures

    def law(self, label: Tensor | None = None) -> TransformedDistribution:
        """The distribution of pixels, given labels if there are any."""
        bijector = self.bijector if label is None else self.bijector.condition(one_hot(label))
        return TransformedDistribution(standard_normal(PIXELS), bijector)

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: ``v`` is observed at one site inside a plate over the data."""
        with pyro.plate("digits", len(v)):
            return pyro.sample("v", self.law(label), obs=v)

    @torch.no_grad()
    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Log-density of pixels, exact, nats."""
        return self.law(label).log_prob(v)

    @torch.no_grad()
    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draws, clamped to the unit cube (the density reaches a little over its edge)."""
        law = self.law(label)
        return law.sample((n,) if label is None else ()).clamp(0, 1)

    @torch.no_grad()
    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The base value of each image."""
        return self.bijector.inverse(v, None if label is None else one_hot(label))

    @torch.no_grad()
    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The image of each base value."""
        return self.bijector.forward(z, None if label is None else one_hot(label))

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """What else there is to see."""
        return {} if self._draw_pictures is None else self._draw_pictures(self.bijector)
