"""The autoregressive model of the demo: exact by class and without, its latents, and completions by Bayes' rule."""

import math

import pytest
import torch
from scipy import stats

from probgen.demo import AutoregressiveModel, ImageFormat, Settings, gray_pixel_cnn, load_problem, maximum_likelihood
from probgen.distributions.elements import NormalElement

TEN = torch.arange(10)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    frequency = torch.arange(1.0, 11.0) / 55
    model = AutoregressiveModel(gray_pixel_cnn(channels=8), frequency).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def problem():
    return load_problem(Settings.smoke())


def test_without_a_class_the_law_is_the_mixture(model, problem):
    v = problem.test_v[0][:5]
    by_class = torch.stack([model.log_prob(v, torch.full((5,), k)) for k in range(10)])
    expected = (by_class + (torch.arange(1.0, 11.0) / 55).log()[:, None]).logsumexp(0)
    torch.testing.assert_close(model.log_prob(v), expected)
    assert (by_class.max(0).values - by_class.min(0).values).min() > 0.1


def test_the_density_is_flat_inside_a_cell_and_counts_the_levels(model, problem):
    v = problem.test_v[0][:4]
    middle = ((v * 17).floor() + 0.5) / 17
    torch.testing.assert_close(model.log_prob(v), model.log_prob(middle))
    law = model.law(TEN[:4])
    mass = law.log_prob(((v * 17).floor() / 8 - 1).reshape(4, 8, 8))
    torch.testing.assert_close(model.log_prob(v, TEN[:4]), mass + 64 * math.log(17))


def test_the_program_scores_like_the_law(model, problem):
    v = problem.test_v[0][:6]
    loss = maximum_likelihood(model)
    constant = 6 * 64 * math.log(17)
    torch.testing.assert_close(loss(v), constant - model.log_prob(v).sum())
    torch.testing.assert_close(loss(v, TEN[:6]), constant - model.log_prob(v, TEN[:6]).sum())


@pytest.mark.parametrize("by_class", [False, True])
def test_latents_bring_images_back(model, problem, by_class):
    v = problem.test_v[0][:10]
    label = TEN if by_class else None
    z = model.encode(v, label)
    assert z.isfinite().all()
    torch.testing.assert_close(model.decode(z, label), v, rtol=0, atol=1e-5)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("by_class", [False, True])
def test_latents_of_draws_are_standard_normal(model, by_class):
    """Kolmogorov–Smirnov on 30 x 64 numbers; a shift of 0.1 in their mean would be seen."""
    torch.manual_seed(0)
    label = torch.full((30,), 3) if by_class else None
    v = model.sample(30, label) + (torch.rand(30, 64) - 0.5) / 17
    z = model.encode(v.clamp(0, 1 - 1e-7), label)
    assert stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-8 / 2


def test_completions_keep_what_is_given(model, problem):
    v = problem.test_v[0][:3]
    done = model.complete(v, 4)
    assert torch.equal((done * 17).floor()[:, :32], (v * 17).floor()[:, :32])
    assert not torch.equal((done * 17).floor()[:, 32:], (v * 17).floor()[:, 32:])


def test_bytes_have_logistic_mixtures_and_codes_that_bring_them_back():
    """The same class serves 256 levels and another size: its latents are exact there too."""
    torch.manual_seed(0)
    images = ImageFormat(5, 4, levels=256, num_classes=3)
    model = AutoregressiveModel(gray_pixel_cnn(images, channels=4), images=images).eval()
    v = torch.rand(6, 20)
    torch.testing.assert_close(model.decode(model.encode(v)), v, rtol=0, atol=1e-5)
    by_class = torch.stack([model.log_prob(v, torch.full((6,), k)) for k in range(3)])
    torch.testing.assert_close(model.log_prob(v), by_class.logsumexp(0) - math.log(3))


def test_a_law_without_a_table_has_no_codes():
    images = ImageFormat(4, 4, levels=256, num_classes=2)
    law = gray_pixel_cnn(images, channels=4)
    law.element = NormalElement()
    with pytest.raises(TypeError, match="NormalElement"):
        AutoregressiveModel(law, images=images)._masses(law, torch.zeros(1, 2))
