"""Classifier guidance: Bayes' rule exactly, a gradient for every datum, errors."""

import pytest
import torch

from probgen.diffusion.conditioning import ClassifierFree, ClassifierGuided, LabeledMixture
from probgen.distributions._checks import ContextError
from probgen.distributions.chains import GaussianDenoiser, NetworkDenoiser, UnitPrior, cosine_schedule, flow_matching_schedule
from tests.probgen.diffusion.conditioning.beds import Shrinking, mixture


def test_the_exact_classifier_at_scale_one_gives_the_conditional_denoiser():
    torch.manual_seed(0)
    bed = mixture()
    labeled = LabeledMixture(bed)
    guided = ClassifierGuided(bed, labeled.log_classifier, scale=1.0, context_shape=())
    x, t = torch.randn(3, 5, 2).double(), torch.rand(5).double() * 0.95 + 0.02
    label = torch.randint(3, (3, 5))
    assert (guided.mean(x, t, label) - labeled.mean(x, t, label)).abs().max() < 1e-10
    assert (guided(x, t, label).mean - labeled.mean(x, t, label)).abs().max() < 1e-10


def test_at_every_time_classifier_and_classifier_free_guidance_agree_on_oracles():
    torch.manual_seed(0)
    bed = mixture()
    labeled = LabeledMixture(bed)
    by_gradient = ClassifierGuided(bed, labeled.log_classifier, scale=2.5, context_shape=())
    by_difference = ClassifierFree(labeled, 2.5)
    x, label = torch.randn(20, 2).double(), torch.randint(3, (20,))
    torch.testing.assert_close(by_gradient.mean(x, 0.3, label), by_difference.mean(x, 0.3, label))


def coupled(x, log_snr):
    """A classifier whose value for a datum depends on all of it."""
    return torch.tanh(x[..., 0] * x[..., 1]) * torch.sigmoid(log_snr / 5)


def test_a_datum_does_not_depend_on_its_batch_mates():
    torch.manual_seed(0)
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor([0.5, 2.0]))
    guided = ClassifierGuided(oracle, coupled, scale=3.0)
    x, t = torch.randn(8, 2), torch.rand(8)
    alone = torch.stack([guided.mean(x[i], t[i]) for i in range(8)])
    torch.testing.assert_close(guided.mean(x, t), alone, rtol=1e-6, atol=1e-6)


def test_the_gradient_is_there_without_gradients_and_under_vmap():
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0))
    guided = ClassifierGuided(oracle, coupled)
    x = torch.randn(4, 2)
    with torch.no_grad():
        plain = guided.mean(x, 0.5)
    assert not torch.allclose(plain, oracle.mean(x, 0.5))
    torch.testing.assert_close(torch.vmap(lambda row: guided.mean(row, 0.5))(x), plain)
    jacobian = torch.func.jacrev(lambda row: guided.mean(row, 0.5))(x[0])
    assert jacobian.shape == (2, 2)


def test_a_spread_is_moved_not_changed():
    denoiser = NetworkDenoiser(Shrinking(), cosine_schedule(), (4,), spread=UnitPrior(0.3))
    guided = ClassifierGuided(denoiser, lambda x, log_snr: -x.square().sum(-1))
    x, context = torch.randn(5, 4), torch.randn(5, 2)
    law, plain = guided(x, 0.5, context), denoiser(x, 0.5, context)
    torch.testing.assert_close(law.variance, plain.variance)
    level = denoiser.schedule.level(0.5)
    torch.testing.assert_close(law.mean - plain.mean, (-2 * level.sigma**2 / level.alpha).float() * x, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_guided_is_named():
    oracle = GaussianDenoiser(flow_matching_schedule(), torch.zeros(2), torch.tensor(1.0))
    guided = ClassifierGuided(oracle, coupled)
    with pytest.raises(ValueError, match="no signal is left"):
        guided(torch.zeros(3, 2), 1.0)
    with pytest.raises(ContextError, match="takes no context"):
        guided(torch.zeros(3, 2), 0.5, torch.zeros(3))
    with pytest.raises(ValueError, match="`classifier` must return shape"):
        ClassifierGuided(oracle, lambda x, log_snr: x)(torch.zeros(3, 2), 0.5)
    denoiser = NetworkDenoiser(Shrinking(), cosine_schedule(), (4,))
    with pytest.raises(ValueError, match="`context_shape` must be that of `denoiser`"):
        ClassifierGuided(denoiser, coupled, context_shape=())
    assert torch.equal(ClassifierGuided(denoiser, coupled).null_context, denoiser.null_context)
