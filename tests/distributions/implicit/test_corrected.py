"""What all corrected laws share: scoring, weights, batches, a place in Pyro."""

import functools

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from probgen.distributions import DensityUnavailable, ImplicitDistribution, standard_normal
from probgen.distributions.implicit import (
    CorrectedDistribution,
    DensityRatio,
    IndependenceMetropolis,
    LatentLangevin,
    RejectionDistribution,
    ResampledDistribution,
)


def generated(*batch):
    return ImplicitDistribution(standard_normal(3), torch.nn.Linear(3, 2), (2,)).expand(batch)


def bounded(x):
    return -x.square().sum(-1)


MAKERS = {
    "resampled": lambda q: ResampledDistribution(q, bounded, num_proposals=4),
    "rejection": lambda q: RejectionDistribution(q, bounded, 0.0),
    "metropolis": lambda q: IndependenceMetropolis(q, bounded, num_steps=3),
    "langevin": lambda q: LatentLangevin(q, bounded, num_steps=3),
}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@every
def test_shapes(make):
    law = make(generated(4))
    assert isinstance(law, CorrectedDistribution)
    assert law.sample((5, 6)).shape == (5, 6, 4, 2)
    assert law.expand((3, 4)).sample().shape == (3, 4, 2)
    assert law.sample((0,)).shape == (0, 4, 2)
    assert not law.has_rsample
    assert not law.sample().requires_grad
    assert "ImplicitDistribution" in repr(law)


@every
def test_a_site_in_a_plate(make):
    def model():
        with pyro.plate("outer", 3, dim=-2), pyro.plate("data", 5, dim=-1):
            return pyro.sample("x", make(generated()).mask(False))

    trace = poutine.trace(model).get_trace()
    assert trace.nodes["x"]["value"].shape == (3, 5, 2)
    assert trace.log_prob_sum() == 0


@every
def test_no_density_without_that_of_the_proposal(make):
    law = make(generated())
    with pytest.raises(DensityUnavailable, match=r"unnormalized_log_prob\(x\)"):
        law.log_prob(torch.zeros(2))
    with pytest.raises(DensityUnavailable, match=r"`\.weighted\(n\)` or draws"):
        law.unnormalized_log_prob(torch.zeros(2))


def test_a_proposals_density_gives_one_up_to_the_constant():
    law = ResampledDistribution(dist.Normal(torch.ones(3), 1.0), lambda x: 0.5 - x)
    x = torch.randn(5, 3)
    torch.testing.assert_close(law.unnormalized_log_prob(x), dist.Normal(0.0, 1.0).log_prob(x))
    assert law.log_normalizer_estimate(100).value.shape == (3,)


@every
def test_weights_of_a_batch(make):
    draws = make(generated(4)).weighted(7)
    assert draws.value.shape == (7, 4, 2)
    torch.testing.assert_close(draws.log_weights, bounded(draws.value))


@every
def test_a_critic_with_a_context(make):
    """A conditional generator and a conditional ratio, both at the same context."""
    context = torch.randn(4, 2)
    q = ImplicitDistribution(standard_normal(2), torch.nn.Bilinear(2, 2, 2), (2,), context_shape=(2,)).condition(context)
    ratio = DensityRatio(torch.nn.Bilinear(2, 2, 1), (2,), link=torch.nn.functional.logsigmoid, context_shape=(2,))
    law = make(q)
    law.log_ratio = functools.partial(ratio, context=context)
    assert law.sample((3,)).shape == (3, 4, 2)


def test_a_ratio_of_another_shape_is_named():
    law = ResampledDistribution(generated(), lambda x: x, num_proposals=3)
    with pytest.raises(ValueError, match=r"`log_ratio` must return shape \(3, 5\); it returned \(3, 5, 2\)"):
        law.sample((5,))


@pytest.mark.parametrize("bad", [-torch.inf, torch.nan])
def test_proposals_without_weight_are_not_chosen(bad):
    law = ResampledDistribution(generated(), lambda x: torch.full(x.shape[:-1], bad))
    with pytest.raises(ValueError, match="above minus infinity for one of the proposals at least"):
        law.sample()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ResampledDistribution(generated(), bounded, 0), ValueError, "`num_proposals` must be at least 1; got 0"),
        (lambda: ResampledDistribution(torch.zeros(2), bounded), TypeError, "`proposal` must be a distribution; got Tensor"),
        (lambda: RejectionDistribution(generated(), bounded, 0.0, max_rounds=0), ValueError, "`max_rounds` must be"),
        (lambda: IndependenceMetropolis(generated(), bounded, -1), ValueError, "`num_steps` must not be negative; got -1"),
        (lambda: LatentLangevin(generated(), bounded, step_size=0), ValueError, "`step_size` be positive; got 100 and 0"),
        (lambda: LatentLangevin(standard_normal(2), bounded), TypeError, "must be an ImplicitDistribution; got StandardNormal"),
        (lambda: ResampledDistribution(generated(), bounded).weighted(0), ValueError, "`num_draws` must be at least 1"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()
