"""Arithmetic coding and the integer codes: what is written is read, at the cost that was promised."""

import math
import random

import pytest

from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder, CodecError
from probgen.diffusion.codec_symbols import (
    frequencies,
    read_cell,
    read_index,
    read_table,
    read_uniform,
    write_cell,
    write_index,
    write_table,
    write_uniform,
)


def test_skewed_symbols_cost_their_information():
    rng = random.Random(0)
    table = frequencies([0.97, 0.02, 0.009, 0.001, 0.0])
    symbols = [*rng.choices(range(4), [0.97, 0.02, 0.009, 0.001], k=5000), 4, 4]
    encoder = ArithmeticEncoder()
    for symbol in symbols:
        write_table(encoder, symbol, table)
    data = encoder.finish()
    expected = sum(-math.log2([0.97, 0.02, 0.009, 0.001, 2**-24][s]) for s in symbols)
    assert abs(encoder.information - expected) < 2.0
    assert encoder.information <= 8 * len(data) < encoder.information + 10, "at most two bits more, and the last byte"
    decoder = ArithmeticDecoder(data)
    assert [read_table(decoder, table) for _ in symbols] == symbols


def test_many_kinds_of_symbols_in_one_message():
    rng = random.Random(1)
    encoder, expected = ArithmeticEncoder(), []
    for _ in range(300):
        value, index = rng.getrandbits(37), 1 + int(rng.expovariate(1) * 1000)
        offset, step, mean, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.01, 3.0), rng.gauss(0, 2), rng.uniform(0.1, 3.0)
        k = round(mean / step + rng.gauss(0, 1) * scale / step)
        write_uniform(encoder, value, 37)
        write_index(encoder, index, 8.0)
        write_cell(encoder, k, offset, step, mean, scale)
        expected.append((value, index, k, (offset, step, mean, scale)))
    decoder = ArithmeticDecoder(encoder.finish())
    for value, index, k, law in expected:
        assert read_uniform(decoder, 37) == value
        assert read_index(decoder, 8.0) == index
        assert read_cell(decoder, *law) == k


@pytest.mark.parametrize("k", [-(10**6), -3, 0, 7, 10**5])
def test_cells_far_from_the_mean_are_spelled_out(k):
    encoder = ArithmeticEncoder()
    write_cell(encoder, k, 0.25, 0.1, 0.0, 1.0)
    assert read_cell(ArithmeticDecoder(encoder.finish()), 0.25, 0.1, 0.0, 1.0) == k


def test_a_cell_costs_its_mass():
    encoder = ArithmeticEncoder()
    write_cell(encoder, 1, 0.0, 1.0, 0.0, 1.0)  # the mass of [0.5, 1.5)
    mass = 0.5 * (math.erf(1.5 / math.sqrt(2)) - math.erf(0.5 / math.sqrt(2)))
    assert abs(encoder.information + math.log2(mass)) < 1e-4


def test_octaves_are_geometric():
    cost = []
    for index in (1, 2, 3, 4, 7, 1000):
        encoder = ArithmeticEncoder()
        write_index(encoder, index, 1.0)
        cost.append(encoder.information)
    assert cost == pytest.approx([1.0, 3.0, 3.0, 5.0, 5.0, 19.0], abs=1e-3)


def test_misuse_and_damage():
    encoder = ArithmeticEncoder()
    with pytest.raises(ValueError, match="`start` < `end`"):
        encoder.write(2, 2, 4)
    with pytest.raises(ValueError, match="`index` must lie"):
        write_index(encoder, 0, 1.0)
    with pytest.raises(CodecError, match="no symbol fits"):
        ArithmeticDecoder(b"\xff" * 8).read(10, lambda target: (0, 1))
    with pytest.raises(CodecError, match="ends too early"):
        read_uniform(ArithmeticDecoder(b""), 1600)
