"""Quantiles of mixtures: a law with that cdf becomes normal; the start from data."""

import pytest
import torch

from probgen.distributions.bijectors import MixtureQuantile


def test_the_inverse_is_the_normal_quantile_of_the_mixture_cdf():
    f = MixtureQuantile(1, 2).double()
    f.raw_parameters.data.normal_(0, 1, generator=torch.Generator().manual_seed(0))
    weights, locations, widths, _, _ = f.mixture.values_from_raw(f.raw_parameters[None])
    y = torch.linspace(-4, 4, 17, dtype=torch.float64)[:, None]
    cdf = (weights * torch.sigmoid((y - locations) / widths)).sum(-1, keepdim=True)
    floored = torch.sigmoid(0.999 * torch.logit(cdf) + 0.001 * y)
    torch.testing.assert_close(f.inverse(y), torch.special.ndtri(floored))


def test_started_at_the_quantiles_it_makes_margins_normal():
    generator = torch.Generator().manual_seed(0)
    y = torch.stack([torch.rand(4000, generator=generator) * 6 - 1, torch.randn(4000, generator=generator).exp()], -1)
    f = MixtureQuantile(2, 16)
    before = f.inverse(y)
    f.initialize_from(y)
    x = f.inverse(y).detach()
    assert (before.mean(0) - 0).abs().max() > 0.5
    assert x.mean(0).abs().max() < 0.1
    assert (x.std(0) - 1).abs().max() < 0.15
    torch.testing.assert_close(f(x), y, rtol=1e-4, atol=1e-4)


def test_with_a_context_the_mean_over_the_context_starts_at_the_quantiles():
    generator = torch.Generator().manual_seed(0)
    y, context = 3 + torch.rand(500, 2, generator=generator), torch.randn(500, 4, generator=generator)
    f = MixtureQuantile(2, 4, conditioner=torch.nn.Linear(4, 24), context_shape=(4,))
    plain = MixtureQuantile(2, 4)
    f.initialize_from(y, context)
    plain.initialize_from(y)
    torch.testing.assert_close(f._raw(y, context).mean(0), plain.raw_parameters, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("y", [torch.zeros(0, 2), torch.full((3, 2), torch.inf)])
def test_there_must_be_data_to_start_from(y):
    bijector = MixtureQuantile(2)
    torch.distributions.Distribution.set_default_validate_args(value=False)
    try:
        with pytest.raises(ValueError, match="finite"):
            bijector.initialize_from(y)
    finally:
        torch.distributions.Distribution.set_default_validate_args(value=True)
