"""Levels of linear-Gaussian models against closed forms; hierarchies and users' own programs by the same protocol."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions.elements import BernoulliElement
from probgen.distributions.latent import ProbabilisticPCA
from probgen.infer import ELBO
from probgen.vae import chain_vae, diagnose, ladder_vae, mlp_vae
from probgen.vae.doctor_levels import LatentPass, decoder_diagnosis, latent_passes, level_diagnoses
from tests.probgen.vae.linear_models import exact_rows, linear_vae

EIGENVALUES = [4.0, 1.5, 0.7, 0.3, 0.1]


@pytest.mark.parametrize("variance", [0.2, 0.5, 1.0, 5.0])
def test_active_units_of_a_linear_model_are_the_eigenvalues_above_its_variance(variance):
    """Activity 1 - s2 / l and divergence log(l / s2) / 2 where l > s2, else zero: at the best model with this variance."""
    x = exact_rows(EIGENVALUES)
    found = diagnose(linear_vae(ProbabilisticPCA.fit(x, 4, noise_variance=variance)), x, gap_data=0)
    (level,) = found.levels
    ratios = torch.tensor([max(value / variance, 1.0) for value in EIGENVALUES[:4]]).double()
    assert torch.allclose(level.activity, 1 - 1 / ratios, atol=1e-9)
    assert torch.allclose(level.unit_divergences, 0.5 * ratios.log(), atol=1e-9)
    above = sum(value > variance for value in EIGENVALUES)
    assert level.num_active == min(4, above)
    assert found.decoder.directions == above
    assert found.collapsed == (above == 0)


def test_information_and_marginal_divergence_add_up_to_the_divergence():
    x = exact_rows(EIGENVALUES)
    (level,) = diagnose(linear_vae(ProbabilisticPCA.fit(x, 4, noise_variance=0.2)), x, gap_data=0).levels
    assert level.information + level.marginal_divergence == pytest.approx(level.divergence, abs=1e-12)
    assert level.information <= math.log(len(x))
    assert abs(level.marginal_divergence) < 0.2  # q(z) is the prior, up to 1500 data standing for all
    few = diagnose(linear_vae(ProbabilisticPCA.fit(x, 4, noise_variance=0.2)), x[:3], gap_data=0).levels[0]
    assert few.information <= math.log(3) + 1e-9


def test_reliance_is_what_codes_of_others_cost():
    """Of a linear model the mean over pairs has a closed form: |W (m - m')|^2 / 2 s2 on average is tr(W Cov W') / s2."""
    x = exact_rows(EIGENVALUES)
    model = ProbabilisticPCA.fit(x, 4, noise_variance=0.2)
    found = diagnose(linear_vae(model), x, gap_data=0)
    codes = model.posterior(x).mean @ model.loadings.mT
    errors = (x - codes.roll(1, 0)).square().sum(-1) - (x - codes).square().sum(-1)
    assert found.decoder.reliance == pytest.approx(float(errors.mean()) / 0.4, rel=0.05)
    assert found.decoder.variance == pytest.approx(0.2)
    # at the optimum the squared error is s2 in every direction that has a unit, and all there is in the others
    assert found.decoder.residual_variance == pytest.approx((4 * 0.2 + 0.1) / 5, rel=0.05)


@pytest.mark.parametrize("make", [ladder_vae, chain_vae], ids=["ladder", "chain"])
def test_hierarchies_are_examined_level_by_level(make):
    torch.manual_seed(0)
    vae, x = make((6,), (3, 2), BernoulliElement()), torch.randint(0, 2, (60, 6)).float()
    found = diagnose(vae, x, num_draws=32, gap_data=0)
    assert {level.name for level in found.levels} == {"z_1", "z_2"}
    assert sorted(level.num_units for level in found.levels) == [2, 3]
    assert found.levels[0].information is not None
    assert found.levels[1].information is None
    with torch.no_grad():
        bound = vae.distribution().elbo(x, 200).mean()
    assert found.elbo == pytest.approx(float(bound), abs=0.1)


def test_noise_of_the_draws_above_is_no_activity():
    """A level whose mean follows only the draw above it varies with that noise, not with the data."""

    class Program:
        def model(self, x):
            with pyro.plate("data", len(x)):
                a = pyro.sample("a", dist.Normal(0.0, 1.0))
                pyro.sample("b", dist.Normal(a, 1.0))
                pyro.sample("x", dist.Normal(0.0, 1.0), obs=x)

        def guide(self, x):
            with pyro.plate("data", len(x)):
                a = pyro.sample("a", dist.Normal(0.0 * x, 1.0))
                pyro.sample("b", dist.Normal(a, 1.0))

    torch.manual_seed(0)
    program, x = Program(), torch.randn(4000)
    passes = latent_passes(ELBO()(program.model, program.guide).sites, (x,), 4)
    assert isinstance(passes[0], LatentPass)
    _, lower = level_diagnoses(passes, None)
    averages = torch.stack([drawn.posterior["b"].fn.mean for drawn in passes]).mean(0)
    assert float(averages.var()) > 0.2  # what would be taken for activity
    assert float(lower.activity) < 0.02
    assert lower.divergence == 0.0
    assert decoder_diagnosis(program.model, (x,), passes[0]).reliance == 0.0


def test_conditional_models_have_no_marginal_divergence():
    torch.manual_seed(0)
    vae, x, c = mlp_vae((4,), 2, context_shape=(3,), hidden=(8,)), torch.randint(0, 2, (20, 4)).float(), torch.randn(20, 3)
    (level,) = diagnose(vae, x, c, gap_data=0).levels
    assert level.marginal_divergence is None
    assert level.information is not None


def test_programs_that_do_not_fit_are_refused():
    class NoLatents(nn.Module):
        def model(self, x):
            pyro.sample("x", dist.Normal(0.0, 1.0).expand([len(x)]).to_event(1), obs=x)

        def guide(self, x):
            return None

    class OneForAll(NoLatents):
        def model(self, x):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            with pyro.plate("data", len(x)):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

        def guide(self, x):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match="no latent site"):
        diagnose(NoLatents(), torch.zeros(3))
    with pytest.raises(ValueError, match=r"'z' must have batch shape \[3\], one row a datum; got \(\)"):
        diagnose(OneForAll(), torch.zeros(3))
