"""The entries of the demo: flows (on vectors and on images) and pixels one by one by likelihood, autoencoders and diffusion by
bounds, and a network without a density by a game, as Pyro models.

Small images get all of them. Larger ones get one model of each family, of convolutions: the flows on vectors are left out,
since a perceptron that sees 784 pixels as 784 unrelated numbers is no honest rival.
"""

from __future__ import annotations

from dataclasses import replace

from probgen.demo.autoregressive_model import pixel_cnn_model
from probgen.demo.diffusion_model import denoising, diffusion_model
from probgen.demo.flow_model import FlowModel
from probgen.demo.gan_model import adversarial, gan_model
from probgen.demo.image_flow_model import glow_model
from probgen.demo.problem import Problem
from probgen.demo.registry import Entry, ImageModel
from probgen.demo.vae_model import evidence_bound, vae_model
from probgen.flows import neural_spline_autoregressive, neural_spline_coupling

__all__ = ["ENTRIES", "entries_for"]


def _coupling(problem: Problem, *, conditional: bool) -> ImageModel:
    images = problem.images
    context = (images.num_classes,) if conditional else None
    flow = neural_spline_coupling(images.num_pixels, context_shape=context, layers=6, dropout=0.2)
    return FlowModel(flow, problem.to_pixels, images=images)


def _autoregressive(problem: Problem, *, conditional: bool) -> ImageModel:
    images = problem.images
    context = (images.num_classes,) if conditional else None
    flow = neural_spline_autoregressive(images.num_pixels, context_shape=context, layers=3)
    model = FlowModel(flow, problem.to_pixels, images=images)
    model.draws_by = f"{images.num_pixels} steps a layer"
    return model


ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("spline coupling", "flow", _coupling),
        Entry("spline autoregressive", "flow", _autoregressive),
        Entry("Glow", "flow", glow_model, learning_rate=1e-2, share=0.625, averaging=0.98),
        Entry("PixelCNN", "autoregressive", pixel_cnn_model, learning_rate=4e-3, share=0.375, serves_both=True),
        Entry("variational autoencoder", "VAE", vae_model, evidence_bound),
        Entry("diffusion", "diffusion", diffusion_model, denoising, learning_rate=3e-3, share=0.5, serves_both=True),
        Entry(
            "adversarial network",
            "GAN",
            gan_model,
            adversarial,
            learning_rate=1e-3,
            share=5.0,
            serves_both=True,
            betas=(0.0, 0.99),
            averaging=0.999,
        ),
    )
}
"""Name to entry, in the order of the tables, for small images."""

_LARGE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        replace(ENTRIES["Glow"], learning_rate=2e-3, share=0.625, averaging=0.99, batch=32),
        replace(ENTRIES["PixelCNN"], share=0.625, batch=32),
        replace(ENTRIES["variational autoencoder"], share=0.75, batch=64),
        replace(ENTRIES["diffusion"], learning_rate=2e-3, share=1.0, batch=32),
        replace(ENTRIES["adversarial network"], learning_rate=5e-4, share=3.0, averaging=0.998, batch=64),
    )
}


def entries_for(problem: Problem) -> dict[str, Entry]:
    """The entries that take part on a data set, with the sizes of their steps.

    Args:
        problem: The data.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, entries_for, load_problem
        >>> entries_for(load_problem(Settings.smoke())) is ENTRIES
        True
        >>> list(entries_for(load_problem(Settings.smoke("fashion-mnist"))))[:2]
        ['Glow', 'PixelCNN']
    """
    return ENTRIES if problem.images.small else _LARGE
