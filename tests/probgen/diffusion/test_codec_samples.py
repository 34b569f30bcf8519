"""The sample that a message makes has exactly the sender's law, whatever the cap, and costs about the divergence."""

import math

import pytest
import torch

from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder, SampleCode
from probgen.diffusion.codec_samples import LATTICE_BITS, normal_divergence


def sent(code, q_mean, q_std, p_mean, p_std, n, rate, read_every=50):
    """n samples ``[n, d]`` of one law, their mean cost in bits; some are read back."""
    samples, bits = [], 0.0
    for number in range(n):
        encoder = ArithmeticEncoder()
        y = code.write(encoder, q_mean, q_std, p_mean, p_std, (7, number), rate)
        bits += encoder.information
        samples.append(y)
        if number % read_every == 0:
            decoder = ArithmeticDecoder(encoder.finish())
            assert torch.equal(y, code.read(decoder, q_std, p_mean, p_std, (7, number), rate))
    return torch.stack(samples), bits / n


def distance(u, cdf):
    """Kolmogorov-Smirnov distance of draws from a distribution function."""
    u = cdf(u.sort().values)
    n = len(u)
    grid = torch.arange(n, dtype=u.dtype) / n
    return float(torch.maximum(u - grid, grid + 1 / n - u).max())


def setting(d):
    torch.manual_seed(0)
    q_mean = torch.randn(d, dtype=torch.float64) * (1.2 / d) ** 0.5
    return q_mean, 0.8, torch.zeros(d, dtype=torch.float64), torch.full((d,), 0.9, dtype=torch.float64)


def worst(samples, q_mean, q_std):
    """Distances in the direction in which the weights change most, of the radius, and of one coordinate."""
    u = (samples - q_mean) / q_std
    along = u @ (q_mean / q_mean.norm())
    half = torch.tensor(u.shape[1] / 2, dtype=u.dtype)
    radius = distance(u.square().sum(1), lambda r: torch.special.gammainc(half, r / 2))
    return max(distance(along, torch.special.ndtr), radius, distance(u[:, 0], torch.special.ndtr))


N = 1500
LIMIT = math.sqrt(math.log(2 / 3e-10) / 2 / N)  # exceeded with probability 3e-10 by each of three distances: 0.087


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize(("d", "budget"), [(16, 2.0**16), (16, 3.0), (2, 2.0**16)], ids=["chosen", "joined", "lattice"])
def test_samples_have_the_law_of_the_sender(d, budget):
    """Detects a distribution function that is off by 0.087 anywhere; without the rest it is off by more, see below."""
    q_mean, q_std, p_mean, p_std = setting(d)
    samples, _ = sent(SampleCode(budget), q_mean, q_std, p_mean, p_std, N, 1.0)
    assert worst(samples, q_mean, q_std) < LIMIT


def test_the_test_notices_a_capped_search_without_the_rest(monkeypatch):
    q_mean, q_std, p_mean, p_std = setting(16)
    monkeypatch.setattr(SampleCode, "_is_rest", lambda self, log_weight, log_cap, key: log_cap < 0)
    samples, _ = sent(SampleCode(3.0), q_mean, q_std, p_mean, p_std, N, 1.0)
    assert worst(samples, q_mean, q_std) > 1.3 * LIMIT


@pytest.mark.parametrize("divergence_bits", [1.0, 4.0, 7.0])
def test_cost_is_the_divergence_and_a_little(divergence_bits):
    d = 64
    shift = math.sqrt(2 * divergence_bits * math.log(2) / d)
    q_mean, p_mean, p_std = torch.full((d,), shift), torch.zeros(d), torch.ones(d)
    assert abs(float(normal_divergence(q_mean, 1.0, p_mean, p_std)) / math.log(2) - divergence_bits) < 1e-4
    _, bits = sent(SampleCode(), q_mean, 1.0, p_mean, p_std, 15, divergence_bits)
    assert divergence_bits < bits < divergence_bits + math.log2(divergence_bits + 1) + 4


def test_lattice_costs_half_a_bit_for_every_coordinate():
    """At a large divergence, against the closed form of the overhead; the flag costs 0.0145 bits."""
    q_mean, p_mean, p_std = torch.full((4,), 20.0), torch.zeros(4), torch.full((4,), 30.0)
    divergence = float(normal_divergence(q_mean, 1.0, p_mean, p_std)) / math.log(2)
    _, bits = sent(SampleCode(), q_mean, 1.0, p_mean, p_std, 1500, 100.0)
    digamma = float(torch.digamma(torch.tensor(1.5, dtype=torch.float64)))
    closed = 0.5 * math.log2(2 * math.pi * math.e) - 1 - 0.5 * (digamma / math.log(2) + 1)
    assert abs(closed - LATTICE_BITS) < 1e-9
    assert abs(bits - divergence - 4 * LATTICE_BITS - 0.0145) < 0.2


def test_budget_must_be_positive():
    with pytest.raises(ValueError, match="`budget` must be at least 1"):
        SampleCode(0.5)
