"""The continuous bound: its value on the Gaussian bed, its two players, invariance to the interior of the schedule."""

import math

import pytest
import torch

import probgen as pg
from probgen.diffusion.objectives import ContinuousBoundLoss, ContinuousTimes
from probgen.distributions.chains import GaussianDenoiser, LearnedSchedule, TimeGrid
from tests.probgen.diffusion.beds import bed

GRID = TimeGrid([0.0, 0.01, 1.0])


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_exact_denoiser_attains_the_entropy():
    # with the exact law at both ends the continuous bound is exact: 6 standard errors are 0.2 nats
    schedule = pg.diffusion.variance_preserving_schedule()
    d, oracle = bed(0.25, schedule, GRID)
    x = oracle.data.sample((20_000,))
    excess = d.continuous_bound_loss().per_datum(x) + oracle.data.log_prob(x)
    assert abs(excess.mean()) < 6 * excess.std() / math.sqrt(20_000)


@pytest.mark.statistical(false_alarm=1e-8)
def test_it_is_the_limit_of_many_steps_and_below_few():
    schedule = pg.diffusion.variance_preserving_schedule()
    _, oracle = bed(0.25, schedule, GRID)
    data = oracle.data.sample((3000,))

    class PointMean(type(oracle).__bases__[0]):
        def predict(self, x_t, level, context=None):
            return oracle.predict(x_t, level)

    point = PointMean(schedule, (1,))
    totals = {}
    for steps in (4, 200):
        times = torch.cat([torch.zeros(1), torch.linspace(0.01, 1, steps)])
        d = pg.diffusion.Diffusion(point, schedule, (1,), TimeGrid(times.double()))
        totals[steps] = pg.diffusion.bound_terms(d, data).total.mean()
    d = pg.diffusion.Diffusion(point, schedule, (1,), GRID)
    limit = d.continuous_bound_loss().per_datum(oracle.data.sample((20_000,)))
    assert abs(limit.mean() - totals[200]) < 6 * limit.std() / math.sqrt(20_000) + 0.03
    assert totals[4] > totals[200] + 0.5


def learned():
    schedule = LearnedSchedule(log_snr_max=8.0, log_snr_min=-6.0)
    oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(0.25).double())
    return pg.diffusion.Diffusion(oracle, schedule, (1,), TimeGrid([0.0, 1e-3, 1.0])), oracle


def test_two_players_with_a_learned_schedule():
    d, oracle = learned()
    loss = d.continuous_bound_loss()
    assert list(loss.players) == ["model", "schedule"]
    names = {name for name, _ in d.schedule.named_parameters()}
    ends = {id(p) for p in loss.players["model"].parameters}
    interior = {id(p) for p in loss.players["schedule"].parameters}
    assert not ends & interior
    assert len(ends) + len(interior) == len(names)
    before = {name: value.detach().clone() for name, value in d.schedule.named_parameters()}
    data = [oracle.data.sample((200,)) for _ in range(6)]
    pg.infer.fit(loss, data, lambda parameters: torch.optim.Adam(parameters, lr=1e-2), progress=False)
    changed = {name for name, value in d.schedule.named_parameters() if not torch.equal(value, before[name])}
    assert changed == names


def test_the_interior_is_learned_to_vary_less():
    d, oracle = learned()
    x = oracle.data.sample((4000,))
    loss = d.continuous_bound_loss()
    first = loss.parts(x)[1].std()
    optimizer = torch.optim.Adam(d.schedule.interior_parameters(), lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        loss(oracle.data.sample((500,)), player="schedule").backward()
        optimizer.step()
    assert loss.parts(x)[1].std() < 0.93 * first


def test_context_and_shapes():
    network = pg.nn.DenoisingMLP((2, 2), hidden=(8,), conditioning=pg.nn.VectorConditioning(3))
    d = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2, 2), 10)
    ends, between = d.continuous_bound_loss().parts(torch.randn(5, 2, 2), torch.randn(5, 3))
    assert ends.shape == between.shape == (5,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ContinuousBoundLoss(bed(grid=1)[0]), "two steps"),
        (lambda: ContinuousBoundLoss(bed(grid=4)[0], times=ContinuousTimes()), "`times` must cover"),
        (lambda: ContinuousBoundLoss(bed(grid=4)[0])(torch.zeros(0, 1)), "at least one datum"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
