"""Bayes' rule against closed forms."""

import torch

from probgen.demo import Settings, class_posterior, load_problem, reweight


class _Tilted:
    """p(v | y) proportional to exp(v[0] * y) up to a constant that does not depend on y: enough for Bayes' rule."""

    def log_prob(self, v, label=None):
        return v[:, 0] * label

    def sample(self, n, label=None):
        return (torch.arange(n) % 10)[:, None].expand(n, 64) / 10.0


def test_posterior_is_prior_times_likelihood():
    problem = load_problem(Settings.smoke())
    v = torch.rand(4, 64)
    posterior = class_posterior(_Tilted(), problem, v)
    prior = torch.bincount(problem.train.y, minlength=10).double()
    joint = prior * (v[:, :1].double() * torch.arange(10)).exp()
    assert torch.allclose(posterior.double().exp(), joint / joint.sum(-1, keepdim=True), atol=1e-5)


def test_reweighting_keeps_what_the_classifier_says():
    """A sure classifier keeps exactly its own draws; an ignorant one has full effective sample size."""

    def sure(v):
        return torch.where(torch.arange(10) == (v[:, :1] * 10).round(), 0.0, -1e4)

    made = reweight(_Tilted(), sure, proposals=100, per_class=5)
    assert torch.allclose(made.images[:, :, 0] * 10, torch.arange(10.0)[:, None].expand(10, 5))
    assert torch.allclose(made.effective, torch.full((10,), 10.0))
    ignorant = reweight(_Tilted(), lambda v: torch.zeros(len(v), 10), proposals=100, per_class=5)
    assert torch.allclose(ignorant.effective, torch.full((10,), 100.0))
