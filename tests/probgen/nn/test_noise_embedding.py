"""Features of a noise level."""

import math

import numpy
import pytest
import torch
import torch.nn.functional as F

from probgen.nn import FourierEmbedding, NoiseEmbedding, SinusoidalEmbedding

BOTH = [lambda: SinusoidalEmbedding(16), lambda: FourierEmbedding(16)]
both = pytest.mark.parametrize("make", BOTH, ids=["sinusoidal", "fourier"])


def test_sinusoidal_features_are_those_of_the_paper():
    features = SinusoidalEmbedding(6, limits=(-10.0, 10.0), length=100.0, max_period=1e4)(torch.tensor([8.0, -3.5]).double())
    position = numpy.array([[10.0], [67.5]])  # hundredths of the way from clean to noisy
    angle = position * numpy.array([[1.0, 1e-2, 1e-4]])
    numpy.testing.assert_allclose(features.numpy(), numpy.concatenate([numpy.cos(angle), numpy.sin(angle)], 1), atol=1e-12)


def test_fourier_features_are_those_of_the_paper():
    embedding = FourierEmbedding(8, scale=2.0, limits=(-4.0, 8.0)).double()
    features = embedding(torch.tensor([5.0], dtype=torch.float64))
    angle = 2 * math.pi * 0.5 * embedding.frequency.numpy()  # 5 lies half way from the middle, 2, to the end, 8
    numpy.testing.assert_allclose(features[0].numpy(), numpy.concatenate([numpy.cos(angle), numpy.sin(angle)]), atol=1e-12)


@both
def test_the_limits_are_finite_and_reached(make):
    embedding = make()
    ends = embedding(torch.tensor([math.inf, 20.0, 1e9, -math.inf, -20.0, -1e9]))
    assert ends.isfinite().all()
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[3], ends[5])
    assert not torch.allclose(ends[0], ends[3])
    assert embedding(torch.tensor([math.nan])).isnan().all()  # a mistake stays visible


@both
def test_the_gradient_at_infinity_is_zero(make):
    levels = torch.tensor([math.inf, -math.inf, 1.0], requires_grad=True)
    make()(levels).square().mul(torch.arange(16.0)).sum().backward()
    assert levels.grad[:2].tolist() == [0.0, 0.0]
    assert levels.grad[2].abs() > 0


@both
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtypes(make, shape, dtype):
    features = make()(torch.zeros(shape, dtype=dtype))
    assert features.shape == (*shape, 16)
    assert features.dtype == dtype


@both
def test_neighboring_levels_are_told_apart(make):
    """Every pair of levels 0.5 apart between -15 and 15 differs by a twentieth of the features' norm (sqrt 8) at least."""
    features = make()(torch.linspace(-15, 15, 61).double())
    distance = (features[:, None] - features[None]).norm(dim=-1) + 10 * torch.eye(61)
    assert distance.min() > math.sqrt(8) / 20


@pytest.mark.statistical(false_alarm=1e-9)
def test_fourier_frequencies_are_normal():
    """20 000 draws: the sample deviation is within 6.2 standard errors, 3 %, of the scale."""
    frequency = FourierEmbedding(40_000, scale=3.0).frequency
    assert abs(frequency.std() / 3.0 - 1) < 6.2 / math.sqrt(40_000)
    assert abs(frequency.mean() / 3.0) < 6.2 / math.sqrt(20_000)


def test_fourier_frequencies_are_saved_and_not_trained():
    one, two = FourierEmbedding(8), FourierEmbedding(8)
    assert not torch.equal(one.frequency, two.frequency)
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.frequency, two.frequency)
    assert not list(one.parameters())


@pytest.mark.parametrize("embedding", ["sinusoidal", "fourier"])
def test_the_network_on_top(embedding):
    network = NoiseEmbedding(12, 8, embedding=embedding)
    levels = torch.tensor([0.5, -math.inf])
    base = network.base(levels)
    hidden = F.silu(base @ network.hidden.weight.T + network.hidden.bias)
    torch.testing.assert_close(network(levels), hidden @ network.output.weight.T + network.output.bias)
    assert network(levels.double()).dtype == torch.float32
    assert network.double()(levels).dtype == torch.float64


def test_default_width():
    assert [NoiseEmbedding(features).base.features for features in (1, 16, 60, 128)] == [4, 4, 14, 32]


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="`features` must be an even number of at least 4; got 5"):
        SinusoidalEmbedding(5)
    with pytest.raises(ValueError, match="at least 4; got 2"):
        SinusoidalEmbedding(2)
    with pytest.raises(ValueError, match="at least 2; got 0"):
        FourierEmbedding(0)
    with pytest.raises(ValueError, match="`limits` must be finite"):
        FourierEmbedding(4, limits=(3.0, -3.0))
    with pytest.raises(ValueError, match="`limits` must be finite"):
        SinusoidalEmbedding(4, limits=(-math.inf, 3.0))
    with pytest.raises(ValueError, match="`scale` must be positive"):
        FourierEmbedding(4, scale=0.0)
    with pytest.raises(ValueError, match="`length` and `max_period`"):
        SinusoidalEmbedding(4, length=-1.0)
    with pytest.raises(ValueError, match="'sinusoidal' or 'fourier'; got 'learned'"):
        NoiseEmbedding(8, embedding="learned")
    with pytest.raises(ValueError, match="`features` must be positive"):
        NoiseEmbedding(0)


def test_sizes_are_printed():
    assert "limits=(-20.0, 20.0)" in repr(SinusoidalEmbedding(4))
    assert "scale=4.0" in repr(FourierEmbedding(4))
