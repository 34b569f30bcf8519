"""Box–Muller: the change of variables gives the normal density, digit for digit."""

import torch

from probgen.distributions import TransformedDistribution, standard_normal, standard_uniform
from tests.examples.loading import load


def test_mapped_uniform_numbers_have_the_normal_density():
    bijector = load("box_muller").BoxMuller()
    u = (torch.cartesian_prod(torch.arange(20), torch.arange(20)).double() + 0.5) / 20
    z = bijector(u)
    law = TransformedDistribution(standard_uniform(2), bijector)
    torch.testing.assert_close(law.log_prob(z), standard_normal(2).log_prob(z))
    torch.testing.assert_close(bijector.inverse(z), u)
