"""Divergences of single sites, summed, by datum and by unit."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.distributions import standard_normal
from probgen.infer.site_divergence import divergence_sum, divergence_terms, integrable
from probgen.infer.trace import Site


def site(law, value=None, scale=1.0):
    return Site("z", law, law.sample() if value is None else value, False, scale, None, False, ())


@pytest.mark.parametrize("prior", [dist.Normal(torch.zeros(4, 3), 2.0).to_event(1), standard_normal(3).expand([4])])
def test_three_views_of_one_divergence(prior):
    q = dist.Normal(torch.randn(4, 3), torch.rand(4, 3) + 0.5).to_event(1)
    posterior = site(q, scale=2.0)
    prior_site = site(prior, posterior.value, scale=2.0)
    p = dist.Normal(torch.zeros(()), 2.0 if isinstance(prior, dist.Independent) else 1.0)
    units = kl_divergence(q.base_dist, p)
    torch.testing.assert_close(divergence_terms(posterior, prior_site, exact=True, per_unit=True), units)
    torch.testing.assert_close(divergence_terms(posterior, prior_site, exact=True), units.sum(-1))
    torch.testing.assert_close(divergence_sum(posterior, prior_site, exact=True), 2 * units.sum())
    sampled = divergence_terms(posterior, prior_site, exact=False, per_unit=True)
    torch.testing.assert_close(sampled, q.base_dist.log_prob(posterior.value) - p.log_prob(posterior.value))
    with pyro.validation_enabled(False):  # the sites stand in no plate
        torch.testing.assert_close(divergence_sum(posterior, prior_site, exact=False), 2 * sampled.sum())


def test_only_latents_in_the_models_order_are_integrable():
    sites = {name: site(dist.Normal(0.0, 1.0)) for name in "abc"}
    reordered = {name: sites[name] for name in "bac"}
    assert integrable(sites, sites) == {"a", "b", "c"}
    assert integrable(sites, reordered) == {"a", "c"}
