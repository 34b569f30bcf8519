"""Free bits: exactly no gradient below the threshold, the divergence itself above it."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer.autoguide import AutoMultivariateNormal
from pyro.nn import PyroModule
from torch import nn

from probgen.distributions import standard_normal
from probgen.infer import ELBO, FreeBits, compile, fit
from tests.probgen.infer.programs import Decoder, Encoder, ScalarModel
from tests.probgen.infer.test_compile import assert_follows


class Ignored(PyroModule):
    """A latent of two coordinates that the data ignore; the guide's means are parameters: KL = loc^2 / 2 for each."""

    def __init__(self, loc, prior="normal", mask=True):
        super().__init__()
        self.loc = nn.Parameter(torch.as_tensor(loc))
        self.prior = {"normal": dist.Normal(torch.zeros(2), 1.0).to_event(1), "standard": standard_normal(2)}[prior]
        self.mask = mask

    def model(self):
        with pyro.plate("data", 6, subsample=torch.arange(3)), poutine.mask(mask=self.mask):
            pyro.sample("z", self.prior)

    def guide(self):
        with pyro.plate("data", 6, subsample=torch.arange(3)), poutine.mask(mask=self.mask):
            pyro.sample("z", dist.Normal(self.loc, 1.0).to_event(1))


LOC = [[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]]  # divergences of the units: 0, and 0.5, 2, 4.5


@pytest.mark.parametrize("prior", ["normal", "standard"])
@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (FreeBits(0.0), 7.0),
        (FreeBits(2.0), 7.0),  # the average, 7 / 3, is above
        (FreeBits(3.0), 9.0),
        (FreeBits(1.0, average="datum"), 1.0 + 2.0 + 4.5),
        (FreeBits(0.5, per="unit"), 3 * 0.5 + 7.0),
        (FreeBits(1.0, per="unit", average="datum"), 3 * 1.0 + 1.0 + 2.0 + 4.5),
    ],
)
def test_what_is_compared(free, expected, prior):
    ignored = Ignored(LOC, prior)
    torch.testing.assert_close(ELBO(free_bits=free)(ignored.model, ignored.guide)(), torch.tensor(2 * expected))


def test_masked_data_do_not_count():
    ignored = Ignored(LOC, mask=torch.tensor([True, True, False]))
    loss = ELBO(free_bits=FreeBits(1.5))(ignored.model, ignored.guide)
    torch.testing.assert_close(loss(), torch.tensor(2 * 2 * 1.5))  # the average of 0.5 and 2 is below
    assert torch.autograd.grad(loss(), ignored.loc)[0].abs().max() == 0.0


@pytest.mark.parametrize("per", ["site", "unit"])
@pytest.mark.parametrize("average", ["batch", "datum"])
def test_below_the_threshold_the_gradient_is_exactly_zero(per, average):
    below, above = Ignored([[0.3, 0.4]] * 3), Ignored([[3.0, 4.0]] * 3)
    for ignored, moved in ((below, False), (above, True)):
        loss = ELBO(free_bits=FreeBits(1.0, per=per, average=average))(ignored.model, ignored.guide)
        gradient = torch.autograd.grad(loss(), ignored.loc)[0]
        assert bool((gradient != 0.0).all()) is moved


def test_an_ignored_latent_falls_to_the_threshold_and_stays():
    """Without free bits its divergence goes to zero."""
    left = {}
    for nats in (0.0, 0.7):
        ignored = Ignored([[2.0, 2.0]] * 3)
        loss = ELBO(free_bits=FreeBits(nats))(ignored.model, ignored.guide)
        fit(loss, [{}] * 400, lambda p: torch.optim.SGD(p, lr=0.02), epochs=1, progress=False)
        left[nats] = 0.5 * ignored.loc.detach().square().sum(-1).mean().item()
    assert left[0.0] < 1e-3
    assert 0.6 < left[0.7] <= 0.7


def test_sampled_divergences_and_recorded_steps():
    loss = ELBO(free_bits=FreeBits(0.5, per="unit"), analytic_kl=False, kl_weight=0.5)(Decoder(20), Encoder(20))
    assert_follows(loss, compile(loss, backend="eager"), torch.randn(4, 5))


def test_what_has_no_divergence_of_its_own_is_refused():
    model = ScalarModel()
    guide = AutoMultivariateNormal(model)
    guide(torch.zeros(2))
    with pytest.raises(ValueError, match="free bits need a divergence for each latent"):
        ELBO(free_bits=FreeBits(1.0))(model, guide)(torch.zeros(2))

    def program(scale):
        with pyro.plate("data", 3):
            pyro.sample("z", dist.MultivariateNormal(torch.zeros(2), scale_tril=scale * torch.eye(2)))

    with pytest.raises(ValueError, match=r"'z' has no terms for single coordinates: those of its MultivariateNormal"):
        ELBO(free_bits=FreeBits(1.0, per="unit"))(program, program)(1.0)
    with pytest.raises(ValueError, match="'z' has other scales or masks in the guide"):
        ELBO(free_bits=FreeBits(1.0))(poutine.scale(program, 0.5), program)(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nats": -1.0}, "`nats` must be finite and not negative; got -1.0"),
        ({"nats": math.inf}, "`nats` must be finite"),
        ({"nats": 1.0, "per": "group"}, "'site' or 'unit'; got 'group'"),
        ({"nats": 1.0, "average": "all"}, "'batch' or 'datum'; got 'all'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        FreeBits(**arguments)


def test_a_path_derivative_has_no_divergences_to_compare():
    with pytest.raises(ValueError, match="use one of the two"):
        ELBO(free_bits=FreeBits(1.0), path_derivative=True)


def test_units_of_a_latent_without_a_plate_are_groups_of_their_own():
    """Divergences of 2 and 0.02 with a threshold of 0.5: 2 + 0.5, not their sum."""
    loss = ELBO(free_bits=FreeBits(0.5, per="unit"))(
        lambda: pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1)),
        lambda: pyro.sample("z", dist.Normal(torch.tensor([2.0, 0.2]), 1.0).to_event(1)),
    )
    torch.testing.assert_close(loss(), torch.tensor(2.5))
