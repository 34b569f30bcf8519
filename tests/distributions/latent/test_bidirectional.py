"""The exact log-density lies between the bounds: linear models, hierarchies, learned models, any start and transition."""

import pyro.distributions as dist
import pytest
import torch

import probgen as pg
from probgen.distributions import LatentVariable, standard_normal
from probgen.distributions.latent import ProbabilisticPCA, Sandwich, annealed_estimate, sandwich
from tests.cases.latent import batched, scalar


def linear_model(dtype=torch.float64):
    loadings = torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, 0.0], [0.7, -0.7]], dtype=dtype)
    return ProbabilisticPCA(torch.tensor([0.5, -1.0, 0.0, 0.0], dtype=dtype), loadings, 0.2)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("start", ["prior", "encoder"])
def test_exact_value_is_bracketed(start):
    """400 data, few steps: the means of both bounds' errors have their signs, by 6 standard errors, and are small."""
    torch.manual_seed(0)
    p = linear_model()
    model = LatentVariable(
        standard_normal(2).like(p.loadings), p.decode, lambda x: dist.Normal(0.3 * x[..., :2], 1.0).to_event(1)
    )
    found = sandwich(model, 400, num_chains=2, num_steps=8, num_leapfrog=3, start=start)
    assert isinstance(found, Sandwich)
    exact = p.log_prob(found.x)
    for error in (exact - found.lower.value, found.upper.value - exact):
        assert 6 * float(error.std()) / 20 < float(error.mean()) < 1.0
    gap, _ = found.gap()
    assert gap == pytest.approx(float((found.upper.value - found.lower.value).mean()))


def test_more_steps_close_the_gap():
    """Errors fall as the number of steps grows; at 64 steps the two bounds nearly meet, and importance
    sampling agrees with them."""
    torch.manual_seed(0)
    p = linear_model()
    gaps = [sandwich(p.latent_variable(), 100, num_chains=4, num_steps=n, num_leapfrog=3).gap()[0] for n in (8, 64)]
    assert gaps[1] < gaps[0] / 3
    assert gaps[1] < 0.3
    x = p.sample((50,))
    annealed = annealed_estimate(p.latent_variable(), x, num_chains=8, num_steps=64, num_leapfrog=3)
    weighted = p.latent_variable(mean_field=True).log_prob_estimate(x, 500)
    assert annealed.kind == weighted.kind == "lower"
    assert abs(float((annealed.value - weighted.value).mean())) < 0.2


def test_encoder_at_the_posterior_needs_no_annealing():
    p = linear_model()
    x = p.sample((6,))
    estimate = annealed_estimate(p.latent_variable(), x, num_chains=2, num_steps=2, num_leapfrog=1, start="encoder")
    torch.testing.assert_close(estimate.value, p.log_prob(x), atol=1e-9, rtol=0)


def test_any_transition_can_be_plugged_in():
    """The exact kernel of the scalar model, N(b x / (1 + b), 1 / (1 + b)), on latents of one coordinate."""
    torch.manual_seed(0)
    x = torch.tensor([1.0, -2.0])

    def gibbs(z, density):
        b = density.temperature
        return dist.Normal((b * x / (1 + b)).unsqueeze(-1), (1 + b) ** -0.5).sample((len(z),))

    estimate = annealed_estimate(scalar(), x, num_chains=2000, num_steps=50, transition=gibbs)
    torch.testing.assert_close(estimate.value, dist.Normal(0.0, 2**0.5).log_prob(x), atol=0.03, rtol=0)


def test_hierarchies_are_annealed_over_all_their_levels():
    torch.manual_seed(0)
    law = pg.vae.top_down_vae((6,), (3, 2), pg.distributions.elements.NormalElement(0.5), hidden=8).distribution()
    found = sandwich(law, 30, num_chains=4, num_steps=15, num_leapfrog=3)
    assert found.x.shape == (30, 6)
    weighted = law.log_prob_estimate(found.x, 1000)
    assert abs(found.gap()[0]) < 0.5
    assert abs(float((found.lower.value - weighted.value).mean())) < 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (0,), (3,), (2, 3)])
def test_any_batch_and_dtype(dtype, batch):
    p = linear_model(dtype)
    estimate = annealed_estimate(p.latent_variable(), p.sample(batch), num_chains=3, num_steps=3, num_leapfrog=2)
    assert estimate.value.shape == estimate.stderr.shape == batch
    assert estimate.value.dtype == dtype


def test_batches_of_models():
    x = torch.zeros(5, 1, 1)
    assert annealed_estimate(batched(), x, num_chains=2, num_steps=2, num_leapfrog=1).value.shape == (5, 3)
    assert sandwich(batched(), 4, num_chains=2, num_steps=2, num_leapfrog=1).upper.value.shape == (4, 3)


def test_no_gradients():
    model = LatentVariable(standard_normal(2), torch.nn.Sequential(torch.nn.Linear(2, 3), Law()), Law())
    estimate = annealed_estimate(model, torch.zeros(2, 3), num_chains=2, num_steps=2, num_leapfrog=1)
    assert not estimate.value.requires_grad
    assert all(parameter.grad is None for parameter in model.decoder.parameters())


class Law(torch.nn.Module):
    def forward(self, x):
        return dist.Normal(x, 1.0).to_event(1)


def test_misuse():
    x = torch.zeros(2)
    for name in ("num_chains", "num_steps", "num_leapfrog"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got 0"):
            annealed_estimate(scalar(), x, **{name: 0})
    with pytest.raises(ValueError, match="`num_data` must be at least 1"):
        sandwich(scalar(), 0)
    with pytest.raises(ValueError, match="`start` must be 'prior' or 'encoder'; got 'guide'"):
        annealed_estimate(scalar(), x, start="guide")
    with pytest.raises(ValueError, match="event shape"):
        annealed_estimate(batched(), x)
    hierarchy = pg.vae.top_down_vae((6,), (3, 2), hidden=8).distribution()
    with pytest.raises(ValueError, match="`start` must be 'prior' for a HierarchicalLaw"):
        annealed_estimate(hierarchy, torch.zeros(6), start="encoder")
