"""Importance sampling by second moments: what it learns, what it saves, the 49-fold variance."""

from pathlib import Path

import pytest
import torch

from probgen.diffusion import objectives
from probgen.diffusion.objectives import LossAwareSteps, TimeDraws, step_term
from probgen.distributions.chains import TimeGrid
from tests.probgen.diffusion.beds import bed


def seen(steps, losses, sampler):
    steps = torch.tensor(steps)
    sampler.learn(TimeDraws(steps.double() / 3, steps, torch.ones(len(steps))), torch.tensor(losses))


def test_uniform_until_every_step_is_known():
    sampler = LossAwareSteps(TimeGrid(3), history=2)
    seen([1, 1, 2, 2], [9.0, 9.0, 1.0, 1.0], sampler)
    assert torch.allclose(sampler.law.probs, torch.full((3,), 1 / 3).double())
    seen([3, 3], [2.0, 2.0], sampler)
    assert torch.allclose(sampler.law.probs, torch.tensor([9.0, 1.0, 2.0]).double() / 12, atol=1e-3)


def test_second_moments_are_plain_means_until_the_history_is_full_then_forget():
    sampler = LossAwareSteps(TimeGrid(3), history=4)
    seen([1, 1], [1.0, 3.0], sampler)
    assert sampler.second_moment[0] == 5
    seen([1, 2, 1], [2.0, 7.0, 4.0], sampler)
    assert sampler.second_moment[0] == 7.5
    seen([1], [0.0], sampler)
    assert sampler.second_moment[0] == 7.5 * 3 / 4
    seen([1] * 6, [1.0] * 6, sampler)  # more in one batch than is remembered
    assert sampler.second_moment[0] == 1


def test_all_losses_zero_stays_uniform():
    sampler = LossAwareSteps(TimeGrid(2), history=1)
    seen([1, 2], [0.0, 0.0], sampler)
    assert torch.equal(sampler.law.probs, torch.full((2,), 0.5).double())


def test_the_history_is_saved():
    sampler = LossAwareSteps(TimeGrid(3), history=1)
    seen([1, 2, 3], [1.0, 2.0, 3.0], sampler)
    other = LossAwareSteps(TimeGrid(3), history=1)
    other.load_state_dict(sampler.state_dict())
    assert torch.equal(other.law.probs, sampler.law.probs)


@pytest.mark.statistical(false_alarm=1e-8)
def test_variance_of_the_bound_falls_49_fold():
    # the ratio is known to about 3 % from 400 draws a step (five seeds: 48.9 .. 50.2); a wrong law gives 1 or 30
    d, oracle = bed(1 / 16)
    x = oracle.data.sample((999, 400))
    steps = torch.arange(2, 1001).unsqueeze(-1).expand(999, 400)
    second = step_term(d, x, steps, torch.randn_like(x)).nats.square().mean(-1)
    first = step_term(d, x, steps, torch.randn_like(x)).nats.mean(-1).sum()
    uniform, importance = 999 * second.sum() - first**2, second.sqrt().sum() ** 2 - first**2
    assert 44 < uniform / importance < 55


def test_objectives_do_not_know_of_distributed_training():
    sources = [path.read_text(encoding="utf-8") for path in Path(objectives.__file__).parent.glob("*.py")]
    assert len(sources) > 10
    assert not any("torch.distributed" in source for source in sources)


@pytest.mark.parametrize(("options", "message"), [({"history": 0}, "`history`"), ({"uniform_share": 0.0}, "`uniform_share`")])
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        LossAwareSteps(TimeGrid(2), **options)
