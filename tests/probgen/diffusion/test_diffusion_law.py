"""The law of the data under a chain: sampling, bounds, contexts, Pyro."""

import math

import pyro
import pytest
import torch

import probgen as pg
from probgen.diffusion import DiffusionLaw
from probgen.diffusion.objectives import Steps
from probgen.distributions import DensityUnavailable
from probgen.distributions.chains import PointMass
from tests.probgen.diffusion.beds import Constant, bed

SCHEDULE = pg.diffusion.linear_schedule(30, 0.02, 0.4)


def test_a_density_is_refused_unless_estimates_are_allowed():
    d, _ = bed(0.25, SCHEDULE, 30)
    x = torch.zeros(4, 1).double()
    with pytest.raises(DensityUnavailable, match="allow_estimate"):
        d.distribution().log_prob(x)
    assert d.distribution(allow_estimate=True).log_prob(x).shape == (4,)
    assert d.distribution().log_prob_kind == "lower"


def test_every_path_gives_the_density_of_an_exact_chain():
    d, oracle = bed(1.0, SCHEDULE, 30, dims=2)
    x = torch.randn(3, 4, 2).double()
    for rows in (1, 24, 10_000):
        estimate = d.distribution(path_rows=rows).log_prob_estimate(x, 2)
        assert estimate.kind == "lower"
        assert torch.allclose(estimate.value, oracle.data.log_prob(x))
        assert (estimate.stderr < 1e-8).all()


@pytest.mark.statistical(false_alarm=1e-8)
def test_more_paths_give_a_higher_bound_below_the_density():
    d, oracle = bed(0.25, SCHEDULE, 30, spread=PointMass())
    x = oracle.data.sample((400,))
    law = d.distribution()
    one, many = (law.log_prob_estimate(x, n).value for n in (1, 8))
    exact = oracle.data.log_prob(x).mean()
    assert many.mean() > one.mean() + 0.1
    # the chain is not the data's law: its own bound, on average over the data, lies below the negative entropy
    assert many.mean() < exact + 6 * many.std() / math.sqrt(400)
    whole = -pg.diffusion.bound_terms(d, x).total
    error = math.sqrt((whole.var() + one.var()) / 400)
    assert abs(one.mean() - whole.mean()) < 6 * error


@pytest.mark.statistical(false_alarm=1e-8)
def test_draws_have_the_law_of_the_data():
    # 6 standard errors of a mean and a deviation from 20 000 draws: 0.02
    d, _ = bed(0.25, SCHEDULE, 30)
    x = d.distribution().sample((20_000,))
    assert abs(x.mean()) < 0.025
    assert abs(x.std() - 0.5) < 0.02


def test_any_sampler_draws():
    d, _ = bed(0.25, SCHEDULE, 30, dims=2)
    seen = []

    def sampler(noise):
        seen.append(noise.shape)
        return 0 * noise + 7

    x = d.distribution(sampler).sample((3, 4))
    assert x.shape == (3, 4, 2)
    assert (x == 7).all()
    assert seen == [(12, 2)]
    assert d.distribution(d.ddim(steps=5)).sample((6,)).shape == (6, 2)


def test_contexts_are_the_batch():
    network = pg.nn.DenoisingMLP(2, hidden=(8,), conditioning=pg.nn.VectorConditioning(3))
    d = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), 4)
    law = d.distribution(context=torch.randn(5, 3))
    assert law.batch_shape == (5,)
    x = law.sample((2,))
    assert x.shape == (2, 5, 2)
    assert law.log_prob_estimate(x, 3).value.shape == (2, 5)
    assert law.bound(x).shape == (2, 5)
    assert law.expand((4, 5)).sample().shape == (4, 5, 2)
    shapes = []

    def sampler(noise, context):
        shapes.append((noise.shape, context.shape))
        return noise

    d.distribution(sampler, context=torch.randn(5, 3)).sample((2,))
    assert shapes == [((10, 2), (10, 3))]
    with pytest.raises(ValueError, match="context"):
        d.distribution().sample()


def test_one_site_trains_in_pyro():
    d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), SCHEDULE, (2,), 30, parameterization="eps")
    loss = pg.infer.ELBO()(d.single_site_model)
    x = torch.randn(64, 2)
    before = torch.stack([loss(x) for _ in range(10)]).mean()
    pg.infer.fit(loss, [x] * 40, lambda parameters: torch.optim.Adam(parameters, lr=3e-3), progress=False)
    assert torch.stack([loss(x) for _ in range(10)]).mean() < before


def test_given_times_and_the_site_in_a_plate():
    schedule = pg.diffusion.cosine_schedule()
    d = pg.diffusion.Diffusion(Constant(schedule, (2,)), schedule, (2,), 5)
    x = torch.randn(8, 2).double()
    law = d.distribution(allow_estimate=True, times=Steps(d.grid, torch.arange(1, 6)))

    def model():
        with pyro.plate("data", 8):
            pyro.sample("x", law.expand([8]), obs=x)

    trace = pyro.poutine.trace(model).get_trace()
    assert trace.nodes["x"]["fn"].batch_shape == (8,)
    assert trace.log_prob_sum().isfinite()


def test_rows_must_be_positive():
    d, _ = bed(grid=4)
    with pytest.raises(ValueError, match="`path_rows`"):
        DiffusionLaw(d, path_rows=0)
    with pytest.raises(ValueError, match="`num_draws`"):
        d.distribution().log_prob_estimate(torch.zeros(1, 1).double(), 0)
