"""The element of PixelCNN++: how parameters are laid out, and what they mean in the units of the data."""

import math

import pytest
import torch
from torch import nn

from probgen.distributions import (
    Autoregressive,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Quantization,
    ScaledEmbedding,
)
from probgen.distributions.elements import DiscretizedLogisticMixtureElement
from probgen.distributions.testing import enumerated_mass
from probgen.nn import MADE

LEVELS = Quantization(4, 0.0, 3.0)


@pytest.mark.parametrize(("channels", "numbers"), [(None, 3), (1, 3), (2, 6), (3, 10)])
def test_numbers_of_a_component(channels, numbers):
    element = DiscretizedLogisticMixtureElement(LEVELS, 7, channels)
    assert element.num_parameters == 7 * numbers
    assert element.event_shape == (() if channels is None else (channels,))


def test_the_parts_stand_in_the_order_that_is_documented():
    parameters = torch.randn(100).double()
    law = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), 10, 3)(parameters)
    assert isinstance(law, DiscretizedLogisticMixture)
    assert torch.equal(law.logits, parameters[:10])
    assert torch.equal(law.loc, parameters[10:40].reshape(10, 3))
    assert torch.allclose(law.scale, parameters[40:70].reshape(10, 3).exp())
    assert torch.allclose(law.coefficients, parameters[70:].reshape(10, 3).tanh())


def test_masses_do_not_depend_on_the_units_of_the_data():
    parameters = torch.randn(5, 30).double()
    tables = []
    for levels in (LEVELS, Quantization(4, -1.0, 1.0)):
        law = DiscretizedLogisticMixtureElement(levels, 3, 3)(parameters)
        assert torch.allclose(enumerated_mass(law), torch.ones(5).double())
        tables.append(law.log_prob(law.enumerate_support()))
    assert torch.allclose(tables[0], tables[1], atol=1e-10)


def test_one_component_of_scalars_is_the_discretized_logistic():
    parameters = torch.randn(6, 3)
    law = DiscretizedLogisticMixtureElement(LEVELS, 1, None)(parameters)
    single = DiscretizedLogistic(1.5 + 1.5 * parameters[:, 1], 1.5 * parameters[:, 2].exp(), LEVELS)
    x = single.sample()
    assert torch.allclose(law.log_prob(x), single.log_prob(x), atol=1e-5)


def published_log_prob(x, raw, components):
    """The formula of Salimans et al. (2017) on bytes in [-1, 1], as their program lays out its numbers; one pixel, float64.

    First K logits; then for each of three colors K means, K log-scales, and K coefficients: green's of red, blue's of red,
    blue's of green. In a wide bin the mass is a difference of distribution functions.
    """
    logits, rest = raw[:components], raw[components:].reshape(3, 3 * components)
    means, log_scales = rest[:, :components].clone(), rest[:, components : 2 * components]
    first, second, third = rest[:, 2 * components :].tanh()
    means[1] += first * x[0]
    means[2] += second * x[0] + third * x[1]
    plus = torch.sigmoid((x[:, None] - means + 1 / 255) * (-log_scales).exp())
    minus = torch.sigmoid((x[:, None] - means - 1 / 255) * (-log_scales).exp())
    first_level, last_level = x[:, None] < -0.999, x[:, None] > 0.999
    mass = torch.where(first_level, plus, torch.where(last_level, 1 - minus, plus - minus))
    assert bool((mass > 1e-5).all())  # below, the program takes a density for the mass, which does not sum to one
    return torch.logsumexp(logits.log_softmax(0) + mass.log().sum(0), 0)


def in_our_order(raw, components):
    """The same numbers where our element expects them."""
    rest = raw[components:].reshape(3, 3, components)  # color, kind, component
    parts = [raw[:components], *(rest[:, kind].T.flatten() for kind in range(3))]
    return torch.cat(parts)


@pytest.mark.parametrize("levels", [(0, 255, 254), (17, 130, 200), (255, 0, 1), (128, 128, 127)])
def test_it_is_the_published_formula(levels):
    torch.manual_seed(sum(levels))
    components, quantization = 4, Quantization(256, -1.0, 1.0)
    raw = 0.5 * torch.randn(10 * components).double()
    x = quantization.decode(torch.tensor(levels, dtype=torch.float64))
    law = DiscretizedLogisticMixtureElement(quantization, components, 3)(in_our_order(raw, components))
    assert float(law.log_prob(x)) == pytest.approx(float(published_log_prob(x, raw, components)), abs=1e-9)


def test_a_value_computed_by_hand():
    """One logistic, location 0, scale 1, on bytes: the levels 0, 255 and 128, from the distribution function."""
    law = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), 1, 1)(torch.zeros(3).double())
    edge = 1 / (1 + math.exp(254 / 255))  # F(-254/255), the mass below the right edge of the first bin
    middle = 1 / (1 + math.exp(-2 / 255)) - 0.5
    x = law.quantization.decode(torch.tensor([[0.0], [255.0], [128.0]]).double())
    torch.testing.assert_close(law.log_prob(x).exp(), torch.tensor([edge, edge, middle]).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("size", [1e2, 1e6, 1e20])
def test_whatever_a_network_says_scores_and_gradients_are_finite(dtype, channels, size):
    torch.manual_seed(0)
    quantization = Quantization(256, 0.0, 255.0)
    element = DiscretizedLogisticMixtureElement(quantization, 3, channels)
    parameters = (size * torch.randn(200, element.num_parameters, dtype=dtype)).requires_grad_()
    levels = torch.randint(0, 256, (200, *element.event_shape))
    levels[:80] = torch.tensor([0, 1, 254, 255]).repeat(20).reshape(80, *(1,) * len(element.event_shape))
    law = element(parameters)
    score = law.log_prob(quantization.decode(levels).to(dtype))
    (gradient,) = torch.autograd.grad(score.sum(), parameters)
    assert bool(score.isfinite().all())
    assert bool(gradient.isfinite().all())
    drawn = law.sample()
    assert torch.equal(drawn, drawn.round().clamp(0, 255))
    assert bool(law.log_prob(drawn).isfinite().all())


@pytest.mark.parametrize(("event_shape", "channels"), [((3, 2, 2), 3), ((1, 2, 2), 1), ((2, 2), None)])
def test_at_every_position_of_an_image_the_mass_is_one(event_shape, channels):
    """Nested sums over the colors of a pixel, 64 pixels of three colors, whatever stands before it; draws can be scored."""
    torch.manual_seed(0)
    element = DiscretizedLogisticMixtureElement(LEVELS, 3, channels)
    seen = channels or 1
    network = MADE(4, element.num_parameters, hidden=(32,), num_inputs=seen).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    law = Autoregressive(network, event_shape, element, embedding=ScaledEmbedding(1.5, 1.5))
    with torch.no_grad():
        x = law.sample((20,))
        assert torch.equal(x, x.round().clamp(0, 3))
        image = x.reshape(20, seen, 4)
        inputs = ((image.movedim(1, -1) - 1.5) / 1.5).reshape(20, 4 * seen)
        positions = element(network(inputs))
        pixels = torch.cartesian_prod(*[LEVELS.centers(torch.float64)] * seen).reshape(-1, 1, 1, *element.event_shape)
        masses = positions.log_prob(pixels.expand(-1, 20, 4, *element.event_shape)).exp().sum(0)
        torch.testing.assert_close(masses, torch.ones(20, 4).double(), atol=1e-13, rtol=0)
        rows = image.movedim(1, -1).reshape(20, 4, *element.event_shape)
        torch.testing.assert_close(law.log_prob(x), positions.log_prob(rows).sum(-1))


def test_errors_and_representation():
    with pytest.raises(TypeError, match="`quantization` must be a Quantization; got int"):
        DiscretizedLogisticMixtureElement(256)
    for wrong in ({"components": 0}, {"channels": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            DiscretizedLogisticMixtureElement(LEVELS, **wrong)
    assert "components=10, channels=3" in repr(DiscretizedLogisticMixtureElement(LEVELS))
