"""Quantization: integers to bin centers and back, constants, and what is refused."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from probgen.distributions import Quantization
from probgen.distributions.quantization import BinCenters


@given(levels=st.integers(2, 5000), low=st.floats(-100, 100), span=st.floats(1e-2, 100))
def test_every_level_comes_back(levels, low, span):
    quantization = Quantization(levels, low, low + span)
    k = torch.arange(levels)
    centers = quantization.decode(k, torch.float64)
    assert torch.equal(quantization.encode(centers), k)
    assert torch.equal(quantization.encode(centers + 0.49 * quantization.width), k)
    assert torch.equal(quantization.snap(centers - 0.49 * quantization.width), centers)
    assert bool(BinCenters(quantization).check(centers).all())
    assert not bool(BinCenters(quantization).check(centers + 0.3 * quantization.width).any())


def test_bytes_as_diffusion_sees_them_and_as_flows_do():
    symmetric, unit = Quantization(256, -1.0, 1.0), Quantization.from_cells(256)
    assert symmetric.width == pytest.approx(2 / 255)
    assert symmetric.density_bits == pytest.approx(math.log2(127.5))
    assert unit.density_bits == pytest.approx(8.0)
    assert Quantization.from_cells(256, -1.0, 1.0).density_bits == pytest.approx(7.0)
    assert unit.uniform_bits == 8.0
    assert unit.lowest_edge == pytest.approx(0.0, abs=1e-18)
    k = torch.arange(256)
    assert torch.allclose(symmetric.decode(k), k / 127.5 - 1, atol=1e-7)
    assert torch.allclose(unit.decode(k), (k + 0.5) / 256)


def test_values_beyond_the_ends_go_to_the_ends():
    quantization = Quantization(4, 0.0, 3.0)
    assert quantization.encode(torch.tensor([-1e9, -0.6, 2.6, torch.inf])).tolist() == [0, 0, 3, 3]
    assert quantization.encode(torch.tensor([0, 2, 9])).tolist() == [0, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dequantized_levels_come_back_and_fill_the_bins(dtype):
    quantization = Quantization(256, -1.0, 1.0)
    k = torch.arange(256).repeat(50)
    x = quantization.dequantize(k, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert x.dtype == dtype
    assert torch.equal(quantization.encode(x), k)
    offset = (x.double() - quantization.decode(k, torch.float64)) / quantization.width
    assert float(offset.min()) < -0.499
    assert float(offset.max()) > 0.499


def test_dtypes_are_kept():
    quantization = Quantization(5, -1.0, 1.0)
    assert quantization.snap(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64
    assert quantization.decode(torch.arange(3)).dtype == torch.get_default_dtype()
    assert quantization.centers(torch.float64).dtype == torch.float64
    assert quantization.level(torch.tensor(torch.nan)).isnan()


def test_it_is_a_value():
    quantization = Quantization(5, -1.0, 1.0)
    assert quantization == Quantization(5, -1.0, 1.0)
    assert len({quantization, Quantization(5, -1.0, 1.0)}) == 1
    assert BinCenters(quantization) == BinCenters(Quantization(5, -1.0, 1.0))
    assert len({BinCenters(quantization), BinCenters(Quantization(5, -1.0, 1.0))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        quantization.levels = 6


@pytest.mark.parametrize("levels", [0, 1])
def test_too_few_levels(levels):
    with pytest.raises(ValueError, match=f"`levels` must be at least 2; got {levels}"):
        Quantization(levels, 0.0, 1.0)
    with pytest.raises(ValueError, match=f"`levels` must be at least 2; got {levels}"):
        Quantization.from_cells(levels)


def test_other_errors():
    for low, high in ((1.0, 1.0), (2.0, 1.0), (0.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="`low` must be below `high`"):
            Quantization(4, low, high)
    with pytest.raises(ValueError, match=r"at most 419430 in torch\.float32 on this interval; got 1048576"):
        Quantization.from_cells(2**20).dequantize(torch.zeros(2))
