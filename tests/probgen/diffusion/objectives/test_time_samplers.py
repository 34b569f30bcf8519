"""Time samplers: exact ratios, marginals under every coupling, errors."""

import copy

import pytest
import torch

from probgen.diffusion.objectives import ContinuousTimes, Steps, TimeDraws, TimeSampler, batch_quantiles, logit_normal_time
from probgen.diffusion.objectives.time_samplers import steps_at
from probgen.distributions.chains import TimeGrid

COUPLINGS = ("independent", "stratified", "low-discrepancy")


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.statistical(false_alarm=1e-8)
def test_every_datum_sees_the_uniform_law(coupling):
    # detects a datum whose law is off by 0.035 in Kolmogorov's distance: 20 000 draws, DKW bound 2 exp(-2 n d^2)
    draws = torch.stack([batch_quantiles(4, coupling) for _ in range(20_000)]).sort(0).values
    uniform = (torch.arange(20_000) + 0.5).unsqueeze(-1) / 20_000
    assert (draws - uniform).abs().max() < 0.024
    assert draws.dtype == torch.float64
    assert (draws >= 0).all()
    assert (draws < 1).all()


@pytest.mark.parametrize("coupling", COUPLINGS[1:])
def test_coupled_batches_visit_every_stratum_once(coupling):
    assert sorted((batch_quantiles(16, coupling) * 16).long().tolist()) == list(range(16))


def test_stratified_batches_are_in_random_order():
    orders = {tuple((batch_quantiles(4, "stratified") * 4).long().tolist()) for _ in range(200)}
    assert len(orders) == 24


def test_uniform_steps():
    draws = Steps(TimeGrid(5))(5)
    assert sorted(draws.step.tolist()) == [1, 2, 3, 4, 5]
    assert torch.equal(draws.t, draws.step.double() / 5)
    assert torch.allclose(draws.ratio, torch.ones(5).double())


def test_ratios_of_weighted_steps_average_to_one():
    weights = torch.tensor([5.0, 1.0, 2.0])
    sampler = Steps(TimeGrid(3), weights)
    draws = steps_at(torch.tensor([0.1, 0.7, 0.9]).double(), sampler.law.probs, sampler.times)
    assert draws.step.tolist() == [1, 2, 3]
    assert torch.allclose((sampler.law.probs * draws.ratio).sum(), torch.ones(()).double())
    assert torch.allclose(sampler.law.probs, weights.double() / 8)


def test_the_last_quantile_is_the_last_step():
    sampler = Steps(TimeGrid(7), torch.rand(7) + 0.1)
    assert sampler.at_quantiles(torch.tensor([1 - 1e-16], dtype=torch.float64)).step.item() == 7


def test_continuous_times_cover_the_interval_and_exclude_its_start():
    draws = ContinuousTimes(low=0.2, high=0.6).at_quantiles(torch.tensor([0.0, 0.5, 1 - 1e-12], dtype=torch.float64))
    assert torch.allclose(draws.t, torch.tensor([0.6, 0.4, 0.2]).double())
    assert draws.t.min() >= 0.2
    assert ContinuousTimes().at_quantiles(torch.tensor([1 - 2.0**-53], dtype=torch.float64)).t > 0


def test_ratios_of_a_density_integrate_to_one():
    quantiles = (torch.arange(20_000).double() + 0.5) / 20_000
    draws = ContinuousTimes(logit_normal_time(0.0, 1.0), low=0.05, high=0.9).at_quantiles(quantiles)
    assert abs(draws.ratio.mean() - 1) < 1e-3  # E_p[u/p] = 1 on the interval
    assert draws.ratio[draws.t < 0.05].abs().max() == 0
    integral = (draws.ratio * draws.t.square()).mean()  # the uniform average of t^2
    assert abs(integral - (0.9**3 - 0.05**3) / 3 / 0.85) < 1e-3


def test_tables_stay_in_float64_and_move_with_state():
    sampler = Steps(TimeGrid(1000), torch.rand(1000) + 0.5).float()
    assert sampler.times.dtype == sampler.probabilities.dtype == torch.float64
    other = Steps(TimeGrid(1000))
    other.load_state_dict(copy.deepcopy(sampler).state_dict())
    assert torch.equal(other.probabilities, sampler.probabilities)


def test_the_base_class_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="at_quantiles"):
        TimeSampler()(3)
    with pytest.raises(NotImplementedError, match="law"):
        _ = TimeSampler().law
    assert TimeSampler().learn(TimeDraws(*torch.zeros(3, 2)), torch.zeros(2)) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Steps(TimeGrid(2), torch.tensor([1.0, 0.0])), "2 positive weights"),
        (lambda: Steps(TimeGrid(2), torch.ones(3)), "2 positive weights"),
        (lambda: Steps(TimeGrid(2), coupling="sorted"), "`coupling`"),
        (lambda: ContinuousTimes(low=0.5, high=0.5), "`low` and `high`"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
