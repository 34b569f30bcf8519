"""Coefficients over events, and laws of nothing."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DiscretizedLogistic, Quantization, standard_normal, standard_uniform
from probgen.distributions.events import checked, coordinates, drawn, normal_over_event, over_event, scored


def test_coefficient_broadcasts_over_the_event():
    coefficient, x = torch.rand(5, dtype=torch.float64), torch.zeros(5, 2, 3)
    assert over_event(coefficient, 2, x).shape == (5, 1, 1)
    assert over_event(coefficient, 2, x).dtype == torch.float32
    assert over_event(torch.tensor(1.0), 2, x).shape == ()


def test_normal_law():
    law = normal_over_event(torch.zeros(4, 3), torch.ones(4, 1), 1)
    assert (law.batch_shape, law.event_shape) == ((4,), (3,))


def test_parameters_are_checked_where_they_can_be_read():
    with pytest.raises(ValueError, match="parameter loc"):
        normal_over_event(torch.tensor([torch.nan]), torch.ones(1), 1)
    assert checked(torch.zeros(1)) is None
    seen = []
    torch.vmap(lambda x: seen.append(checked(x)) or x)(torch.zeros(2))
    assert seen == [False]


LAWS = {
    "normal": lambda: dist.Normal(torch.zeros(3), 1.0).to_event(1),
    "categorical": lambda: dist.Categorical(torch.ones(3)),
    "mixture": lambda: dist.MixtureSameFamily(dist.Categorical(torch.ones(2)), dist.Normal(torch.zeros(2), 1.0)),
    "bernoulli": lambda: dist.Bernoulli(torch.full((2,), 0.5)).to_event(1),
    "categoricals": lambda: dist.Categorical(torch.ones(3, 2)).to_event(1),
    "one-hot": lambda: dist.OneHotCategorical(torch.ones(2)),
    "masked": lambda: dist.Categorical(torch.ones(2)).mask(mask=False),
    "levels": lambda: DiscretizedLogistic(torch.zeros(2), 1.0, Quantization(4, -1.0, 1.0)).to_event(1),
    "multivariate": lambda: dist.MultivariateNormal(torch.zeros(2), torch.eye(2)),
}


@pytest.mark.parametrize("name", sorted(LAWS))
def test_drawing_and_scoring_nothing(name):
    law = LAWS[name]()
    value = drawn(law, (0, 2))
    assert value.shape == (0, 2, *law.event_shape)
    assert value.dtype == law.sample().dtype
    assert scored(law, value).shape == (0, 2)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_drawing_and_scoring_something(name):
    law = LAWS[name]()
    value = drawn(law, (4,))
    assert torch.equal(scored(law, value), law.log_prob(value))


def test_coordinates_of_independent_laws_score_alike_and_of_dependent_ones_there_are_none():
    x = torch.tensor([[0.2, 0.7], [0.4, 0.1]])
    wide = dist.Normal(torch.zeros(2, 2), 3.0).to_event(1)
    for law in (standard_normal(2), standard_uniform(2).expand((2,)), wide, wide.to_event(1)):
        parts = coordinates(law)
        assert not parts.event_shape
        assert parts.batch_shape == law.batch_shape + law.event_shape
        assert torch.allclose(parts.log_prob(x).sum(), law.log_prob(x).sum())
    assert coordinates(dist.MultivariateNormal(torch.zeros(2), torch.eye(2))) is None
