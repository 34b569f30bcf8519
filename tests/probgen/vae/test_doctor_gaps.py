"""Gaps of linear-Gaussian models: every one has a closed form."""

import math
from functools import partial

import pytest
import torch

from probgen.distributions.latent import ProbabilisticPCA, annealed_estimate
from probgen.vae import diagnose, mlp_vae
from probgen.vae.doctor_gaps import inference_gaps, optimized_posterior
from tests.probgen.vae.linear_models import exact_rows, linear_vae

EIGENVALUES = [4.0, 1.5, 0.7, 0.3]


def rotated(x):
    """A model whose latents depend on each other given the data."""
    angle = torch.tensor(0.6).double()
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    return ProbabilisticPCA.fit(x, 2, rotation=rotation)


def test_an_exact_encoder_has_no_gaps():
    torch.manual_seed(0)
    x = exact_rows(EIGENVALUES)
    model = ProbabilisticPCA.fit(x, 2)
    gaps = inference_gaps(linear_vae(model).distribution(), x[:16], steps=60)
    assert abs(gaps.amortization.value) < 0.05
    assert abs(gaps.approximation.value) < 0.05
    assert gaps.evidence.value == pytest.approx(float(model.log_prob(x[:16]).mean()), abs=0.01)


def test_the_amortization_gap_of_a_biased_encoder_is_its_divergence_from_the_posterior():
    torch.manual_seed(0)
    x = exact_rows(EIGENVALUES)
    model = ProbabilisticPCA.fit(x, 2)
    variances = model.posterior(x).covariance_matrix.diagonal(dim1=-2, dim2=-1)[0]
    ratio, shift = 4.0, 0.5
    exact = float((0.5 * (ratio + shift**2 / variances - 1 - math.log(ratio))).sum())
    gaps = inference_gaps(linear_vae(model, scale=ratio**0.5, shift=shift).distribution(), x[:16])
    assert gaps.amortization.value == pytest.approx(exact, abs=0.1)
    assert abs(gaps.approximation.value) < 0.02
    assert gaps.inference.value == pytest.approx(gaps.amortization.value + gaps.approximation.value, abs=1e-9)


def test_the_approximation_gap_of_dependent_latents_has_a_closed_form():
    """1/2 (sum log M_jj - log det M): the price of independent coordinates."""
    torch.manual_seed(0)
    x = exact_rows(EIGENVALUES)
    model = rotated(x)
    gaps = inference_gaps(linear_vae(model).distribution(), x[:16])
    assert float(model.gap()) > 0.1
    assert gaps.approximation.value == pytest.approx(float(model.gap()), abs=0.03)
    assert abs(gaps.amortization.value) < 0.03


def test_other_estimates_of_the_evidence_are_taken():
    x = exact_rows(EIGENVALUES)
    model = rotated(x)
    gaps = inference_gaps(
        linear_vae(model).distribution(), x[:8], steps=0, evidence=lambda _, data: model.log_prob_estimate(data)
    )
    assert gaps.amortization is None
    assert gaps.optimized_elbo is None
    assert gaps.inference.value == pytest.approx(float(model.gap()), abs=0.05)


def test_annealed_estimates_of_the_evidence_are_taken():
    torch.manual_seed(0)
    x = exact_rows(EIGENVALUES)
    model = rotated(x)
    evidence = partial(annealed_estimate, num_chains=8, num_steps=20, num_leapfrog=5)
    gaps = inference_gaps(linear_vae(model).distribution(), x[:8], num_draws=64, steps=0, evidence=evidence)
    assert gaps.evidence.value == pytest.approx(float(model.log_prob(x[:8]).mean()), abs=0.2)


def test_laws_without_independent_coordinates_are_refused_by_the_optimizer():
    x = exact_rows(EIGENVALUES)
    law = rotated(x).latent_variable()
    with pytest.raises(ValueError, match="independent coordinates"):
        optimized_posterior(law, x[:2])
    assert inference_gaps(law, x[:4]).amortization is None


def test_conditional_models_have_gaps():
    torch.manual_seed(0)
    vae, x, c = mlp_vae((4,), 2, context_shape=(3,), hidden=(8,)), torch.randint(0, 2, (20, 4)).float(), torch.randn(20, 3)
    gaps = diagnose(vae, x, c, gap_data=4, gap_steps=5).gaps
    assert gaps.num_data == 4
    assert gaps.inference.value > -0.05


def test_every_draw_of_a_bound_counts(monkeypatch):
    """150 draws are more than one pass takes; none is left out."""
    x, drawn = exact_rows(EIGENVALUES)[:4], []
    model = ProbabilisticPCA.fit(x, 2)

    def elbo(x, num_draws):
        drawn.append(num_draws)
        return torch.full((len(x),), float(num_draws))

    monkeypatch.setattr(model, "elbo", elbo)
    gaps = inference_gaps(model, x, num_draws=150, steps=0)
    assert sum(drawn) == 150
    assert gaps.elbo.value == pytest.approx(sum(count**2 for count in drawn) / 150)  # weighed by their numbers
