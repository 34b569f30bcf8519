"""Saved models with spectral normalization or another parametrization of torch."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import register_parametrization

import probgen as pg
from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer.parametrized import is_parametrized_class, parametrized_again
from probgen.infer.storage import UnsafeFileError
from probgen.infer.structure import build, describe
from probgen.nn import DCGANCritic, ProgressiveGenerator, ResidualGenerator


def test_a_spectrally_normalized_law_comes_back(tmp_path):
    torch.manual_seed(0)
    generator = ResidualGenerator((1, 8, 8), 4, channels=4, attention=8, spectral=True)
    law = ImplicitLaw(standard_normal(4), generator, (1, 8, 8))
    law().sample((3,))  # the power iteration has moved on
    pg.save(law, tmp_path / "law.safetensors")
    again = pg.load(tmp_path / "law.safetensors")
    z = torch.randn(3, 4)
    torch.testing.assert_close(again.generator.eval()(z), generator.eval()(z), rtol=0, atol=0)
    torch.testing.assert_close(again.generator.train()(z), generator.train()(z), rtol=0, atol=0)
    assert again.state_dict().keys() == law.state_dict().keys()
    pg.save(again, tmp_path / "again.safetensors")


def test_it_can_be_trained_on():
    torch.manual_seed(0)
    critic = DCGANCritic((1, 8, 8), channels=4, normalization="none", spectral=True)
    again = build(copy.deepcopy(describe(critic)))
    x = torch.randn(3, 1, 8, 8)
    for network in (critic, again):
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            network(x).sum().backward()
            optimizer.step()
    torch.testing.assert_close(again(x), critic(x), rtol=0, atol=0)


class Doubled(nn.Module):
    """A parametrization of the user's own."""

    def forward(self, weight):
        return 2 * weight


def test_parametrizations_of_ones_own():
    layer = nn.Linear(4, 4)
    register_parametrization(layer, "weight", Doubled())
    assert is_parametrized_class(type(layer))
    again = build(describe(layer, [Doubled]), [Doubled])
    assert torch.equal(again.weight, layer.weight)
    with pytest.raises(TypeError, match="Doubled is not a class"):
        describe(layer)
    with pytest.raises(TypeError, match="it has hooks"):  # weight normalization is not to be saved
        describe(parametrizations.weight_norm(nn.Linear(2, 2)))


def test_a_grown_network_keeps_its_stage(tmp_path):
    generator = ProgressiveGenerator((1, 16, 16), 4, channels=4)
    generator.grow(1, 0.25)
    pg.save(generator, tmp_path / "generator.safetensors")
    again = pg.load(tmp_path / "generator.safetensors")
    z = torch.randn(3, 4)
    torch.testing.assert_close(again(z), generator(z), rtol=0, atol=0)


def test_a_file_cannot_ask_for_other_properties():
    tree = describe(parametrizations.spectral_norm(nn.Linear(2, 2)))
    with pytest.raises(UnsafeFileError, match="not allowed"):
        build({**tree, "class": "parametrized[os.system]"})
    for name in ("forward", "__class__", "a b"):
        bare = nn.Linear(2, 2)
        bare.parametrizations = nn.ModuleDict({"x": nn.Identity()})
        bare.parametrizations._modules = {name: parametrizations.spectral_norm(nn.Linear(2, 2)).parametrizations.weight}
        with pytest.raises(ValueError, match="is not parametrized"):
            parametrized_again(bare)
    with pytest.raises(ValueError, match="has no parametrizations"):
        parametrized_again(nn.Linear(2, 2))
