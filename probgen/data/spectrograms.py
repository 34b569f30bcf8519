r"""Mel spectrograms: how much power a sound has, in bands that are equally wide to the ear, over time.

With frames of ``window`` samples every ``hop`` samples, a Hann weighting :math:`h` and triangles :math:`B_{mk}` whose centers
are equally spaced on the mel scale :math:`m = 2595 \log_{10}(1 + f / 700)`,

.. math::

    S_{mt} = \log \max\Bigl(\sum_k B_{mk} \Bigl|\sum_n h_n\, x_{ta + n - w/2}\, e^{-2 \pi i k n / w}\Bigr|,\ \epsilon\Bigr),

where :math:`a` is the hop and :math:`w` the window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["mel_filters", "mel_spectrogram"]


def mel_spectrogram(
    audio: Tensor, *, rate: float, window: int = 256, hop: int = 64, bands: int = 40, floor: float = 1e-5
) -> Tensor:
    """Log-magnitudes of mel bands, one frame for every ``hop`` samples.

    Args:
        audio: Samples in [-1, 1], ``[*batch, samples]``; frames are centered, with zeros beyond the ends.
        rate: Samples per second.
        window: Length of a frame in samples.
        hop: Samples from a frame to the next one.
        bands: Number of mel bands, from 0 to half the rate.
        floor: The smallest magnitude that is told from silence.

    Returns:
        ``[*batch, bands, ceil(samples / hop)]``, natural logarithms.

    Raises:
        ValueError: a size, the rate or the floor is not positive, or there are no samples.
        TypeError: the samples are no floating-point numbers.

    References:
        Stevens, Volkmann, Newman (1937). A scale for the measurement of the psychological magnitude pitch.
        https://doi.org/10.1121/1.1915893

    Example:
        >>> import math, torch
        >>> from probgen.data import mel_spectrogram
        >>> tone = torch.sin(2 * math.pi * 1000 * torch.arange(800) / 8000)
        >>> found = mel_spectrogram(tone, rate=8000)
        >>> found.shape, int(found[:, 6].argmax())
        (torch.Size([40, 13]), 18)
    """
    if min(window, hop, bands) < 1 or audio.dim() < 1 or audio.shape[-1] < 1:
        raise ValueError(
            f"`window`, `hop`, `bands` and the number of samples must be positive; got {window}, {hop}, {bands} and "
            f"audio of shape {tuple(audio.shape)}."
        )
    if not rate > 0 or not floor > 0:
        raise ValueError(f"`rate` and `floor` must be positive; got {rate} and {floor}.")
    if not audio.is_floating_point():
        raise TypeError(f"`audio` must have a floating-point dtype, samples in [-1, 1]; got {audio.dtype}.")
    frames = math.ceil(audio.shape[-1] / hop)
    rows = audio.reshape(-1, audio.shape[-1])
    length = (frames - 1) * hop + window
    left = window // 2
    padded = torch.nn.functional.pad(rows, (left, max(length - left - rows.shape[-1], 0)))[:, :length]
    pieces = padded.unfold(-1, window, hop) * torch.hann_window(window, dtype=audio.dtype, device=audio.device)
    magnitude = torch.fft.rfft(pieces).abs()
    power = magnitude @ mel_filters(rate=rate, window=window, bands=bands).to(magnitude)
    logarithms: Tensor = power.clamp(min=floor).log().mT
    return logarithms.reshape(*audio.shape[:-1], bands, frames)


def mel_filters(*, rate: float, window: int, bands: int) -> Tensor:
    """The triangles that sum the bins of a spectrum into mel bands, each of height one.

    Args:
        rate: Samples per second.
        window: Length of a frame in samples.
        bands: Number of bands.

    Returns:
        ``[window // 2 + 1, bands]``, float64.

    Example:
        >>> from probgen.data import mel_filters
        >>> filters = mel_filters(rate=8000, window=256, bands=20)
        >>> filters.shape, bool((filters.sum(0) > 0).all())
        (torch.Size([129, 20]), True)
    """
    highest = 2595.0 * math.log10(1.0 + rate / 2 / 700.0)
    edges = 700.0 * (10.0 ** (torch.linspace(0, highest, bands + 2, dtype=torch.float64) / 2595.0) - 1.0)
    bins = torch.arange(window // 2 + 1, dtype=torch.float64).unsqueeze(1) * rate / window
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)
