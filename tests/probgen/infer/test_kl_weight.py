"""Weights of divergences: one for all, by site, rising, balanced."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule
from torch import nn

from probgen.infer import ELBO, IWAE, Annealed, KLBalancing, compile, fit
from probgen.infer.kl_weight import weigher
from tests.probgen.infer.programs import Decoder, Encoder
from tests.probgen.infer.test_compile import assert_follows


class Two(PyroModule):
    """Two latents with divergences 1/2 and 2 (unit normal priors, means 1 and 2), and data that do not depend on them."""

    def model(self, x):
        with pyro.plate("data", 10, subsample=torch.arange(len(x))):
            pyro.sample("a", dist.Normal(0.0, 1.0))
            pyro.sample("b", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(0.0, 1.0), obs=x)

    def guide(self, x):
        with pyro.plate("data", 10, subsample=torch.arange(len(x))):
            pyro.sample("a", dist.Normal(1.0, 1.0))
            pyro.sample("b", dist.Normal(2.0, 1.0))


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (1.0, 2.5),
        (0.5, 1.25),
        (torch.tensor(0.5), 1.25),
        (Annealed(0.5, 1.0, steps=10), 1.25),
        ({"b": 0.0}, 0.5),
        ({"a": torch.tensor(2.0), "b": Annealed(0.5, 1.0, steps=10)}, 2.0),
        (KLBalancing(0.5), 0.5 * (0.4 * 0.5 + 1.6 * 2.0)),
        (KLBalancing(1.0), 2.5),
        (KLBalancing(0.5, {"b": 0.0}), 0.5 * 2 * 0.5),
    ],
)
def test_every_divergence_is_weighted_and_the_data_are_not(weight, expected):
    two, x = Two(), torch.randn(5)
    likelihood = dist.Normal(0.0, 1.0).log_prob(x).sum()
    loss = ELBO(kl_weight=weight)(two.model, two.guide)
    torch.testing.assert_close(loss(x), 2 * (5 * torch.tensor(expected) - likelihood))


class Linear(PyroModule):
    """z ~ N(0, 1), x ~ N(2 z, 1), with a normal guide for every datum."""

    def __init__(self, copies):
        super().__init__()
        self.loc, self.log_scale = nn.Parameter(torch.zeros(copies)), nn.Parameter(torch.zeros(copies))

    def model(self, x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            pyro.sample("x", dist.Normal(2 * z, 1.0), obs=x)

    def guide(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(self.loc, self.log_scale.exp()))


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize(("beta", "variance"), [(0.5, 1 / 9), (1.0, 0.2), (4.0, 0.5)])
def test_at_the_optimum_of_a_weighted_bound_the_gradient_vanishes(beta, variance):
    """The optimum of E log p(x | z) - beta KL has the variance beta / (beta + 4) and the mean 2 x / (beta + 4)."""
    torch.manual_seed(0)
    copies, x = 20000, torch.ones(20000)
    linear = Linear(copies)
    with torch.no_grad():
        linear.loc += 2 / (beta + 4)
        linear.log_scale += 0.5 * torch.tensor(variance).log()
    found = torch.autograd.grad(ELBO(kl_weight=beta)(linear.model, linear.guide)(x), linear.parameters())
    for gradient in found:
        error = 5.8 * gradient.std() / copies**0.5  # false alarm 1e-8
        assert gradient.mean().abs() < error < 0.15
    with torch.no_grad():
        linear.log_scale += 0.2  # a variance that is 1.5 times too large is seen
    moved = torch.autograd.grad(ELBO(kl_weight=beta)(linear.model, linear.guide)(x), linear.log_scale)[0]
    assert moved.mean() > 5.8 * moved.std() / copies**0.5


def test_a_rising_weight_is_part_of_the_objective_and_of_recorded_steps():
    beta = Annealed(0.0, 1.0, steps=4)
    loss = ELBO(kl_weight=beta)(Decoder(), Encoder())
    assert any(part is beta for part in loss.modules())
    fast = compile(loss, backend="eager")
    x = torch.randn(4, 5)
    for _ in range(3):
        assert_follows(loss, fast, x)
        beta.advance()
    assert fast.recordings == 1
    fit(loss, [x], epochs=1, progress=False)
    assert beta().item() == 1.0


def test_a_tensor_moves_along_and_may_be_changed_in_place():
    beta = torch.tensor(1.0)
    two = Two()
    loss = ELBO(kl_weight=beta)(two.model, two.guide)
    before = loss(torch.zeros(2))
    beta.fill_(0.0)
    torch.testing.assert_close(before - loss(torch.zeros(2)), torch.tensor(25.0))
    assert loss.double().weigh.weight.value.dtype == torch.float64
    assert not any("value" in name for name in loss.state_dict())


def test_unknown_names_are_refused():
    two = Two()
    with pytest.raises(ValueError, match=r"`kl_weight` names \['c'\], which are not latent sites; got the sites \['a', 'b'\]"):
        ELBO(kl_weight={"c": 0.5})(two.model, two.guide)(torch.zeros(2))
    assert weigher(1.0) is None
    assert weigher(1) is None
    assert IWAE(2)(two.model, two.guide)(torch.zeros(2)).isfinite()


def test_names_are_refused_without_latents_and_weights_below_zero():
    with pytest.raises(ValueError, match=r"`kl_weight` names \['z'\], which are not latent sites; got the sites \[\]"):
        ELBO(kl_weight={"z": 0.5})(lambda: pyro.sample("x", dist.Normal(0.0, 1.0), obs=torch.zeros(())))()
    for weight in (-1.0, float("nan"), {"z": float("inf")}):
        with pytest.raises(ValueError, match="`kl_weight` must be finite and not negative; got"):
            ELBO(kl_weight=weight)(Decoder(), Encoder())


def test_sites_that_only_the_guide_has_cannot_be_weighed_apart():
    """With an automatic guide the divergence of z is split between z, a point mass, and the guide's auxiliary site."""
    two = Two()
    guide = AutoNormalizing()
    for weight in ({"a": 0.5}, KLBalancing(0.5)):
        with pytest.raises(ValueError, match=r"the guide's sites \['u'\] are not in the model, so use one number"):
            ELBO(kl_weight=weight)(two.model, guide)(torch.zeros(2))
    assert ELBO(kl_weight=0.5)(two.model, guide)(torch.zeros(2)).isfinite()


class AutoNormalizing(PyroModule):
    """A guide with an auxiliary site."""

    def forward(self, x):
        pyro.sample("u", dist.Normal(0.0, 1.0), infer={"is_auxiliary": True})
        Two().guide(x)


def test_balances_count_as_constants():
    """Of divergences 1 and 3 at weight 1/2: gradients 1/4 and 3/4; through the balances they would be -1/8 and 7/8."""
    terms = {name: torch.tensor(value, requires_grad=True) for name, value in (("a", 1.0), ("b", 3.0))}
    found = torch.autograd.grad(KLBalancing(0.5)(terms), list(terms.values()))
    torch.testing.assert_close(torch.stack(found), torch.tensor([0.25, 0.75]))
