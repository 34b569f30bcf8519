"""Mu-law codes: reference values, errors of the round trip, every code decodes to itself, densities on waveforms."""

import math

import pytest
import torch

from probgen.distributions import MuLawQuantization


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_of_the_ends_and_of_silence(dtype):
    codec = MuLawQuantization()
    assert codec.encode(torch.tensor([-1.0, 0.0, 1.0], dtype=dtype)).tolist() == [0, 128, 255]
    assert codec.encode(torch.tensor([-3.0, 3.0], dtype=dtype)).tolist() == [0, 255]
    assert codec.encode(torch.tensor([-1, 0, 1])).tolist() == [0, 128, 255]


def test_errors_of_the_round_trip():
    codec, x = MuLawQuantization(), torch.linspace(-1, 1, 200_001, dtype=torch.float64)
    error = (codec.snap(x) - x).abs()
    assert abs(float(error.max()) - 0.02159) < 1e-5
    assert abs(float(error[x.abs() < 0.01].max()) - 0.000297) < 1e-6


@pytest.mark.parametrize("levels", [2, 255, 256, 65536])
def test_every_code_decodes_to_a_number_that_has_it(levels):
    codec, k = MuLawQuantization(levels), torch.arange(levels)
    assert torch.equal(codec.encode(codec.decode(k, torch.float64)), k)


def test_sixteen_bits_survive_in_the_soft_part_only():
    codec = MuLawQuantization()
    soft = torch.arange(-20, 21) / 32768
    assert codec.encode(soft).unique().numel() >= 7
    assert (codec.encode(torch.arange(30000, 30100) / 32768).unique().numel()) <= 2


def test_dtypes():
    codec, k = MuLawQuantization(), torch.tensor([0, 7])
    assert codec.decode(k).dtype == torch.float32
    assert codec.decode(k, torch.float64).dtype == codec.decode(k.double()).dtype == torch.float64
    assert codec.snap(torch.zeros(3).double()).dtype == torch.float64


def test_the_density_on_waveforms_has_mass_one():
    codec = MuLawQuantization(4)
    mass = torch.tensor([0.1, 0.4, 0.3, 0.2]).double()
    edges = codec.quantization.lowest_edge + codec.quantization.width * torch.arange(5)
    x = torch.linspace(-1, 1, 2_000_001).double()
    density = codec.log_density(mass[codec.encode(x)].log(), x.unsqueeze(-1)).exp()
    total = torch.trapezoid(density, x)
    inside = float(mass[1] + mass[2] + (mass[0] + mass[3]) * 0.5)  # half of an outer bin of F(x) lies beyond the ends
    assert float(edges[0]) < -1
    assert abs(float(total) - inside) < 1e-5


def test_the_density_of_a_waveform_is_the_product_of_its_samples():
    torch.manual_seed(0)
    codec, x = MuLawQuantization(16, mu=15.0), torch.rand(3, 7).double() * 2 - 1
    log_mass = torch.randn(16).double().log_softmax(0)[codec.encode(x)]
    whole = codec.log_density(log_mass.sum(-1), x)
    each = codec.log_density(log_mass, x.unsqueeze(-1))
    torch.testing.assert_close(whole, each.sum(-1), rtol=1e-12, atol=1e-12)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`levels` must be at least 2; got 1"):
        MuLawQuantization(1)
    with pytest.raises(ValueError, match="`mu` must be positive"):
        MuLawQuantization(mu=0.0)
    assert math.isclose(MuLawQuantization().quantization.width, 2 / 255)
