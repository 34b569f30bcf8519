"""What laws without parameters share."""

from __future__ import annotations

import pytest
import torch

from probgen.distributions import StandardNormal, StandardUniform, UniformRotation, UniformSphere
from probgen.distributions._parameter_free import ParameterFree

LAWS = [StandardNormal((2,)), StandardUniform((2,)), UniformSphere(2), UniformRotation()]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_an_open_dtype_follows_the_user_and_a_chosen_one_stays(law: ParameterFree):
    double = law.like(torch.zeros(1, dtype=torch.float64))
    assert double.sample().dtype == double.mean.dtype == double.entropy().dtype == torch.float64
    assert double.like(torch.zeros(1)).sample().dtype == torch.float64
    assert law.dtype is None, "the law itself stays open"


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_a_batch_is_a_shape_alone(law: ParameterFree):
    many = law.expand((4, 3))
    assert many.batch_shape == (4, 3)
    assert many.sample((5,)).shape == (5, 4, 3, *law.event_shape)
    assert many.mean.shape == (4, 3, *law.event_shape)
    assert many.entropy().shape == (4, 3)
    assert f"batch_shape={(4, 3)}" in repr(many)
