"""Paths of flow matching: their ends, their velocities, what they do to variances, errors."""

import math

import pytest
import torch

from probgen.infer.interpolation import interpolate

PATHS = ("straight", "variance preserving")


def _ends(number=7):
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(number, 2, 3, generator=generator, dtype=torch.float64) for _ in range(2))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
def test_a_path_begins_at_the_base_and_ends_at_the_datum(path, sigma_min):
    start, end = _ends()
    zero, one = torch.zeros(7, dtype=torch.float64), torch.ones(7, dtype=torch.float64)
    torch.testing.assert_close(interpolate(path, start, end, zero, sigma_min).value, start)
    found = interpolate(path, start, end, one, sigma_min).value
    weight = 1.0 if path == "straight" else math.sqrt(1 - sigma_min**2)
    torch.testing.assert_close(found, weight * end + sigma_min * start)


@pytest.mark.parametrize("path", PATHS)
def test_the_velocity_is_the_derivative(path):
    start, end = _ends()
    s = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)
    value, slope = torch.func.jvp(lambda t: interpolate(path, start, end, t, 0.05).value, (s,), (torch.ones_like(s),))
    found = interpolate(path, start, end, s, 0.05)
    torch.testing.assert_close(found.value, value)
    torch.testing.assert_close(found.velocity, slope)


def test_the_arc_keeps_the_variance_and_the_segment_does_not():
    """The weights of independent ends of variance one: their squares sum to one on the arc, to one half in the middle."""
    half = torch.full((1,), 0.5, dtype=torch.float64)
    unit, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    for path, variance in (("variance preserving", 1.0), ("straight", 0.5)):
        weights = [interpolate(path, *pair, half).value for pair in ((unit, zero), (zero, unit))]
        assert float(weights[0] ** 2 + weights[1] ** 2) == pytest.approx(variance)


def test_errors_name_the_argument():
    start, end = _ends()
    s = torch.zeros(7, dtype=torch.float64)
    with pytest.raises(ValueError, match="path"):
        interpolate("crooked", start, end, s)
    with pytest.raises(ValueError, match="sigma_min"):
        interpolate("straight", start, end, s, 1.0)
