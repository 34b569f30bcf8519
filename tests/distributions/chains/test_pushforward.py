"""a X + b + sqrt(v) Z in closed form, against moments and against densities by quadrature."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.chains.pushforward import affine_gaussian

A, B, V = torch.tensor(0.7), torch.tensor([0.3, -1.0]), torch.tensor(0.2)
COVARIANCE = torch.tensor([[1.0, 0.4], [0.4, 0.5]])
MEANS = torch.tensor([[0.0, 1.0], [2.0, -1.0]])
LAWS = {
    "delta": lambda: dist.Delta(torch.tensor([1.0, 2.0]), event_dim=1),
    "normal": lambda: dist.Normal(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 3.0])).to_event(1),
    "multivariate": lambda: dist.MultivariateNormal(torch.tensor([1.0, 2.0]), COVARIANCE),
    "low rank": lambda: dist.LowRankMultivariateNormal(torch.ones(2), torch.tensor([[1.0], [0.5]]), torch.tensor([0.1, 0.2])),
    "mixture of normals": lambda: dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.3, 0.7])), dist.Normal(MEANS, 0.5).to_event(1)
    ),
    "mixture": lambda: dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.3, 0.7])), dist.MultivariateNormal(MEANS, COVARIANCE)
    ),
}


@pytest.mark.parametrize("name", sorted(LAWS))
def test_moments(name):
    law = LAWS[name]()
    pushed = affine_gaussian(law, A, B, V)
    assert torch.allclose(pushed.mean, A * law.mean + B)
    assert torch.allclose(pushed.variance, A**2 * law.variance + V)
    assert pushed.event_shape == law.event_shape


@pytest.mark.parametrize("name", ["multivariate", "low rank"])
def test_correlations(name):
    law = LAWS[name]()
    expected = A**2 * law.covariance_matrix + V * torch.eye(2)
    assert torch.allclose(affine_gaussian(law, A, B, V).covariance_matrix, expected)


def test_density_of_a_mixture_by_quadrature():
    """p(y) = int N(y; a x + b, v) p(x) dx for a two-humped law on the line."""
    law = dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.3, 0.7]).double()), dist.Normal(torch.tensor([-1.0, 2.0]).double(), 0.5)
    )
    y, x = torch.linspace(-3, 3, 7).double(), torch.linspace(-6, 8, 20_001).double()
    a, b, v = (torch.tensor(value).double() for value in (0.7, 0.3, 0.2))
    inner = dist.Normal(a * x + b, v.sqrt()).log_prob(y.unsqueeze(-1)) + law.log_prob(x)
    expected = torch.trapezoid(inner.exp(), x, dim=-1).log()
    assert torch.allclose(affine_gaussian(law, a, b, v).log_prob(y), expected, atol=1e-10)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_coefficients_for_each_datum(name):
    """Scale and variance of shape [*batch, 1] act datum by datum."""
    law = LAWS[name]()
    scale, variance = torch.tensor([[0.5], [2.0]]), torch.tensor([[0.1], [0.3]])
    shift = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    pushed = affine_gaussian(law.expand((2,)), scale, shift, variance)
    for index in range(2):
        alone = affine_gaussian(law, scale[index, 0], shift[index], variance[index, 0])
        assert torch.allclose(pushed.mean[index], alone.mean)
        assert torch.allclose(pushed.variance[index], alone.variance)


def test_other_laws_are_refused():
    with pytest.raises(NotImplementedError, match=r"no closed form .* is known for Gamma"):
        affine_gaussian(dist.Gamma(torch.ones(2), 1.0), A, B, V)
