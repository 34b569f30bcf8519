"""Convolutional recipes: image sizes, contexts, elements of a channel and of a pixel, residual networks."""

import pytest
import torch

from probgen.distributions import Quantization
from probgen.distributions.elements import DiscretizedLogisticElement, NormalElement
from probgen.vae import conv_autoencoder, conv_vae


@pytest.mark.parametrize("image", [(1, 8, 8), (3, 7, 5)], ids=str)
@pytest.mark.parametrize("context", [None, (3,), (2, 2)], ids=str)
@pytest.mark.parametrize("residual", [False, True])
def test_any_image(image, context, residual):
    vae = conv_vae(image, 4, width=4, residual=residual, context_shape=context, mean=0.5)
    x, c = torch.rand(5, *image).round(), None if context is None else torch.randn(5, *context)
    vae.loss()(x, c).backward()
    assert all(parameter.grad is not None for parameter in vae.parameters())
    assert vae.event_shape == image
    assert vae.distribution(c).sample((2,)).shape == ((2, *image) if c is None else (2, 5, *image))
    assert vae.distribution(c).elbo(x[:0] if c is None else x).shape == (0 if c is None else 5,)


def test_elements():
    levels = Quantization(4, 0.0, 3.0)
    for element in (NormalElement("shared"), NormalElement(), DiscretizedLogisticElement(levels)):
        vae = conv_vae((2, 4, 4), 3, element, width=4)
        assert vae.loss()(torch.zeros(5, 2, 4, 4)).isfinite()
        assert vae.decode(torch.zeros(1, 3)).mean.shape == (1, 2, 4, 4)


def test_autoencoder():
    for element in (None, NormalElement("shared")):
        model = conv_autoencoder((1, 7, 5), 3, element=element, width=4)
        x = torch.randn(2, 3, 1, 7, 5)
        assert model.encode(x).shape == (2, 3, 3)
        assert model(x).shape == x.shape
        assert model.error(x).shape == (2, 3)
        model.loss()(x).backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


def test_double_precision():
    vae = conv_vae((1, 4, 4), 2, width=4, mean=torch.rand(1, 4, 4)).double()
    assert vae.loss()(torch.zeros(3, 1, 4, 4).double()).dtype == torch.float64


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="must be positive"):
        conv_vae((1, 8, 8), 2, width=0)
