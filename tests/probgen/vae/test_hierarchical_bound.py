"""One shared pass against guide and model one after the other."""

from functools import partial

import pytest
import torch

from probgen.infer import ELBO, Annealed, KLBalancing
from probgen.vae import HierarchicalBound, chain_vae, ladder_vae, top_down_vae

MODELS = [partial(make, (4,), (3, 2), hidden=8) for make in (top_down_vae, ladder_vae, chain_vae)]


@pytest.mark.parametrize("make", MODELS)
def test_same_loss_and_gradient_as_the_programs(make):
    vae = make()
    x = vae.distribution().sample((5,))
    gradients = []
    for loss in (HierarchicalBound(vae), vae.loss()):
        vae.zero_grad()
        torch.manual_seed(0)
        value = loss(x)
        value.backward()
        gradients.append([value.detach(), *(parameter.grad.clone() for parameter in vae.parameters())])
    torch.testing.assert_close(*gradients)


def test_iwae_is_that_of_the_law():
    vae = MODELS[0]()
    x = vae.distribution().sample((5,))
    torch.manual_seed(0)
    loss = HierarchicalBound(vae, 4, bound="iwae")(x)
    torch.manual_seed(0)
    torch.testing.assert_close(loss, -vae.distribution().iwae(x, 4).sum())


@pytest.mark.parametrize("make", MODELS)
def test_draws_are_averaged(make):
    vae = make()
    x = vae.distribution().sample((5,))
    torch.manual_seed(0)
    loss = HierarchicalBound(vae, 4)(x)
    torch.manual_seed(0)
    torch.testing.assert_close(loss, -vae.distribution().elbo(x, 4).sum())


def test_weights_by_site_and_schedules():
    vae = MODELS[0]()
    x = vae.distribution().sample((5,))
    values = {}
    warm_up = Annealed(0.0, 1.0, steps=2)
    for name, weight in {
        "none": 0.0,
        "half": {"z_2": 0.5},
        "plain": 1.0,
        "schedule": warm_up,
        "tensor": torch.tensor(1.0),
    }.items():
        torch.manual_seed(0)
        values[name] = HierarchicalBound(vae, kl_weight=weight)(x)
    torch.testing.assert_close(values["none"], values["schedule"])
    torch.testing.assert_close(values["plain"], values["tensor"])
    torch.manual_seed(0)
    kl = {name: value.sum() for name, value in vae.distribution().divergences(x).items()}
    torch.testing.assert_close(values["plain"] - values["half"], 0.5 * kl["z_2"])
    torch.testing.assert_close(values["plain"] - values["none"], kl["z_1"] + kl["z_2"])


@pytest.mark.parametrize("make", [lambda: {"z_1": 0.5}, lambda: KLBalancing(0.3, {"z_2": 2.0})], ids=["by site", "balancing"])
def test_weights_mean_what_they_mean_in_the_objective_of_programs(make):
    vae = MODELS[0]()
    x, values = vae.distribution().sample((5,)), []
    for loss in (HierarchicalBound(vae, kl_weight=make()), vae.loss(ELBO(kl_weight=make()))):
        torch.manual_seed(0)
        values.append(loss(x))
    torch.testing.assert_close(*values)


def test_schedules_are_parts_of_the_loss():
    """Then ``fit`` advances them, and they move and are saved with it."""
    warm_up = Annealed(0.0, 1.0, steps=2)
    loss = HierarchicalBound(MODELS[0](), kl_weight={"z_1": warm_up, "z_2": warm_up})
    assert [part for part in loss.modules() if isinstance(part, Annealed)] == [warm_up]


def test_errors():
    vae = MODELS[0]()
    for message, arguments in (
        ("`bound` must be", {"bound": "nll"}),
        ("`num_draws` must be at least 1; got 0", {"num_draws": 0}),
        ("`kl_weight` names sites", {"kl_weight": {"y": 1.0}}),
        ("is not a bound", {"kl_weight": 0.5, "bound": "iwae"}),
    ):
        with pytest.raises(ValueError, match=message):
            HierarchicalBound(vae, **arguments)
