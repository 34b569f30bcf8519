"""Autoencoders: shapes, errors by hand, decoders that are laws, the denoising optimum."""

import copy
import pickle

import pyro.distributions as dist
import pytest
import torch
from torch import nn

import probgen as pg
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.vae import Autoencoder, NormalCorruption, ReconstructionLoss, mlp_autoencoder


class Law(nn.Module):
    """A decoder that knows one batch dimension and gives a law."""

    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, z):
        assert z.dim() == 2
        return dist.Normal(z.repeat_interleave(2, 1), self.std).to_event(1)


def conv():
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(8, 3))
    decoder = nn.Sequential(nn.Linear(3, 8), nn.Unflatten(1, (2, 2, 2)), nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1))
    return Autoencoder(encoder, decoder, event_shape=(1, 4, 4), code_shape=(3,))


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,), (2, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_any_batch_any_network(batch, dtype):
    for model in (conv(), mlp_autoencoder((1, 4, 4), 3), mlp_autoencoder((1, 4, 4), 3, element=BernoulliElement())):
        model.to(dtype)
        x = torch.rand(*batch, 1, 4, 4, dtype=dtype).round()
        z = model.encode(x)
        assert z.shape == (*batch, 3)
        assert model(x).shape == model.decode(z).shape == x.shape
        assert model.error(x).shape == batch
        assert model.error(x).dtype == dtype
        assert model.loss()(x).shape == ()
        assert torch.isfinite(model.loss()(x))


def test_error_is_the_squared_error_summed():
    model, x = conv(), torch.randn(5, 1, 4, 4)
    expected = ((x - model(x)) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(model.error(x), expected)
    torch.testing.assert_close(model.loss()(x), expected.mean())


def test_error_of_a_law_is_in_nats():
    model = Autoencoder(nn.Linear(4, 2), Law(0.5), event_shape=(4,), code_shape=(2,))
    x = torch.randn(3, 2, 4)
    mean = model.encode(x).repeat_interleave(2, -1)
    expected = -dist.Normal(mean, 0.5).log_prob(x).sum(-1)
    torch.testing.assert_close(model.error(x), expected)
    torch.testing.assert_close(model(x), mean)


def test_half_the_squared_error_is_unit_variance():
    torch.manual_seed(1)
    network = nn.Linear(2, 4)
    plain = Autoencoder(nn.Linear(4, 2), network, (4,), (2,))
    law = Autoencoder(plain.encoder, NetworkLaw(network, NormalElement(1.0), (4,), (2,)), (4,), (2,))
    x = torch.randn(7, 4)
    constant = 2 * torch.log(torch.tensor(2 * torch.pi))
    torch.testing.assert_close(law.error(x), plain.error(x) / 2 + constant)


def test_scalar_events_and_codes():
    model = Autoencoder(nn.Identity(), nn.Identity(), event_shape=(), code_shape=())
    assert model.error(torch.ones(3), given=torch.zeros(3)).tolist() == [1.0, 1.0, 1.0]


def test_denoising_takes_what_is_given_to_the_encoder_only():
    model, x = conv(), torch.randn(5, 1, 4, 4)
    noisy = x + 1
    torch.testing.assert_close(model.error(x, given=noisy), (x - model(noisy)).square().sum((1, 2, 3)))
    torch.testing.assert_close(model.loss(lambda y: y + 1)(x), model.error(x, noisy).mean())


@pytest.mark.statistical(false_alarm=1e-9)
def test_denoising_learns_the_posterior_mean():
    """x ~ N(0, 4), noise 1: E[x | noisy] = 0.8 noisy. Least squares of n = 4096 pairs finds it to 0.01 (one sigma 0.014)."""
    model = Autoencoder(nn.Linear(1, 1), nn.Identity(), (1,), (1,)).double()
    x = 2 * torch.randn(4096, 1, dtype=torch.float64)
    pg.infer.fit(
        model.loss(NormalCorruption(1.0)), [x], lambda p: torch.optim.SGD(p, lr=0.05), steps=300, progress=False
    )  # fmt: skip
    slope = model(torch.tensor([[1.0]]).double()) - model(torch.tensor([[0.0]]).double())
    assert abs(slope.item() - 0.8) < 0.1  # 7 sigma


def test_copies_and_files(tmp_path):
    model, x = mlp_autoencoder((2, 2), 1), torch.randn(3, 2, 2)
    pg.save(model, tmp_path / "model.safetensors")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), pg.load(tmp_path / "model.safetensors")):
        torch.testing.assert_close(other(x), model(x))
    fresh = mlp_autoencoder((2, 2), 1)
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh(x), model(x))


def test_loss_compiles_and_trains():
    model, x = mlp_autoencoder((4,), 2, hidden=(16,)), torch.randn(64, 2) @ torch.randn(2, 4)
    compiled = pg.infer.compile(ReconstructionLoss(model), backend="eager")
    torch.testing.assert_close(compiled(x), model.loss()(x))
    before = model.error(x).mean()
    pg.infer.fit(compiled, [x], lambda p: torch.optim.Adam(p, lr=1e-2), steps=100, progress=False)
    assert model.error(x).mean() < 0.3 * before


def test_vmap():
    model, x = conv(), torch.randn(3, 2, 1, 4, 4)
    torch.testing.assert_close(torch.vmap(model.error)(x), model.error(x))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.encode(torch.zeros(5, 1, 4, 3)), r"`x` .* must end with \(1, 4, 4\); got \(5, 1, 4, 3\)"),
        (lambda m: m.encode(torch.zeros(4)), r"must end with \(1, 4, 4\); got \(4,\)"),
        (lambda m: m.decode(torch.zeros(5, 2)), r"`z` .* must end with \(3,\); got \(5, 2\)"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(conv())


def test_networks_of_another_size_are_refused():
    model = Autoencoder(nn.Linear(4, 3), nn.Linear(2, 3), (4,), (2,))
    with pytest.raises(ValueError, match=r"the encoder must give \(2,\) for each of 5 inputs; got \(5, 3\)"):
        model.encode(torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"the decoder must give \(4,\) for each of 5 inputs; got \(5, 3\)"):
        model.decode(torch.zeros(5, 2))


@pytest.mark.parametrize("element", [None, BernoulliElement()])
def test_what_is_encoded_in_place_of_the_data_has_their_shape(element):
    """One code for all data went through a decoder that gives a law."""
    with pytest.raises(ValueError, match=r"`given` must have the shape of the data, \(5, 4\); got \(1, 4\)"):
        mlp_autoencoder((4,), 2, element=element).error(torch.zeros(5, 4), torch.zeros(1, 4))
