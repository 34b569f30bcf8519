"""Mel spectrograms against scipy's transform, shapes, silence."""

import math

import numpy
import pytest
import torch
from scipy import signal

from probgen.data import mel_filters, mel_spectrogram


def test_agrees_with_scipy():
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(3, 1000, generator=generator, dtype=torch.float64)
    window, hop = 128, 32
    transform = signal.ShortTimeFFT(numpy.hanning(window + 1)[:-1], hop, fs=8000)
    magnitude = numpy.abs(transform.stft(audio.numpy(), p0=0, p1=math.ceil(1000 / hop)))
    expected = numpy.log(
        numpy.maximum(numpy.swapaxes(magnitude, 1, 2) @ mel_filters(rate=8000, window=window, bands=12).numpy(), 1e-5)
    )
    found = mel_spectrogram(audio, rate=8000, window=window, hop=hop, bands=12)
    torch.testing.assert_close(found, torch.from_numpy(expected).mT, atol=1e-9, rtol=1e-9)


def test_a_tone_is_in_its_band():
    for frequency in (300.0, 1000.0, 3000.0):
        tone = torch.sin(2 * math.pi * frequency * torch.arange(4000) / 8000)
        band = int(mel_spectrogram(tone, rate=8000)[:, 30].argmax())
        edges = 700 * (10 ** (torch.linspace(0, 2595 * math.log10(1 + 4000 / 700), 42) / 2595) - 1)
        assert edges[band] - 40 < frequency < edges[band + 2] + 40


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (64, 1), (65, 2), (256, 4), (300, 5)])
def test_one_frame_a_hop(samples, frames):
    assert mel_spectrogram(torch.zeros(2, samples), rate=8000).shape == (2, 40, frames)


def test_silence_is_the_floor_and_nothing_is_refused():
    assert torch.equal(mel_spectrogram(torch.zeros(100), rate=8000, floor=1e-3), torch.full((40, 2), 1e-3).log())
    with pytest.raises(ValueError, match="number of samples must be positive"):
        mel_spectrogram(torch.zeros(0), rate=8000)
    with pytest.raises(ValueError, match="must be positive"):
        mel_spectrogram(torch.zeros(10), rate=8000, hop=0)


def test_refuses_what_would_give_no_numbers():
    audio = torch.zeros(100)
    for settings in ({"rate": 0.0}, {"rate": 8000, "floor": 0.0}, {"rate": float("nan")}):
        with pytest.raises(ValueError, match="`rate` and `floor` must be positive"):
            mel_spectrogram(audio, **settings)
    with pytest.raises(TypeError, match="`audio` must have a floating-point dtype"):
        mel_spectrogram(audio.long(), rate=8000)
