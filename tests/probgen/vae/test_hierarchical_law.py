"""Laws of hierarchies: exact where the posterior is, draws with levels kept or cooled, divergences level by level."""

import math

import pytest
import torch
from pyro.infer import Trace_ELBO

from probgen.distributions import DensityUnavailable
from probgen.vae import HierarchicalLaw, top_down_vae
from probgen.vae.hierarchical_law import Inference, LevelDraw
from tests.probgen.vae.hierarchies import EXACT, TOP_VARIANCE, evidence


@pytest.fixture(params=EXACT.values(), ids=EXACT.keys())
def exact(request):
    torch.set_default_dtype(torch.float64)
    return request.param()


def test_every_weight_of_the_exact_posterior_is_the_evidence(exact):
    x = 2 * torch.randn(7, 3)
    expected = evidence().log_prob(x)
    torch.testing.assert_close(exact.distribution().log_weights(x, 5), expected.expand(5, 7), rtol=0, atol=1e-12)
    assert abs(Trace_ELBO().loss(exact.model, exact.guide, x) + expected.sum().item()) < 1e-10
    estimate = exact.distribution().log_prob_estimate(x, 3)
    torch.testing.assert_close(estimate.value, expected)


def test_divergences_add_up_to_the_gap_between_fit_and_evidence(exact):
    """E[log p(x | z)] - sum of the levels' divergences = log p(x), in expectation over the draws of the upper levels."""
    x = torch.randn(2, 3)
    p = exact.distribution()
    inference = p.infer(x, 3)
    assert isinstance(inference, Inference)
    assert all(isinstance(draw, LevelDraw) for draw in inference.levels.values())
    log_likelihood = exact.decoder(inference.state).log_prob(x)
    at_draws = sum(draw.divergence(closed_form=False) for draw in inference.levels.values())
    torch.testing.assert_close(log_likelihood - at_draws, evidence().log_prob(x).expand(3, 2))


def test_divergence_of_the_top_is_known(exact):
    x = torch.zeros(1, 3)
    found = exact.distribution().divergences(x)
    if exact.levels[1].correction is None:
        return  # from the data up, the top's law depends on a draw
    expected = 1.5 * (TOP_VARIANCE - 1 - math.log(TOP_VARIANCE))
    assert abs(found["z_2"].item() - expected) < 1e-12


def test_unit_divergences_sum_to_the_levels():
    p = top_down_vae((4,), (3, 2), hidden=8).distribution()
    x = p.sample((6,))
    torch.manual_seed(3)
    units = p.unit_divergences(x, 2)
    torch.manual_seed(3)
    whole = p.divergences(x, 2)
    assert list(units) == list(whole) == ["z_2", "z_1"]
    for name, unit in units.items():
        torch.testing.assert_close(unit.sum(), whole[name].mean())


def test_sampled_divergences_of_the_chain_are_those_of_the_law():
    p = EXACT["chain"]().distribution()
    x = torch.randn(5, 3)
    assert {name: unit.shape for name, unit in p.unit_divergences(x, 2).items()} == {"z_2": (3,), "z_1": (3,)}
    assert p.divergences(x, 4)["z_1"].shape == (5,)


def test_density_is_refused_and_says_what_to_call():
    with pytest.raises(DensityUnavailable, match="log_prob_estimate"):
        EXACT["chain"]().distribution().log_prob(torch.zeros(3))


def test_kept_levels_are_kept_and_the_others_drawn():
    p = top_down_vae((4,), (3, 2), hidden=8).distribution()
    assert isinstance(p, HierarchicalLaw)
    top = torch.randn(2)
    draws = p.sample_joint((50,), given={"z_2": top})
    assert torch.equal(draws["z_2"], top.expand(50, 2))
    assert draws["z_1"].std(0).min() > 0
    both = p.sample_joint((2, 5), given={"z_2": torch.randn(5, 2), "z_1": torch.randn(5, 3)})
    assert both["x"].shape == (2, 5, 4)


def test_temperature_shrinks_draws_level_by_level():
    p = top_down_vae((4,), (3, 2), hidden=8).distribution()
    torch.manual_seed(0)
    cold = p.sample_joint((2000,), temperature={"z_2": 1e-6})
    assert cold["z_2"].abs().max() < 1e-4
    assert cold["z_1"].std() > 0.3
    with pytest.raises(ValueError, match=r"`temperature` names sites \['z_3'\]"):
        p.sample(temperature={"z_3": 1.0})
    with pytest.raises(ValueError, match=r"`given` names sites \['y'\]"):
        p.sample_joint(given={"y": torch.zeros(())})
    with pytest.raises(ValueError, match=r"must hold all sites; missing \['z_1'\]"):
        p.log_prior({"z_2": torch.zeros(2)})


def test_sampling_leaves_no_gradient_and_uses_the_given_shape():
    p = top_down_vae((4,), (3, 2), hidden=8).distribution()
    assert not p.sample((2,)).requires_grad
    assert p.log_joint(torch.zeros(4), {"z_1": torch.zeros(3), "z_2": torch.zeros(2)}).shape == ()
    assert "z_2" in repr(p)
