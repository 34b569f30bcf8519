"""Recipes of perceptrons: sizes, contexts of any shape, elements of one and of several coordinates, errors."""

import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions import Quantization, standard_normal
from probgen.distributions.elements import BernoulliElement, CategoricalElement, DiscretizedLogisticElement, NormalElement
from probgen.vae import mlp_autoencoder, mlp_vae
from probgen.vae.recipes import Centered


@pytest.mark.parametrize("event", [(), (6,), (1, 4, 5)], ids=str)
@pytest.mark.parametrize("context", [None, (), (3,), (2, 3)], ids=str)
def test_any_shapes(event, context):
    vae = mlp_vae(event, 2, NormalElement(), hidden=(8,), context_shape=context)
    x, c = torch.randn(5, *event), None if context is None else torch.randn(5, *context)
    assert vae.event_shape == event
    assert vae.loss()(x, c).shape == ()
    assert vae.distribution(c).elbo(x).shape == (5,)
    draws = vae.distribution(c).sample((3,))
    assert draws.shape == ((3, *event) if c is None else (3, 5, *event))


@pytest.mark.parametrize(
    "element",
    [BernoulliElement(), CategoricalElement(3), DiscretizedLogisticElement(Quantization(3, 0.0, 2.0)), NormalElement("shared")],
    ids=lambda element: type(element).__name__,
)
def test_any_element_trains_every_parameter(element):
    vae, x = mlp_vae((2, 3), 2, element, hidden=(8,)), torch.randint(0, 2, (5, 2, 3)).float()
    vae.loss()(x).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in vae.parameters())
    assert vae.decode(torch.zeros(4, 2)).mean.shape == (4, 2, 3)


def test_options_reach_the_networks():
    vae = mlp_vae((6,), 2, hidden=(8, 8, 8), residual=True, dropout=0.5, activation=nn.SiLU, mean=torch.full((6,), 0.5))
    encoder, decoder = vae.encoder.network.network, vae.decoder.network
    assert encoder.residual
    assert decoder.residual
    assert encoder.dropout.p == 0.5
    assert decoder.dropout is None
    assert isinstance(encoder.activations[0], nn.SiLU)
    assert [layer.out_features for layer in mlp_vae((6,), 2, hidden=(8, 4)).decoder.network.layers] == [4, 8, 6]
    vae.eval()
    torch.testing.assert_close(vae.encode(torch.full((6,), 0.5)).mean, encoder(torch.zeros(1, 6))[0, :2])


def test_prior_can_be_given():
    assert mlp_vae((6,), 2, prior=standard_normal(2)).latent_law().event_shape == (2,)


def test_the_mean_moves_with_the_model():
    vae = mlp_vae((6,), 2, mean=torch.rand(6)).double()
    assert vae.encoder.network.shift.dtype == torch.float64
    assert "encoder.network.shift" in vae.state_dict()


def test_centered():
    assert torch.equal(Centered(nn.Identity(), torch.ones(2, 2))(torch.ones(3, 2, 2)), torch.zeros(3, 4))
    assert Centered(nn.Identity(), 1.0, flat=False)(torch.ones(3, 2, 2)).shape == (3, 2, 2)
    network = pg.nn.MLP(4, 1, context_features=6)
    assert Centered(network)(torch.ones(3, 2, 2), torch.ones(3, 2, 3)).shape == (3, 1)
    assert Centered(nn.Identity())(torch.ones(0, 2, 2)).shape == (0, 4)


def test_autoencoder_sizes():
    model = mlp_autoencoder((1, 4, 4), 3, hidden=(8, 5), mean=0.5)
    assert [layer.out_features for layer in model.encoder.network.layers] == [8, 5, 3]
    assert [layer.out_features for layer in model.decoder.layers] == [5, 8, 16]


def test_errors():
    with pytest.raises(ValueError, match="`latent` must be at least 1; got 0"):
        mlp_vae((6,), 0)
    with pytest.raises(ValueError, match="`code` must be at least 1; got 0"):
        mlp_autoencoder((6,), 0)
