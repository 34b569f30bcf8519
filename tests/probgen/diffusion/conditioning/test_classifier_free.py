"""Classifier-free guidance: the convention, one doubled call, independence of batch mates, exact on oracles."""

import pyro.distributions as dist
import pytest
import torch

from probgen.diffusion.conditioning import ClassifierFree, LabeledMixture
from probgen.diffusion.samplers import ddim
from probgen.distributions._checks import ContextError
from probgen.distributions.chains import (
    GaussianChain,
    GaussianDenoiser,
    MixtureDenoiser,
    NetworkDenoiser,
    TimeGrid,
    UnitPrior,
    cosine_schedule,
    flow_matching_schedule,
)
from tests.probgen.diffusion.conditioning.beds import Shrinking, mixture


def network(**options):
    return NetworkDenoiser(Shrinking(), cosine_schedule(), (4,), **options)


@pytest.fixture
def draws():
    torch.manual_seed(0)
    return torch.randn(6, 4), torch.rand(6), torch.randn(6, 2)


@pytest.mark.parametrize("parameterization", ["x0", "eps", "v", "score"])
def test_the_scale_is_a_straight_line_from_unconditional_to_conditional(parameterization, draws):
    x, t, context = draws
    denoiser = network(parameterization=parameterization)
    conditional = denoiser.mean(x, t, context)
    unconditional = denoiser.mean(x, t, denoiser.null_context)
    for scale in (0.0, 0.3, 1.0, 2.5):
        guided = ClassifierFree(denoiser, scale)
        expected = unconditional + scale * (conditional - unconditional)
        torch.testing.assert_close(guided(x, t, context).mean, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(guided.mean(x, t, context), expected, rtol=1e-4, atol=1e-5)


def test_the_network_is_called_once_on_both(draws):
    x, t, context = draws
    denoiser = network()
    sizes = []
    denoiser.network.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    for scale, expected in ((2.0, 12), (1.0, 6), (0.0, 6)):
        sizes.clear()
        ClassifierFree(denoiser, scale)(x, t, context)
        assert sizes == [expected]


def test_a_datum_does_not_depend_on_its_batch_mates(draws):
    x, t, context = draws
    for guided in (ClassifierFree(network(), 3.0), ClassifierFree(network(), 3.0, rescale=0.7)):
        together = guided(x, t, context).mean
        alone = torch.cat([guided(x[i : i + 1], t[i : i + 1], context[i : i + 1]).mean for i in range(6)])
        torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)


def test_outside_the_interval_the_conditional_denoiser_is_used(draws):
    x, _, context = draws
    denoiser = network()
    guided = ClassifierFree(denoiser, 4.0, interval=(0.2, 0.6))
    full = ClassifierFree(denoiser, 4.0)
    times = torch.tensor([0.1, 0.25, 0.4, 0.55, 0.7, 1.0])
    inside = torch.tensor([False, True, True, True, False, False]).unsqueeze(-1)
    expected = torch.where(inside, full.mean(x, times, context), denoiser.mean(x, times, context))
    torch.testing.assert_close(guided.mean(x, times, context), expected, rtol=1e-5, atol=1e-6)
    sizes = []
    denoiser.network.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    guided(x, 0.9, context)  # one time for all: the second half is not even computed
    assert sizes == [6]


def test_rescaling_keeps_the_spread_of_the_conditional_mean(draws):
    x, t, context = draws
    denoiser = network()
    guided = ClassifierFree(denoiser, 5.0, rescale=1.0)
    torch.testing.assert_close(guided.mean(x, t, context).std(-1), denoiser.mean(x, t, context).std(-1))
    half = ClassifierFree(denoiser, 5.0, rescale=0.5).mean(x, t, context)
    plain = ClassifierFree(denoiser, 5.0).mean(x, t, context)
    torch.testing.assert_close(half, (guided.mean(x, t, context) + plain) / 2)


@pytest.mark.parametrize("spread", [UnitPrior(0.5)])
def test_a_spread_is_that_of_the_conditional_law(spread, draws):
    x, t, context = draws
    denoiser = network(spread=spread)
    guided = ClassifierFree(denoiser, 2.0)(x, t, context)
    torch.testing.assert_close(guided.variance, denoiser(x, t, context).variance)
    assert not torch.allclose(guided.mean, denoiser(x, t, context).mean)


def test_on_a_labeled_mixture_scale_one_is_the_class_and_scale_zero_the_mixture():
    bed = mixture()
    labeled = LabeledMixture(bed)
    x, label = torch.randn(5, 2).double(), torch.tensor([0, 1, 2, 0, 1])
    single = [
        MixtureDenoiser(bed.schedule, torch.zeros(1).double(), bed.means[k : k + 1], bed.covariances[k : k + 1])
        for k in range(3)
    ]
    expected = torch.stack([single[k].mean(row, 0.4) for row, k in zip(x, label.tolist(), strict=True)])
    torch.testing.assert_close(ClassifierFree(labeled, 1.0).mean(x, 0.4, label), expected)
    torch.testing.assert_close(ClassifierFree(labeled, 0.0).mean(x, 0.4, label), bed.mean(x, 0.4))
    law = ClassifierFree(labeled, 1.7)(x, 0.4, label).law
    assert isinstance(law, dist.MixtureSameFamily)


@pytest.mark.statistical(false_alarm=4e-9)
def test_samples_at_scale_one_have_the_moments_of_the_class():
    torch.manual_seed(0)
    bed = mixture()
    guided = ClassifierFree(LabeledMixture(bed), 1.0)
    chain = GaussianChain(guided, TimeGrid(60), context=torch.ones(4000, dtype=torch.long))
    x = chain.sample()[:, 0]
    # six standard errors: finds a shift of a tenth of a standard deviation, or another variance by a seventh
    spread = bed.covariances[1].diagonal().sqrt()
    assert ((x.mean(0) - bed.means[1]).abs() < 6 * spread / 4000**0.5 + 1e-3).all()
    assert ((x.var(0) / spread**2 - 1).abs() < 6 * (2 / 4000) ** 0.5 + 0.01).all()


def test_guidance_above_one_moves_beyond_the_class_mean_and_sharpens():
    means, covariances = torch.tensor([[-1.0], [1.0]]).double(), torch.full((2, 1, 1), 0.5).double()
    labeled = LabeledMixture(MixtureDenoiser(cosine_schedule(), torch.zeros(2).double(), means, covariances))
    torch.manual_seed(0)
    start, label = torch.randn(4000, 1).double(), torch.ones(4000, dtype=torch.long)
    moments = []
    for scale in (1.0, 3.0):
        x = ddim(ClassifierFree(labeled, scale), TimeGrid(50))(start, label)
        moments.append((float(x.mean()), float(x.var())))
    assert abs(moments[0][0] - 1) < 0.1
    assert moments[1][0] > 1.3
    assert moments[1][1] < 0.9 * moments[0][1]


def test_rescaling_leaves_a_constant_mean_alone():
    """Without signal the mean of these data is a constant event, which has no spread to bring back."""
    means = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    oracle = MixtureDenoiser(flow_matching_schedule(), torch.zeros(2), means, torch.eye(2).expand(2, 2, 2))
    plain, rescaled = (ClassifierFree(LabeledMixture(oracle), 3.0, rescale=rescale) for rescale in (0.0, 0.7))
    x, label = torch.randn(4, 2), torch.tensor([0, 1, 0, 1])
    torch.testing.assert_close(rescaled.mean(x, 1.0, label), plain.mean(x, 1.0, label))


def test_null_contexts_and_wrong_ones():
    guided = ClassifierFree(network(), 2.0)
    assert torch.equal(guided.null_context, torch.tensor([9.0, 9.0]))
    x = torch.randn(3, 4)
    torch.testing.assert_close(guided.mean(x, 0.5, guided.null_context), guided.denoiser.mean(x, 0.5, guided.null_context))
    with pytest.raises(ContextError, match="needs a context"):
        guided(x, 0.5)
    with pytest.raises(ContextError, match="with trailing shape"):
        guided(x, 0.5, torch.zeros(3, 5))
    with pytest.raises(ValueError, match="`denoiser` must take a context"):
        ClassifierFree(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)), 2.0)
    with pytest.raises(ValueError, match="`rescale` needs data of two coordinates"):
        ClassifierFree(LabeledMixture(mixture(dim=1)), 2.0, rescale=0.5)
    with pytest.raises(ValueError, match="`rescale` and `interval`"):
        ClassifierFree(network(), 2.0, interval=(0.5, 0.2))


def test_the_scale_keeps_its_digits():
    schedule = cosine_schedule()
    mixture = MixtureDenoiser(
        schedule, torch.zeros(2).double(), torch.tensor([[-1.0], [1.0]]).double(), 0.1 * torch.eye(1).double().expand(2, 1, 1)
    )
    labeled = LabeledMixture(mixture)
    x, label = torch.tensor([[0.3]]).double(), torch.tensor([1])
    plain, given = labeled.mean(x, 0.5, labeled.null_context.expand(1)), labeled.mean(x, 0.5, label)
    torch.testing.assert_close(
        ClassifierFree(labeled, 1.3).mean(x, 0.5, label), plain + 1.3 * (given - plain), atol=0, rtol=1e-13
    )
