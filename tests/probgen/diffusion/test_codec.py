"""Files: round trips, progress, what they cost against the bound, and what is refused."""

import math
import struct

import pyro.distributions as dist
import pytest
import torch

import probgen as pg
from probgen.diffusion import Codec, CodecError, CodingReport, Decoded, Diffusion
from probgen.diffusion.codec_steps import (
    ForwardStep,
    LevelTables,
    forward_step,
    level_tables,
    model_fingerprint,
    reverse_normal,
)
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser, MixtureDenoiser

LEVELS = Quantization(17, -2.0, 2.0)
SIZE = 12


def model(steps=6, std=0.5, decoder=True):
    schedule = pg.diffusion.cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.zeros(SIZE), torch.tensor(std**2))
    return Diffusion(oracle, schedule, (SIZE,), grid=steps, decoder=DiscretizedDecoder(LEVELS) if decoder else None)


def data(n, std=0.5):
    torch.manual_seed(0)
    return LEVELS.snap(std * torch.randn(n, SIZE))


def test_round_trip_is_exact_and_deterministic():
    codec, x = Codec(model(), data(200)), data(5)
    written = codec.encode(x)
    assert written == codec.encode(x)
    read = codec.decode(written)
    assert isinstance(read, Decoded)
    assert read.state == 0
    assert torch.equal(read.x, x)


def test_receiver_has_the_states_of_the_sender_at_every_stop():
    d, x = model(), data(3)
    codec = Codec(d, data(200))
    report = codec.measure(x)
    lossless = codec.decode(report.data)
    errors = []
    for stop in range(len(d.grid), 0, -1):
        read = codec.decode(report.data, stop=stop)
        torch.testing.assert_close(read.x, d.denoiser.mean(read.x_t, float(d.grid.times[stop])))
        errors.append(float((read.x - x).square().mean().sqrt()))
        shorter = codec.encode(x, stop=stop)
        assert len(shorter) < len(report.data)
        assert torch.equal(codec.decode(shorter).x, read.x)
    assert errors == pytest.approx(list(report.distortion[:-1]), rel=1e-5)
    assert errors[-1] < errors[0] / 2
    assert torch.equal(read.x_t, lossless.x_t)


@pytest.mark.statistical(false_alarm=1e-9)
def test_cost_is_the_bound_and_the_stated_overhead():
    """Overhead for each part at most log2(KL + 1) + 4 bits on average; the bound is that of the model, within 20 %."""
    d, x = model(steps=4), data(40)
    codec = Codec(d, data(500))
    report = codec.measure(x)
    assert isinstance(report, CodingReport)
    parts = sum(len(codec._blocks(state)) for state in report.states[:-1])
    allowed = sum(math.log2(rate + 1) + 4 for rate in codec.rates) + 4 * (parts - len(codec.rates))
    assert 0 < report.overhead < allowed
    assert 0 <= 8 * len(report.data) - 248 - sum(report.coded_bits) < 10
    terms = [bits / 40 for bits in report.bound_bits]
    torch.manual_seed(0)
    path = d.chain().posterior(x).sample((50,))
    joint = d.chain().log_prob(torch.cat([x.expand(50, *x.shape).unsqueeze(2), path], 2)) - d.chain().posterior(x).log_prob(
        path
    )
    expected = -float(joint.mean()) / math.log(2)
    assert abs(sum(terms) - expected) < 0.2 * expected
    assert "overhead" in repr(report)


def test_seed_and_calibration():
    d, x = model(), data(2)
    plain, seeded = Codec(d), Codec(d, seed=5)
    assert plain.encode(x) != seeded.encode(x)
    assert torch.equal(plain.decode(seeded.encode(x)).x, x), "the seed is in the file"
    with pytest.raises(CodecError, match="another model"):
        Codec(d, data(100)).decode(plain.encode(x))
    assert Codec(d, data(100)).rates == Codec(d, data(100)).rates


def test_wrong_bytes_are_refused():
    codec = Codec(model())
    written = codec.encode(data(2))
    with pytest.raises(TypeError, match="must be bytes"):
        codec.decode("text")
    with pytest.raises(CodecError, match="no file of this codec"):
        codec.decode(b"PNG" + written)
    with pytest.raises(CodecError, match="damaged or cut"):
        codec.decode(written[:-3])
    flipped = bytearray(written)
    flipped[-4] ^= 1
    with pytest.raises(CodecError, match="damaged or cut"):
        codec.decode(bytes(flipped))
    with pytest.raises(CodecError, match="version 9"):
        codec.decode(written[:4] + struct.pack("<B", 9) + written[5:])
    with pytest.raises(CodecError, match="another model"):
        Codec(model(std=0.6)).decode(written)
    with pytest.raises(CodecError, match=r"`stop` must lie in 3 \.\. 6"):
        codec.decode(codec.encode(data(2), stop=3), stop=1)


def test_no_flipped_bit_goes_unnoticed():
    """Each one, of the header too: number of data, seed and last state steer the decoder."""
    codec = Codec(model(steps=2))
    written = codec.encode(data(1))
    for place in range(8 * len(written)):
        flipped = bytearray(written)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(CodecError):
            codec.decode(bytes(flipped))


@pytest.mark.parametrize("change", [{"parameterization": "eps"}, {"prior": dist.Normal(torch.zeros(SIZE), 2.0).to_event(1)}])
def test_models_that_differ_in_no_weight_are_told_apart(change):
    schedule, network = pg.diffusion.cosine_schedule(), pg.nn.DenoisingMLP(SIZE, hidden=(8,))
    plain, other = (Diffusion(network, schedule, (SIZE,), grid=3, **options) for options in ({}, change))
    with pytest.raises(CodecError, match="another model"):
        Codec(other).decode(Codec(plain).encode(data(1), stop=1))


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_any_event_shape(shape):
    schedule = pg.diffusion.cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.zeros(shape), torch.tensor(1.0))
    codec = Codec(Diffusion(oracle, schedule, shape, grid=3, decoder=DiscretizedDecoder(LEVELS)))
    x = LEVELS.snap(torch.randn(4, *shape))
    assert torch.equal(codec.decode(codec.encode(x)).x, x)
    assert codec.decode(codec.encode(x, stop=2)).x.shape == x.shape


def test_wrong_data_and_models_are_refused():
    codec, x = Codec(model()), data(2)
    with pytest.raises(ValueError, match=r"shape \[n, \*\(12,\)\]"):
        codec.encode(x[0])
    with pytest.raises(ValueError, match="n at least 1"):
        codec.encode(x[:0])
    with pytest.raises(ValueError, match=r"`stop` must lie in 0 \.\. 6"):
        codec.encode(x, stop=7)
    with pytest.raises(ValueError, match="bin centers"):
        codec.encode(x + 0.01)
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="must be finite"):
            codec.encode(x + value, stop=2)
    with pytest.raises(TypeError, match="needs a decoder with levels"):
        Codec(model(decoder=False)).encode(x)
    assert Codec(model(decoder=False)).decode(Codec(model(decoder=False)).encode(x + 0.01, stop=1)).state == 1
    with pytest.raises(ValueError, match="`block_bits` must be positive"):
        Codec(model(), block_bits=0.0)
    with pytest.raises(ValueError, match="`block_bits` must be positive and finite"):
        Codec(model(), block_bits=math.inf)
    with pytest.raises(ValueError, match="`seed` must lie"):
        Codec(model(), seed=-1)


def test_correlated_kernels_are_refused():
    schedule = pg.diffusion.cosine_schedule()
    oracle = MixtureDenoiser(schedule, torch.zeros(1), torch.zeros(1, 2), torch.tensor([[[1.0, 0.5], [0.5, 1.0]]]))
    d = Diffusion(oracle, schedule, (2,), grid=3)
    with pytest.raises(TypeError, match="normal with independent coordinates"):
        Codec(d).encode(torch.zeros(1, 2), stop=1)


def test_laws_of_sender_and_model():
    d, x = model(), data(2)
    step = forward_step(d, 2)
    assert isinstance(step, ForwardStep)
    law = d.process.posterior(x, x / 2, float(d.grid.times[2]), float(d.grid.times[3]))
    torch.testing.assert_close(step.mean(x / 2, x), law.mean)
    assert abs(step.std - float(law.variance.flatten()[0]) ** 0.5) < 1e-6
    mean, std = reverse_normal(d, x, 2)
    torch.testing.assert_close(mean, d.chain().kernel(x, 3).mean)
    assert std.shape == x.shape
    tables = level_tables(d, x)
    assert isinstance(tables, LevelTables)
    probs = torch.tensor(next(tables.rows())[1][0]).diff() / 2**24
    exact = tables.law.base_dist.log_prob(LEVELS.centers()[:, None, None].expand(-1, 2, SIZE)).exp()[:, 0, 0]
    torch.testing.assert_close(probs, exact, atol=1e-5, rtol=0.0)
    assert len(model_fingerprint(d, "")) == 8
