"""The entries of the demo: flows (on vectors and on images) and pixels one by one by likelihood, autoencoders and diffusion by
bounds, and a network without a density by a game, as Pyro models.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.demo.autoregressive_model import AutoregressiveModel, digits_autoregressive
from probgen.demo.diffusion_model import DiffusionModel, denoising, digits_diffusion
from probgen.demo.flow_model import FlowModel
from probgen.demo.gan_model import GANModel, adversarial, digits_gan
from probgen.demo.image_flow_model import glow_model
from probgen.demo.problem import CLASSES, PIXELS, Problem
from probgen.demo.registry import DigitModel, Entry
from probgen.demo.vae_model import VAEModel, digits_vae, evidence_bound
from probgen.flows import neural_spline_autoregressive, neural_spline_coupling

__all__ = ["ENTRIES"]


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
        Entry("Glow", glow_model, learning_rate=1e-2, share=0.625, averaging=0.98),
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
