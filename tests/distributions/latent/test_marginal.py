"""The base of latent-variable models: terms, and a law that writes the least."""

import pytest
import torch

from probgen.distributions import DensityUnavailable, MarginalDistribution
from probgen.distributions.latent import LatentTerms, annealed_estimate


class Constant(MarginalDistribution):
    """Weights of e^2 and 1 in turn, whatever the data."""

    def __init__(self):
        super().__init__(torch.Size(), torch.Size((3,)))

    def _terms(self, x, num_draws, *, closed_form):
        likelihood = (
            torch.arange(num_draws).remainder(2).to(x).reshape(-1, *(1,) * (x.dim() - 1)).expand(num_draws, *x.shape[:-1])
        )
        divergence = torch.full(x.shape[:-1], 0.25) if closed_form else -likelihood
        return LatentTerms(likelihood, (divergence,))


def test_terms_add_up():
    terms = LatentTerms(torch.ones(4, 2), (torch.full((4, 2), 0.5), torch.full((2,), 0.25)))
    torch.testing.assert_close(terms.total(), torch.full((4, 2), 0.25))


def test_bounds_follow_from_the_terms():
    p, x = Constant(), torch.zeros(5, 3)
    torch.testing.assert_close(p.elbo(x, 4), torch.full((5,), 0.5 - 0.25))
    torch.testing.assert_close(p.elbo(x, 4, closed_form=False), torch.ones(5))
    torch.testing.assert_close(p.log_weights(x, 2), torch.tensor([[0.0], [2.0]]).expand(2, 5))
    mean = (torch.tensor(2.0).exp() + 1).log() - torch.tensor(2.0).log()
    torch.testing.assert_close(p.iwae(x, 6), mean.expand(5))
    torch.testing.assert_close(p.log_prob_estimate(x, 6, draws_at_once=4).value, mean.expand(5))
    torch.testing.assert_close(p.with_estimates().log_prob(x), torch.full((5,), -0.25))
    assert not p.allow_estimate


def test_what_is_not_written_is_named():
    p = Constant()
    with pytest.raises(DensityUnavailable, match="log_prob_estimate"):
        p.log_prob(torch.zeros(3))
    for method, arguments in (
        ("sample", ()),
        ("sample_joint", ()),
        ("log_prior", ({},)),
        ("log_joint", (torch.zeros(3), {})),
        ("expand", ((2,),)),
    ):
        with pytest.raises(NotImplementedError, match=f"Constant does not define `{method}`"):
            getattr(p, method)(*arguments)
    with pytest.raises(NotImplementedError, match="does not define"):
        annealed_estimate(p, torch.zeros(3))
    with pytest.raises(NotImplementedError, match="does not define `_terms`"):
        MarginalDistribution(torch.Size(), torch.Size()).elbo(torch.zeros(()))
