"""A distribution subject finds the modules and builds in its dtype."""

import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.testing import REGIMES, DistributionSubject, Draw
from probgen.distributions.testing.distribution_subject import default_dtype


def make():
    return TransformedDistribution(standard_normal(2), Affine(shape=(2,)))


def test_dtype_and_regime():
    subject = DistributionSubject(make, dtype=torch.float64, regime=REGIMES["strong"])
    assert subject.sample(Draw()).dtype == torch.float64
    assert bool((subject.distribution.bijector.raw_loc != 0).all())
    assert torch.get_default_dtype() == torch.float32


def test_default_dtype_is_restored():
    with default_dtype(torch.float64):
        assert torch.ones(()).dtype == torch.float64
    assert torch.ones(()).dtype == torch.float32
