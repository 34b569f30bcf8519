"""Möbius maps of the circle."""

import pytest
import torch
from scipy import stats

from probgen.distributions import StandardUniform, TransformedDistribution
from probgen.distributions.bijectors import Mobius
from probgen.distributions.constraints import circular


def test_the_complex_formula():
    center = torch.tensor([0.5, -0.6], dtype=torch.float64)
    x = torch.linspace(-3.1, 3.1, 100, dtype=torch.float64)
    z, w = torch.polar(torch.ones_like(x), x), torch.complex(*center)
    torch.testing.assert_close(Mobius(center)(x), torch.angle((z - w) / (1 - w.conj() * z)))


def test_the_image_of_the_uniform_law_is_wrapped_cauchy():
    base = StandardUniform(low=-torch.pi, high=torch.pi, support=circular)
    law = TransformedDistribution(base, Mobius(torch.tensor([-0.7, 0.0], dtype=torch.float64)))
    x = torch.linspace(-3.1, 3.1, 101, dtype=torch.float64)
    expected = stats.wrapcauchy(0.7).logpdf((x % (2 * torch.pi)).numpy())
    torch.testing.assert_close(law.log_prob(x), torch.as_tensor(expected))


def test_centers_outside_the_circle_raise():
    with pytest.raises(ValueError, match="`center`"):
        Mobius(torch.tensor([1.0, 0.5]))
