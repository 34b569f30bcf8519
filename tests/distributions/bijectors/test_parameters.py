"""Declared parameters: identity values and bounds."""

import torch

from probgen.distributions.bijectors import positive_parameter, real_parameter


def test_zero_goes_to_the_identity_value():
    assert torch.equal(real_parameter("loc", (2,)).identity, torch.zeros(2))
    for identity in (1.0, 0.3):
        assert torch.allclose(positive_parameter("scale", (3,), identity=identity).identity, torch.full((3,), identity))


def test_a_positive_parameter_stays_within_its_factor_for_any_number():
    scale = positive_parameter("scale", identity=2.0, factor=10.0)
    values = scale.constrain(torch.tensor([-1e30, -3.0, 0.0, 3.0, 1e30], dtype=torch.float64))
    assert (values.diff() > 0).all()
    assert torch.isclose(values[0], torch.tensor(0.2, dtype=torch.float64))
    assert torch.isclose(values[-1], torch.tensor(20.0, dtype=torch.float64))
    assert scale.constraint.check(values).all()


def test_numel_counts_the_numbers_of_one_value():
    assert real_parameter("weights", (2, 3)).numel == 6
    assert real_parameter("loc").numel == 1
