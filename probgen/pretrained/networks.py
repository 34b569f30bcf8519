"""The pretrained models before training: one of each family, all of the embedded digits, all given the class.

The digits are 8x8 images of 17 gray values. A class is a unit vector of ten numbers for the flow, the autoregressive model and
the autoencoder, and its number for diffusion and the adversarial network, whose networks embed it.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from probgen import autoregressive, diffusion, flows, gan, vae
from probgen.data import logit_preprocessing
from probgen.distributions import AutoregressiveLaw, DequantizedLaw, Quantization
from probgen.distributions.bijectors import Compose
from probgen.distributions.chains import DiscretizedDecoder
from probgen.distributions.elements import CategoricalElement, DiscretizedLogisticElement
from probgen.nn import ClassConditioning, UNet

__all__ = ["build_model", "digits_adversarial_networks"]

CLASSES = 10
LEVELS = 17
GRAY = Quantization(LEVELS, -1.0, 1.0)


def _glow() -> DequantizedLaw:
    flow = flows.glow((1, 8, 8), levels=2, steps=6, hidden=40, context_shape=(CLASSES,))
    return DequantizedLaw(Compose(flow, logit_preprocessing(1e-6, levels=LEVELS)), LEVELS)


def _pixel_cnn() -> AutoregressiveLaw:
    return autoregressive.gated_pixel_cnn(
        (8, 8),
        CategoricalElement(GRAY),
        layers=5,
        channels=24,
        first_kernel_size=5,
        head_channels=48,
        dropout=0.2,
        context_shape=(CLASSES,),
    )


def _vae() -> vae.VAE:
    return vae.mlp_vae(
        (64,), 24, DiscretizedLogisticElement(GRAY), hidden=(160, 160), context_shape=(CLASSES,), activation=nn.SiLU
    )


def _diffusion() -> diffusion.Diffusion:
    schedule = diffusion.cosine_schedule()
    network = UNet((1, 8, 8), width=16, multipliers=(1, 2), blocks=1, dropout=0.1, conditioning=ClassConditioning(CLASSES))
    grid = diffusion.TimeGrid.log_snr(schedule, 1000, 0.02, float(schedule.t_of_log_snr(-9.0)))
    return diffusion.Diffusion(network, schedule, (1, 8, 8), grid, decoder=DiscretizedDecoder(GRAY))


def digits_adversarial_networks() -> gan.GAN:
    """The generator's law and the critic that trains it; the critic is not shipped.

    Example:
        >>> import torch
        >>> from probgen.pretrained import digits_adversarial_networks
        >>> law, critic = digits_adversarial_networks()
        >>> law(torch.arange(10)).sample().shape
        torch.Size([10, 1, 8, 8])
    """
    conditioning = ClassConditioning(CLASSES, features=16)
    return gan.mlp_gan(
        (1, 8, 8),
        32,
        hidden=(256, 256),
        critic_activation=lambda: nn.LeakyReLU(0.2),
        output=nn.Tanh(),
        conditioning=conditioning,
    )


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "glow-digits": _glow,
    "pixel-cnn-digits": _pixel_cnn,
    "vae-digits": _vae,
    "diffusion-digits": _diffusion,
    "gan-digits": lambda: digits_adversarial_networks()[0],
}


def build_model(name: str) -> nn.Module:
    """A model as it was before training, with random weights.

    Args:
        name: One of ``pretrained_names()``.

    Raises:
        ValueError: there is no such model.

    Example:
        >>> import torch
        >>> from probgen.pretrained import build_model
        >>> build_model("glow-digits")(torch.eye(10)).sample().shape
        torch.Size([10, 1, 8, 8])
    """
    if name not in BUILDERS:
        raise ValueError(f"`name` must be one of {', '.join(BUILDERS)}; got {name!r}.")
    return BUILDERS[name]()
