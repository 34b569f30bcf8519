"""The entries of the demo: flows and pixels one by one by likelihood, autoencoders and diffusion by bounds,
and a network without a density by a game, as Pyro models.
"""

from __future__ import annotations

import pyro
import torch
from torch import Tensor

from probgen.demo.autoregressive_model import AutoregressiveModel, digits_autoregressive
from probgen.demo.diffusion_model import DiffusionModel, denoising, digits_diffusion
from probgen.demo.gan_model import GANModel, adversarial, digits_gan
from probgen.demo.problem import CLASSES, PIXELS, Problem, one_hot
from probgen.demo.registry import DigitModel, Entry
from probgen.demo.vae_model import VAEModel, digits_vae, evidence_bound
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Bijector
from probgen.flows import neural_spline_autoregressive, neural_spline_coupling

__all__ = ["ENTRIES", "FlowModel"]


class FlowModel(DigitModel):
    """A flow over pixels: standard normal, learned bijector, fixed map to the unit cube.

    Args:
        flow: The learned bijector of 64 dimensions, with a context of 10 if it is by class.
        to_pixels: The fixed map to pixels.

    Example:
        >>> from probgen.demo import FlowModel, Settings, load_problem
        >>> from probgen.distributions.bijectors import Affine
        >>> problem = load_problem(Settings.smoke())
        >>> model = FlowModel(Affine(shape=(64,)), problem.to_pixels)
        >>> model.law().event_shape
        torch.Size([64])
    """

    def __init__(self, flow: Bijector, to_pixels: Bijector) -> None:
        super().__init__()
        self.bijector = flow >> to_pixels

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


def _coupling(problem: Problem, *, conditional: bool) -> DigitModel:
    context = (CLASSES,) if conditional else None
    flow = neural_spline_coupling(PIXELS, context_shape=context, layers=6, dropout=0.2)
    return FlowModel(flow, problem.to_pixels)


def _autoregressive(problem: Problem, *, conditional: bool) -> DigitModel:
    context = (CLASSES,) if conditional else None
    return FlowModel(neural_spline_autoregressive(PIXELS, context_shape=context, layers=3), problem.to_pixels)


def _diffusion(problem: Problem, *, conditional: bool) -> DigitModel:
    return DiffusionModel(digits_diffusion(width=problem.width), draws=2 * len(problem.test_v))


def _pixels(problem: Problem, *, conditional: bool) -> DigitModel:
    return AutoregressiveModel(digits_autoregressive(channels=3 * problem.width // 4), _frequency(problem))


def _vae(problem: Problem, *, conditional: bool) -> DigitModel:
    return VAEModel(digits_vae(width=8 * problem.width, conditional=conditional))


def _gan(problem: Problem, *, conditional: bool) -> DigitModel:
    return GANModel(digits_gan(width=8 * problem.width), _frequency(problem))


def _frequency(problem: Problem) -> Tensor:
    return torch.bincount(problem.train.labels, minlength=CLASSES) / len(problem.train)


ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("spline coupling", _coupling),
        Entry("spline autoregressive", _autoregressive),
        Entry("autoregressive", _pixels, learning_rate=4e-3, share=0.375, serves_both=True),
        Entry("variational autoencoder", _vae, evidence_bound),
        Entry("diffusion", _diffusion, denoising, learning_rate=3e-3, share=0.5, serves_both=True),
        Entry(
            "adversarial network",
            _gan,
            adversarial,
            learning_rate=1e-3,
            share=5.0,
            serves_both=True,
            betas=(0.0, 0.99),
            averaging=0.999,
        ),
    )
}
"""Name to entry, in the order of the tables."""
