"""Moving laws and rearranging their batches, for every kind that a denoiser reports."""

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.conditioning.law_arithmetic import mapped, shifted


def laws():
    torch.manual_seed(0)
    mean, root = torch.randn(4, 2).double(), torch.randn(4, 2, 2).double()
    covariance = root @ root.mT + 0.1 * torch.eye(2)
    several = dist.MultivariateNormal(torch.randn(4, 3, 2).double(), covariance.unsqueeze(1).expand(4, 3, 2, 2))
    return {
        "point mass": dist.Delta(mean, event_dim=1),
        "normal": dist.Normal(mean, torch.rand(4, 2).double() + 0.1).to_event(1),
        "multivariate": dist.MultivariateNormal(mean, covariance),
        "mixture": dist.MixtureSameFamily(dist.Categorical(logits=torch.randn(4, 3).double()), several),
    }


@pytest.mark.parametrize("name", laws())
def test_a_shifted_law_has_its_density_moved(name):
    law, shift = laws()[name], torch.randn(4, 2).double()
    torch.testing.assert_close(shifted(law, shift).mean, law.mean + shift)
    x = law.sample()
    torch.testing.assert_close(shifted(law, shift).log_prob(x + shift), law.log_prob(x))


@pytest.mark.parametrize("name", laws())
def test_a_mapped_law_is_that_of_the_rows(name):
    law = laws()[name]
    rows = torch.tensor([2, 0])
    taken = mapped(law, lambda parameter, rank: parameter[rows])
    x = law.sample()[rows]
    torch.testing.assert_close(taken.log_prob(x), law.log_prob(law.sample().index_copy(0, rows, x))[rows])
    assert taken.batch_shape == (2,)


@pytest.mark.parametrize("name", laws())
def test_the_function_is_told_what_is_not_batch(name):
    mapped(laws()[name], lambda parameter, rank: parameter if parameter.dim() - rank == 1 else pytest.fail(str(rank)))


def test_unknown_laws_are_refused():
    with pytest.raises(NotImplementedError, match="Gamma"):
        shifted(dist.Gamma(1.0, 1.0), torch.zeros(()))
    with pytest.raises(NotImplementedError, match="Gamma"):
        mapped(dist.Gamma(1.0, 1.0), lambda parameter, rank: parameter)
