"""Discretized laws: mass one for any parameters, gradients that live, draws in the support, the facts about decoders."""

import copy
import math

import pyro
import pyro.distributions as dist
import pytest
import scipy.special
import torch
from pyro import poutine

from probgen.distributions import DiscretizedLogistic, DiscretizedNormal, Mixture, Quantization
from probgen.distributions.testing import enumerated_mass

BYTES = Quantization(256, -1.0, 1.0)
LAWS = [DiscretizedNormal, DiscretizedLogistic]
LOCS = [0.0, 1 / 255, 0.3, -1.0, 1.7, -40.0, 1e4]
SCALES = [1e-12, 1e-6, 1e-3, 0.0039, 0.0078, 0.02, 0.5, 3.0, 1e4, 1e12]


def clamped(loc, scale, x):
    """What ports do: a difference of distribution functions, clamped."""
    law = torch.distributions.Normal(loc, scale)
    return (law.cdf(x + BYTES.width / 2) - law.cdf(x - BYTES.width / 2)).clamp(min=1e-12).log()


@pytest.mark.parametrize("law", LAWS)
def test_mass_is_one_for_any_location_and_scale(law):
    loc, scale = torch.tensor(LOCS, dtype=torch.float64)[:, None], torch.tensor(SCALES, dtype=torch.float64)
    mass = enumerated_mass(law(loc, scale, BYTES))
    assert float((mass - 1).abs().max()) < 3e-15


@pytest.mark.parametrize("law", LAWS)
def test_mass_is_one_in_float32(law):
    loc, scale = torch.tensor(LOCS)[:, None], torch.tensor([1e-6, 1e-3, 0.0078, 0.02, 0.5, 3.0, 1e4])
    mass = enumerated_mass(law(loc, scale, BYTES))
    assert float((mass - 1).abs().max()) < 2e-5  # an edge at 1 is known to 6e-8, that is 6e-5 deviations of 1e-3


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_and_pull_the_location_to_the_value(law, dtype):
    loc = torch.tensor(LOCS, dtype=dtype)[:, None, None].requires_grad_()
    scale = torch.tensor([1e-6, 1e-3, 0.0078, 0.5, 1e4], dtype=dtype)[:, None].requires_grad_()
    x = BYTES.centers(dtype)[1:-1]
    log_prob = law(loc, scale, BYTES).log_prob(x)
    assert bool(log_prob.isfinite().all())
    total = log_prob.sum()
    for grad in torch.autograd.grad(total, (loc, scale)):
        assert bool(grad.isfinite().all())
    wide_loc = loc.detach().expand(log_prob.shape).clone().requires_grad_()
    (grad,) = torch.autograd.grad(law(wide_loc, scale.detach(), BYTES).log_prob(x).sum(), wide_loc)
    outside = (x - wide_loc).abs() > BYTES.width
    assert bool((grad * (x - wide_loc) > 0)[outside].all())


def test_a_clamp_kills_the_gradient_and_this_does_not():
    x, scale = BYTES.decode(torch.tensor(200)), torch.tensor(0.01)
    loc = torch.tensor(0.0, requires_grad=True)
    (dead,) = torch.autograd.grad(clamped(loc, scale, x), loc)
    (alive,) = torch.autograd.grad(DiscretizedNormal(loc, scale, BYTES).log_prob(x), loc)
    assert dead == 0
    assert float(alive) == pytest.approx(float((x - BYTES.width / 2) / scale**2), rel=1e-2)


def test_the_decoder_facts():
    x = BYTES.decode(torch.tensor([100, 128], dtype=torch.float64))
    for scale, bits in ((0.00738, 1.305), (0.01, 1.713)):
        found = -DiscretizedNormal(x, scale, BYTES).log_prob(x) / math.log(2)
        assert torch.allclose(found, torch.full_like(found, bits), atol=5e-4)


def test_normal_is_scipys_difference_in_the_middle():
    loc, scale = torch.tensor(0.1, dtype=torch.float64), 0.3
    x = BYTES.centers(torch.float64)[1:-1]
    cdf = [scipy.special.ndtr(((x + sign * BYTES.width / 2 - loc) / scale).numpy()) for sign in (1, -1)]
    found = DiscretizedNormal(loc, scale, BYTES).log_prob(x)
    assert torch.allclose(found, torch.from_numpy(cdf[0] - cdf[1]).log(), rtol=0, atol=1e-10)


def test_logistic_is_scipys_difference_in_the_middle():
    loc, scale = torch.tensor(0.1, dtype=torch.float64), 0.3
    x = BYTES.centers(torch.float64)[1:-1]
    cdf = [scipy.special.expit(((x + sign * BYTES.width / 2 - loc) / scale).numpy()) for sign in (1, -1)]
    found = DiscretizedLogistic(loc, scale, BYTES).log_prob(x)
    assert torch.allclose(found, torch.from_numpy(cdf[0] - cdf[1]).log(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("law", LAWS)
def test_moments_and_quantiles_agree_with_enumeration(law):
    d = law(torch.tensor([0.2, -3.0], dtype=torch.float64), torch.tensor([0.4, 2.0]), Quantization(9, -1.0, 1.0))
    table = d.log_prob(d.enumerate_support()).exp()
    centers = d.enumerate_support(expand=False)
    assert torch.allclose(d.mean, (table * centers).sum(0))
    assert torch.allclose(d.variance, (table * centers**2).sum(0) - d.mean**2)
    assert torch.allclose(d.entropy(), -(table * table.log()).sum(0))
    assert torch.equal(d.mode, centers.squeeze(-1)[table.argmax(0)])
    assert torch.allclose(d.cdf(centers), table.cumsum(0), atol=1e-14)
    assert torch.equal(d.cdf(torch.tensor([[-1.2], [5.0]])), torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double())
    assert torch.allclose(d.cdf(centers[:-1] + 0.1), d.cdf(centers[:-1]))
    p = torch.tensor([0.001, 0.2, 0.5, 0.9, 0.999], dtype=torch.float64)[:, None]
    quantile = d.icdf(p)
    assert bool((d.cdf(quantile) >= p).all())
    assert bool((d.cdf(quantile - d.quantization.width) < p).all())


@pytest.mark.parametrize("law", LAWS)
def test_draws_are_bin_centers_even_far_outside(law):
    d = law(torch.tensor([-50.0, 0.0, 50.0]), torch.tensor([0.1, 1e-5, 30.0]), BYTES)
    draws = d.sample((1000,))
    assert bool(d.support.check(draws).all())
    assert torch.equal(draws[:, 0], torch.full((1000,), -1.0))
    assert bool(d.log_prob(draws).isfinite().all())


def test_a_value_between_the_centers_is_an_error_or_impossible():
    d = DiscretizedNormal(torch.zeros(2), 1.0, Quantization(3, -1.0, 1.0))
    with pytest.raises(ValueError, match=r"3 levels from -1 to 1 in steps of 1; got 0\.4 \(the nearest is 0\), and 1 of 2"):
        d.log_prob(torch.tensor([0.4, 1.0]))
    with pytest.raises(ValueError, match="got nan, and 1"):
        d.log_prob(torch.tensor([1.0, torch.nan]))
    loose = DiscretizedNormal(torch.zeros(()), 1.0, Quantization(3, -1.0, 1.0), validate_args=False)
    found = loose.log_prob(torch.tensor([0.4, 2.0, torch.nan]))
    assert torch.equal(found[:2], torch.full((2,), -torch.inf))
    assert bool(found[2].isnan())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_taken_to_float32(dtype):
    loc = torch.linspace(-1, 1, 5).to(dtype).requires_grad_()
    d = DiscretizedNormal(loc, torch.tensor(0.05, dtype=dtype), BYTES)
    assert d.sample().dtype == torch.float32
    assert torch.allclose(enumerated_mass(d), torch.ones(5, dtype=torch.float64), atol=1e-5)
    x = BYTES.centers()
    assert torch.equal(d.log_prob(x.to(dtype)[:, None]), d.log_prob(x[:, None]))
    assert torch.autograd.grad(d.log_prob(x[:, None]).sum(), loc)[0].dtype == dtype


def test_other_errors():
    with pytest.raises(TypeError, match="`quantization` must be a Quantization; got int"):
        DiscretizedNormal(0.0, 1.0, 256)
    with pytest.raises(ValueError, match="scale"):
        DiscretizedLogistic(0.0, -1.0, BYTES)
    with pytest.raises(ValueError, match="broadcast"):
        DiscretizedNormal(torch.zeros(2), 1.0, BYTES).log_prob(torch.zeros(3))


def test_integer_data_need_no_conversion_where_levels_are_integers():
    d = DiscretizedLogistic(3.0, 1.0, Quantization(8, 0.0, 7.0))
    assert torch.equal(d.log_prob(torch.arange(8)), d.log_prob(torch.arange(8.0)))


def test_expand_mask_and_event():
    d = DiscretizedNormal(torch.zeros(3, 2), 0.5, BYTES)
    x = d.sample((4,))
    assert d.to_event(1).log_prob(x).shape == (4, 3)
    assert torch.equal(d.expand((5, 3, 2)).loc, torch.zeros(5, 3, 2))
    assert torch.equal(d.mask(torch.tensor([True, False])).log_prob(x)[..., 1], torch.zeros(4, 3))
    assert d.expand((0, 3, 2)).sample().shape == (0, 3, 2)
    assert torch.equal(copy.deepcopy(d).log_prob(x), d.log_prob(x))


def test_as_a_pyro_decoder():
    x = BYTES.snap(torch.linspace(-1, 1, 12).reshape(3, 4))

    def model():
        with pyro.plate("data", 3):
            return pyro.sample("x", DiscretizedNormal(torch.zeros(3, 4), 0.5, BYTES).to_event(1), obs=x)

    expected = DiscretizedNormal(torch.zeros(3, 4), 0.5, BYTES).log_prob(x).sum()
    assert torch.allclose(poutine.trace(model).get_trace().log_prob_sum(), expected)


def test_a_mixture_of_logistics_has_mass_one_and_stays_in_the_support():
    parts = DiscretizedLogistic(torch.linspace(-2, 2, 10).expand(4, 10), torch.logspace(-4, 1, 10), BYTES)
    mixture = dist.MixtureSameFamily(dist.Categorical(logits=torch.randn(4, 10)), parts)
    log_prob = mixture.log_prob(BYTES.centers()[:, None])
    assert torch.allclose(log_prob.logsumexp(0), torch.zeros(4), atol=1e-5)
    assert bool(mixture.support.check(mixture.sample((100,))).all())
    assert mixture.log_prob(mixture.sample((7,))).shape == (7, 4)
    listed = Mixture(
        [DiscretizedLogistic(parts.loc[:, k], parts.scale[:, k], BYTES) for k in range(10)], mixture.mixture_distribution.logits
    )
    assert torch.allclose(listed.log_prob(BYTES.centers()[:, None]), log_prob, atol=1e-5)


def test_report_has_bits_and_no_calibration():
    d = DiscretizedNormal(0.0, 0.3, BYTES)
    report = d.report(d.sample((500,)))
    assert report.calibration is None
    assert report.bits_per_dim == pytest.approx(float(d.entropy()) / math.log(2), abs=0.2)
