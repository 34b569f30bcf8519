"""Discretized elements (reference test-bed V6): mass one for any parameters, the exact masses, units of the data."""

import math

import pytest
import torch

from probgen.distributions import Quantization
from probgen.distributions.elements import DiscretizedLogisticElement, DiscretizedNormalElement
from probgen.distributions.testing import enumerated_mass

INTEGERS = Quantization(256, 0.0, 255.0)
ELEMENTS = [DiscretizedLogisticElement, DiscretizedNormalElement]


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("levels", [INTEGERS, Quantization(256, -1.0, 1.0), Quantization(2, 0.0, 1.0)])
def test_masses_sum_to_one_for_any_parameters(element, levels):
    said = torch.tensor([-1e4, -30.0, -1.0, -0.3, 0.0, 0.7, 5.0, 1e4], dtype=torch.float64)
    parameters = torch.stack(torch.meshgrid(said, said, indexing="ij"), -1)
    mass = enumerated_mass(element(levels)(parameters))
    assert float((mass - 1).abs().max()) < 4e-15


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 7.0, 200.0])
def test_masses_on_integers_in_closed_form(scale):
    """P(k = mu) = tanh(1 / (4 s)) in the interior, P(0) = sigmoid((1/2 - mu) / s)."""
    element = DiscretizedLogisticElement(INTEGERS, scale)
    for level in (1, 100, 254):
        law = element(torch.tensor([(level - 127.5) / 127.5], dtype=torch.float64))
        assert float(law.loc) == pytest.approx(level, abs=1e-12)
        assert float(law.log_prob(torch.tensor(level))) == pytest.approx(math.log(math.tanh(1 / (4 * scale))), abs=1e-11)
        first = torch.nn.functional.logsigmoid(torch.tensor((0.5 - level) / scale, dtype=torch.float64))
        assert float(law.log_prob(torch.tensor(0))) == pytest.approx(float(first), rel=1e-12)


@pytest.mark.parametrize("element", ELEMENTS)
def test_draws_are_integers_in_range(element):
    law = element(INTEGERS)(torch.randn(500, 2))
    x = law.sample((4,))
    assert torch.equal(x, x.round())
    assert (float(x.min()), float(x.max())) == (0.0, 255.0)


@pytest.mark.parametrize("element", ELEMENTS)
def test_a_network_sees_levels_from_minus_one_to_one(element):
    """The same parameters are the same masses, whatever the units of the data."""
    parameters = torch.randn(9, 2).double()
    units = [INTEGERS, Quantization(256, -1.0, 1.0), Quantization.from_cells(256)]
    tables = []
    for levels in units:
        law = element(levels)(parameters)
        tables.append(law.log_prob(law.enumerate_support()))
    assert torch.allclose(tables[0], tables[1], atol=1e-9)
    assert torch.allclose(tables[0], tables[2], atol=1e-9)
    middle = element(INTEGERS)(torch.zeros(2))
    assert (float(middle.loc), float(middle.scale)) == (127.5, 127.5)


@pytest.mark.parametrize("element", ELEMENTS)
def test_errors_and_representation(element):
    with pytest.raises(TypeError, match="`quantization` must be a Quantization; got int"):
        element(256)
    with pytest.raises(ValueError, match="`scale` must be"):
        element(INTEGERS, "wide")
    assert "levels=256" in repr(element(INTEGERS))
    assert "scale='shared'" in repr(element(INTEGERS, "shared"))
