"""The mixture-of-logistics CDF: closed forms, tails, plateaus, gradients through the inverse."""

import pytest
import torch

from probgen.distributions.bijectors import MixtureOfLogisticsCDF


def _given(dtype=torch.float64):
    return MixtureOfLogisticsCDF(
        2,
        weights=torch.tensor([0.3, 0.7], dtype=dtype),
        locations=torch.tensor([-3.0, 2.0], dtype=dtype),
        widths=torch.tensor([0.1, 1.0], dtype=dtype),
        loc=torch.tensor(0.5, dtype=dtype),
        scale=torch.tensor(2.0, dtype=dtype),
    )


def test_matches_the_definition():
    x = torch.linspace(-4, 6, 21, dtype=torch.float64)
    cdf = 0.3 * torch.sigmoid((x + 3) / 0.1) + 0.7 * torch.sigmoid(x - 2)
    expected = 0.5 + 2 * ((1 - 1e-3) * torch.logit(cdf) + 1e-3 * x)
    torch.testing.assert_close(_given()(x), expected)


def test_one_component_is_affine():
    f = MixtureOfLogisticsCDF(1, locations=torch.tensor([1.0]), widths=torch.tensor([2.0]), loc=0.0, scale=1.0)
    x = torch.tensor([-1e4, -1.0, 0.0, 1e4])
    torch.testing.assert_close(f(x), 0.999 * (x - 1) / 2 + 1e-3 * x)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_inverts_far_out_in_both_tails(dtype, tolerance):
    x = torch.tensor([-1e4, -300.0, -30.0, 30.0, 300.0, 1e4], dtype=dtype)
    f = _given(dtype)
    y, log_det = f.forward_and_log_det(x)
    solved, inverse_log_det = f.inverse_and_log_det(y)
    torch.testing.assert_close(solved, x, rtol=tolerance, atol=0)
    torch.testing.assert_close(inverse_log_det, -log_det, rtol=tolerance, atol=tolerance)


def test_plateau_between_distant_sharp_components_is_invertible():
    f = MixtureOfLogisticsCDF(
        2, weights=torch.tensor([0.5, 0.5]), locations=torch.tensor([-20.0, 20.0]), widths=torch.tensor([0.05, 0.05])
    ).double()
    x = torch.linspace(-19, 19, 39, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(log_det.exp(), torch.full_like(x, 1e-3), rtol=1e-3, atol=0)
    torch.testing.assert_close(f.inverse(y), x, rtol=1e-11, atol=1e-11)


def test_gradients_reach_every_parameter_through_the_inverse():
    f = MixtureOfLogisticsCDF(3).double()
    y = torch.randn(5, dtype=torch.float64)
    x, log_det = f.inverse_and_log_det(y)
    (x.sum() + log_det.sum()).backward()
    for name, parameter in f.named_parameters():
        assert (parameter.grad.abs() > 0).any(), name


def test_components_start_apart_and_near_the_identity():
    f = MixtureOfLogisticsCDF(8)
    x = torch.linspace(-5, 5, 11)
    assert (f(x) - x).abs().max() < 0.3
    f(x).square().sum().backward()
    assert f.raw_locations.grad.unique().numel() > 1


def test_rejects_no_components():
    with pytest.raises(ValueError, match="`components` must be at least 1; got 0"):
        MixtureOfLogisticsCDF(0)
    with pytest.raises(ValueError, match="`weights` must satisfy"):
        MixtureOfLogisticsCDF(2, weights=torch.tensor([0.5, 0.7]))
