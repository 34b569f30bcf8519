"""The element of PixelCNN++: how parameters are laid out, and what they mean in the units of the data."""

import pytest
import torch

from probgen.distributions import DiscretizedLogistic, DiscretizedLogisticMixture, Quantization
from probgen.distributions.elements import DiscretizedLogisticMixtureElement
from probgen.distributions.testing import enumerated_mass

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


def test_errors_and_representation():
    with pytest.raises(TypeError, match="`quantization` must be a Quantization; got int"):
        DiscretizedLogisticMixtureElement(256)
    for wrong in ({"components": 0}, {"channels": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            DiscretizedLogisticMixtureElement(LEVELS, **wrong)
    assert "components=10, channels=3" in repr(DiscretizedLogisticMixtureElement(LEVELS))
