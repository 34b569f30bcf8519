"""The base distributions without parameters."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import StandardUniform, standard_normal, standard_uniform


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (standard_normal(3), dist.Normal(torch.zeros(3), 1.0).to_event(1)),
        (standard_uniform(3, low=-1.0, high=3.0), dist.Uniform(-torch.ones(3), 3 * torch.ones(3)).to_event(1)),
    ],
)
def test_agrees_with_torch(ours, theirs):
    x = theirs.sample((5,))
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    for name in ("mean", "variance"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert ours.expand((4,)).sample((2,)).shape == (2, 4, 3)
    assert ours.expand((4,)).log_prob(x[:4]).shape == (4,)
    assert ours.log_prob(x.double()).dtype == torch.float64


def test_scalar_distribution_functions():
    u = torch.tensor([0.1, 0.9])
    for law in (standard_normal(), standard_uniform(low=2.0, high=4.0)):
        torch.testing.assert_close(law.cdf(law.icdf(u)), u)
    with pytest.raises(NotImplementedError, match="scalar events"):
        standard_normal(2).cdf(torch.zeros(2))


def test_the_open_end_is_never_drawn():
    law = StandardUniform((100_000,), low=-math.pi, high=math.pi)
    for dtype in (torch.float32, torch.bfloat16):
        assert (law.like(torch.zeros((), dtype=dtype)).sample() < math.pi).all()


def test_outside_the_interval():
    law = standard_uniform(high=2.0)
    with pytest.raises(ValueError, match="support"):
        law.log_prob(torch.tensor(3.0))
    quiet = StandardUniform(high=2.0, validate_args=False)
    assert quiet.log_prob(torch.tensor([3.0, 1.0])).tolist() == [-math.inf, pytest.approx(-math.log(2))]
    with pytest.raises(ValueError, match="`low` must be below"):
        standard_uniform(low=1.0)


def test_dtype_is_followed_or_given():
    assert standard_normal(2).like(torch.zeros(1, dtype=torch.float64)).sample().dtype == torch.float64
    torch.set_default_dtype(torch.float64)
    assert standard_normal(2).sample().dtype == torch.float64
    assert StandardUniform((2,), dtype=torch.float32).like(torch.zeros(1)).sample().dtype == torch.float32
