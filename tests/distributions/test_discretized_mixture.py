"""Mixtures of discretized logistics with dependent colors: mass one, draws that can be scored, tails that live."""

import itertools
import math

import pyro
import pytest
import torch
from torch.distributions import MixtureSameFamily

from probgen.distributions import DiscretizedLogistic, DiscretizedLogisticMixture, Distribution, Quantization
from probgen.distributions.testing import enumerated_mass

TWO_BITS = Quantization(4, -1.0, 1.0)
BYTES = Quantization(256, -1.0, 1.0)


def mixture(levels=TWO_BITS, *batch, channels=3, components=5, dtype=torch.float64, spread=1.0, scale=None):
    generator = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(*batch, *shape, generator=generator, dtype=dtype)

    pairs = channels * (channels - 1) // 2
    shape = (components, channels)
    scales = normal(*shape).exp() * 0.3 if scale is None else torch.full(shape, scale, dtype=dtype)
    return DiscretizedLogisticMixture(
        normal(components),
        spread * normal(components, channels),
        scales.expand(*batch, components, channels),
        levels,
        coefficients=normal(components, pairs) if pairs else None,
    )


@pytest.mark.parametrize("spread", [0.3, 1.0, 50.0])
@pytest.mark.parametrize("scale", [1e-6, 0.1, 3.0, 1e6])
def test_nested_sums_over_three_colors_of_four_levels_are_one(spread, scale):
    law = mixture(spread=spread, scale=scale)
    pixels = torch.tensor(list(itertools.product(TWO_BITS.centers().tolist(), repeat=3)), dtype=torch.float64)
    assert pixels.shape == (64, 3)
    assert float(law.log_prob(pixels).exp().sum()) == pytest.approx(1.0, abs=2e-14)
    assert torch.allclose(enumerated_mass(law), torch.ones(()).double(), atol=2e-14)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_it_is_the_formula_written_out(channels):
    """Four colors tell the place of a coefficient, c (c - 1) / 2 + j, from other formulas that three cannot."""
    law = mixture(channels=channels)
    pixel = TWO_BITS.decode(torch.tensor([3, 0, 2, 1], dtype=torch.float64))[:channels]
    total = 0.0
    for k in range(5):
        mass = float(law.log_weights[k].exp())
        a = [0.0] if law.coefficients is None else law.coefficients[k].tolist()
        pairs = [(later, earlier) for later in range(channels) for earlier in range(later)]  # row by row
        of_pair = dict(zip(pairs, a, strict=False))
        shifts = [sum(of_pair[c, j] * float(pixel[j]) for j in range(c)) for c in range(channels)]
        for channel, shift in enumerate(shifts):
            color = DiscretizedLogistic(law.loc[k, channel] + shift, law.scale[k, channel], TWO_BITS)
            mass *= float(color.log_prob(pixel[channel]).exp())
        total += mass
    assert float(law.log_prob(pixel)) == pytest.approx(math.log(total), abs=1e-13)


def test_levels_need_not_be_centered_at_zero():
    """The same law in other units: x = 1.5 + 1.5 u."""
    law, levels = mixture(), Quantization(4, 0.0, 3.0)
    shifted = DiscretizedLogisticMixture(
        law.logits, 1.5 + 1.5 * law.loc, 1.5 * law.scale, levels, coefficients=law.coefficients
    )
    pixels = law.enumerate_support()
    assert torch.allclose(shifted.log_prob(1.5 + 1.5 * pixels), law.log_prob(pixels), atol=1e-12)


def unchecked(law, logits, loc):
    """The mixture with other logits and locations, without checks."""
    return DiscretizedLogisticMixture(
        logits, loc, law.scale, law.quantization, coefficients=law.coefficients, validate_args=False
    )


def peer_log_prob(loc, log_scale):
    """NVAE's discretized logistic, with its test for the edge, ``x > 0.99``, which also catches level 254."""
    x = BYTES.centers(torch.float64)
    plus = torch.sigmoid((x - loc + 1 / 255) * math.exp(-log_scale))
    minus = torch.sigmoid((x - loc - 1 / 255) * math.exp(-log_scale))
    return torch.where(x < -0.999, plus, torch.where(x > 0.99, 1 - minus, plus - minus))


@pytest.mark.parametrize(("loc", "peer_mass"), [(0.0, 1.27), (1.0, 1.50)])
def test_level_254_is_no_edge(loc, peer_mass):
    assert float(peer_log_prob(loc, 0.0).sum()) == pytest.approx(peer_mass, abs=5e-3)
    one = torch.full((1, 1), loc, dtype=torch.float64)
    law = DiscretizedLogisticMixture(torch.zeros(1).double(), one, torch.ones_like(one), BYTES)
    assert float(law.log_prob(BYTES.centers(torch.float64)[:, None]).exp().sum()) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_are_bin_centers_and_can_be_scored(dtype):
    """PixelCNN++ and its ports return what they drew before rounding: their samples have probability zero."""
    law = mixture(BYTES, 7, dtype=dtype, spread=0.5)
    x = law.sample((40,))
    assert x.dtype == dtype
    assert bool(law.support.check(x).all())
    assert bool(law.log_prob(x).isfinite().all())
    unrounded = law.loc[:, 0] + 0.3 * BYTES.width
    assert bool((unchecked(law, law.logits, law.loc).log_prob(unrounded) == -torch.inf).all())


@pytest.mark.statistical(false_alarm=1e-9)
def test_frequencies_of_pixels_are_their_masses():
    """Chi-square over 64 pixels, 20 000 draws; it sees a total variation of about 5 %."""
    from probgen.distributions.testing.statistics import chi_square_test

    torch.manual_seed(0)
    law = mixture()
    x = law.sample((20_000,))
    index = (TWO_BITS.encode(x) * torch.tensor([16, 4, 1])).sum(-1)
    counts = torch.bincount(index, minlength=64)
    expected = law.log_prob(law.enumerate_support()).exp()
    assert chi_square_test(counts, expected, 1e-9).passed


def test_conditionals_chain_to_the_joint():
    law = mixture(TWO_BITS, 2)
    x = law.sample((9,))
    total = torch.zeros(9, 2).double()
    for channel in range(3):
        conditional = law.conditional(x[..., :channel])
        assert torch.allclose(conditional.probs.sum(-1), torch.ones(()).double())
        total = total + conditional.log_prob(x[..., channel])
    assert torch.allclose(total, law.log_prob(x), atol=1e-12)
    with pytest.raises(ValueError, match="`earlier` must hold fewer than 3 colors; got 3"):
        law.conditional(x)


def test_without_coefficients_colors_are_independent_given_the_component():
    law = mixture(BYTES, 4, channels=1)
    parts = DiscretizedLogistic(law.loc[..., 0], law.scale[..., 0], BYTES)
    listed = MixtureSameFamily(torch.distributions.Categorical(logits=law.logits), parts)
    x = law.sample((6,))
    assert torch.allclose(law.log_prob(x), listed.log_prob(x[..., 0]))
    assert torch.allclose(law.mean[..., 0], listed.mean)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_tails_are_finite_and_have_gradients(dtype):
    law = mixture(BYTES, dtype=dtype, spread=0.0, scale=1e-4)
    loc = law.loc.clone().requires_grad_()
    far = unchecked(law, law.logits, loc)
    x = BYTES.decode(torch.tensor([254, 1, 130])).to(dtype)
    log_prob = far.log_prob(x)
    (grad,) = torch.autograd.grad(log_prob, loc)
    assert -1e5 < float(log_prob.detach()) < -1e3
    assert bool(grad.isfinite().all())
    assert float(grad[:, 0].sum()) > 0


def test_impossible_values_leave_gradients_alone():
    law = mixture()
    logits = law.logits.clone().requires_grad_()
    loose = unchecked(law, logits, law.loc)
    x = torch.tensor([[-1.0, 1.0, 0.1], [-1.0, 1.0, torch.nan], [-1.0, 1.0, -1.0]]).double()
    found = loose.log_prob(x)
    assert float(found[0].detach()) == -torch.inf
    assert bool(found[1].isnan())
    (grad,) = torch.autograd.grad(found[2], logits)
    assert bool(grad.isfinite().all())
    with pytest.raises(ValueError, match="bin centers, 4 levels"):
        law.log_prob(x)


def test_one_site_in_a_plate_and_its_shapes():
    law = mixture(TWO_BITS, 6)
    x = law.sample()

    def model():
        with pyro.plate("data", 6):
            pyro.sample("x", law, obs=x)

    trace = pyro.poutine.trace(model).get_trace()
    assert torch.allclose(trace.log_prob_sum(), law.log_prob(x).sum())
    assert isinstance(law, Distribution)
    assert law.expand((0, 6)).sample((2,)).shape == (2, 0, 6, 3)
    assert law.expand((5, 6)).log_prob(x).shape == (5, 6)


def test_half_precision_is_taken_to_float32():
    law = mixture(BYTES, dtype=torch.float32)
    half = DiscretizedLogisticMixture(law.logits.half(), law.loc.bfloat16(), law.scale.half(), BYTES)
    assert half.loc.dtype == half.sample().dtype == torch.float32


def test_errors():
    k, kc = torch.zeros(5), torch.ones(5, 3)
    with pytest.raises(TypeError, match="`quantization` must be a Quantization"):
        DiscretizedLogisticMixture(k, kc, kc, 256)
    with pytest.raises(ValueError, match=r"`loc` and `scale` \[\*batch, K, C\]; got \(5,\), \(5, 3\) and \(5, 2\)"):
        DiscretizedLogisticMixture(k, kc, kc[:, :2], TWO_BITS)
    with pytest.raises(ValueError, match="one entry for each of 5 components"):
        DiscretizedLogisticMixture(k[:4], kc, kc, TWO_BITS)
    with pytest.raises(ValueError, match=r"`coefficients` must end with \(5, 3\); got shape \(5, 2\)"):
        DiscretizedLogisticMixture(k, kc, kc, TWO_BITS, coefficients=kc[:, :2])
    with pytest.raises(ValueError, match="scale"):
        DiscretizedLogisticMixture(k, kc, -kc, TWO_BITS)
    with pytest.raises(NotImplementedError, match=r"256\^3 pixels; `conditional\(earlier\)` enumerates"):
        mixture(BYTES).enumerate_support()


def test_vmap_and_compile():
    law = mixture(TWO_BITS, 6, dtype=torch.float32)
    x = law.sample((3,))

    def score(logits, loc, x):
        return unchecked(law, logits, loc).log_prob(x)

    expected = law.log_prob(x)
    mapped = torch.vmap(lambda x: score(law.logits, law.loc, x))(x)
    compiled = torch.compile(score, backend="aot_eager", fullgraph=True)(law.logits, law.loc, x)
    assert torch.allclose(mapped, expected, atol=1e-5)
    assert torch.allclose(compiled, expected, atol=1e-5)
