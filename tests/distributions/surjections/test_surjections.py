"""Facts of single surjections that no general law knows."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import SurjectiveDistribution, standard_normal
from probgen.distributions.surjections import (
    AbsoluteValue,
    Argmax,
    Increasing,
    MaxPool,
    Rounding,
    Slice,
    Sort,
    StochasticLayer,
    Surjection,
    increasing,
)
from probgen.distributions.surjections.surjection import RemainderLaw, draw_and_score, require_event_dim


def test_sort_forgets_the_order_and_finds_every_one():
    """Of 384 draws; a permutation that is never drawn would be missing, one is by chance with probability 2e-6 (seeded)."""
    torch.manual_seed(0)
    x = torch.arange(4.0)
    u, contribution = Sort().inverse_and_contribution(x, sample_shape=(384,))
    assert len({tuple(row) for row in u.tolist()}) == 24
    assert torch.allclose(contribution, torch.tensor(math.log(24.0)))
    assert isinstance(increasing, Increasing)
    assert increasing.check(torch.tensor([[0.0, 0.0], [1.0, math.nan]])).tolist() == [True, False]


def test_max_pool_is_that_of_torch_and_its_preimages_have_every_place():
    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 6)
    pool = MaxPool((2, 2), event_dim=3)
    torch.testing.assert_close(pool(x), torch.nn.functional.max_pool2d(x, 2))
    u = pool.inverse(pool(x).expand(50, 3, 2, 2, 3))
    places = torch.nn.functional.max_pool2d(u.flatten(0, 1), 2, return_indices=True)[1]
    assert len(places.unique()) == 24
    law = SurjectiveDistribution(standard_normal((2, 2, 3)), pool.inv)
    assert law.log_prob_kind == "exact"
    assert law.event_shape == (2, 4, 6)
    law.log_prob(law.sample((3,))).sum().backward()
    assert pool.raw_rate.grad.abs() > 0
    with pytest.raises(ValueError, match="multiples of the window"):
        pool(torch.randn(2, 3, 6))
    for arguments, message in (({"window": (1,)}, "two values"), ({"window": (2, 2), "event_dim": 1}, "`event_dim`")):
        with pytest.raises(ValueError, match=message):
            MaxPool(**arguments)


def test_slices_keep_the_front():
    f = Slice(1, 2, dim=-3)
    x = torch.randn(5, 3, 4, 4)
    torch.testing.assert_close(f(x), x[:, :1])
    assert f.inverse(f(x)).shape == x.shape
    for arguments, message in (((0, 1), "positive"), ((1, 0), "positive")):
        with pytest.raises(ValueError, match=message):
            Slice(*arguments)
    with pytest.raises(ValueError, match="`dim`"):
        Slice(1, 1, dim=0)
    with pytest.raises(ValueError, match="needs 3 coordinates along axis -3; got 2"):
        f(x[:, :2])
    with pytest.raises(ValueError, match="`context_shape`"):
        Slice(1, 1, context_shape=(2,))


def test_signs_come_from_the_law():
    torch.manual_seed(0)
    always = AbsoluteValue(lambda v: dist.Bernoulli(torch.ones_like(v)))
    assert (always.inverse(torch.rand(100)) >= 0).all()
    fair = AbsoluteValue().inverse(torch.ones(1000))
    assert abs(float(fair.mean())) < 0.25
    joint = AbsoluteValue(lambda v: dist.Bernoulli(torch.full_like(v, 0.3)).to_event(1), event_dim=1)
    assert joint.inverse_and_contribution(torch.ones(5, 2))[1].shape == (5,)


def test_noise_stays_in_its_cell_where_floating_point_numbers_are_coarse():
    """At 2^23 neighbors differ by one: the largest number of a cell is the integer itself."""
    torch.manual_seed(0)
    x = torch.tensor([2.0**21, 2.0**23, 255.0]).expand(4000, 3)
    u = Rounding().inverse(x)
    assert torch.equal(Rounding()(u), x)
    with pytest.raises(ValueError, match="`levels`"):
        Rounding(levels=0)


def test_draws_are_scored_by_the_law_they_come_from():
    law: RemainderLaw = lambda v: dist.Normal(v, 1.0)  # noqa: E731  (the type is what is shown)
    r, log_law = draw_and_score(law(torch.zeros(3)), (2,))
    torch.testing.assert_close(log_law, dist.Normal(0.0, 1.0).log_prob(r))
    assert issubclass(Slice, Surjection)
    assert not issubclass(StochasticLayer, Surjection)


@pytest.mark.parametrize("make", [AbsoluteValue, Rounding, lambda event_dim: Argmax(3, event_dim=event_dim)])
def test_a_negative_rank_is_refused(make):
    with pytest.raises(ValueError, match="`event_dim` must not be negative; got -1"):
        make(event_dim=-1)
    assert require_event_dim(0) == 0


def test_every_window_of_a_pool_has_its_own_arrangements():
    pool, u = MaxPool((2,)), torch.tensor([[1.0, 3.0, 5.0, 2.0, 0.0, -1.0]])
    v, r, log_det = pool._split(u)
    torch.testing.assert_close(log_det, torch.tensor([-3.0 * math.log(2.0)]))
    torch.testing.assert_close(pool._join(v, r)[1], -log_det)
