"""The estimators of the gradient of a bound: unbiased but for the naive one, which is zero on average."""

import pytest
import torch

import probgen as pg
from tests.examples.loading import load

COUNT = 300


@pytest.mark.statistical(false_alarm=1e-10)
def test_all_but_the_naive_one_estimate_the_gradient():
    """Along the gradient the mean is one within seven standard errors; for the naive estimator it is zero."""
    example = load("gradient_estimators")
    torch.manual_seed(0)
    x = torch.rand(6, 5).round()
    vae = pg.vae.mlp_vae((5,), latent=2, hidden=(8,))
    truth = example.gradients(vae, x, example.closed_form, 3000).mean(0)
    for name, bound in example.BOUNDS.items():
        found = example.gradients(vae, x, bound, COUNT) @ truth / truth.square().sum()
        error = found.std() / COUNT**0.5
        expected = 0.0 if name == "naive" else 1.0
        assert abs(found.mean() - expected) < 7 * error + 0.02, name
