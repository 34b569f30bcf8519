r"""WaveGlow: a flow from noise to a waveform, all samples at once, told a spectrogram.

A wave of :math:`T` samples is grouped into :math:`g` channels of :math:`T / g` positions. Each step mixes the channels by an
invertible 1x1 convolution and transforms half of them by an affine coupling whose network looks both ways and sees the
spectrogram. After some steps two channels leave the flow (*early outputs*): they are standard normal already.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.distributions.bijectors import (
    ActNorm,
    Affine,
    Along,
    Bijector,
    Compose,
    EmbeddedContext,
    FactorOut,
    LULinear,
    Reshape,
    SplitCoupling,
    Squeeze,
)
from probgen.nn.flows import DilatedConditioner, UpsampledFrames

__all__ = ["wave_glow"]


def wave_glow(
    length: int,
    *,
    context_shape: Sequence[int] | None = None,
    group: int = 8,
    steps: int = 12,
    early_every: int = 4,
    early_size: int = 2,
    channels: int = 256,
    layers: int = 8,
    kernel_size: int = 3,
    features: int = 64,
) -> Bijector:
    r"""The flow of Prenger et al. (2019), from a flat latent ``[length]`` to a wave ``[length]``.

    Its parameters do not depend on the length: build it again for another length and load the state. All samples of a wave are
    drawn at once; temperatures below one (the paper draws with 0.6) are a base of smaller deviation. Call ``initialize_from``
    with a batch of waves before training: it takes their scale.

    Args:
        length: Samples of a wave, a multiple of ``group``.
        context_shape: ``(features, frames)``, a spectrogram of which every frame stands for ``length / frames`` samples;
            ``(features,)``, one vector such as a speaker; None for none.
        group: Samples of a group: the channels of the flow.
        steps: Steps of mixing and coupling.
        early_every: After how many steps channels leave the flow.
        early_size: How many leave at once.
        channels: Hidden channels of the networks (the paper: 512, later 256).
        layers: Layers of the networks.
        kernel_size: Length of their kernels, odd.
        features: How many features of every position a spectrogram becomes, by a transposed convolution.

    Returns:
        A bijector of :math:`\mathbb{R}^\mathrm{length}`, exact and fast both ways.

    Raises:
        ValueError: a size is not positive, the lengths don't divide, or fewer than two channels would be left.

    References:
        Prenger, Valle, Catanzaro (2019). WaveGlow: a flow-based generative network for speech synthesis.
        https://arxiv.org/abs/1811.00002

    Example:
        >>> import torch
        >>> from probgen.flows import wave_glow
        >>> flow = wave_glow(64, context_shape=(5, 4), steps=4, early_every=2, channels=8, layers=2)
        >>> flow(torch.randn(3, 64), torch.randn(3, 5, 4)).shape
        torch.Size([3, 64])
    """
    left = group - early_size * ((steps - 1) // max(early_every, 1))
    if min(length, group, steps, early_every, early_size) < 1 or length % group or left < 2:
        raise ValueError(
            "`length` must be a multiple of `group`, sizes positive, and two channels left at the end; "
            f"got length {length}, group {group}, {steps} steps, {early_size} channels out every {early_every}."
        )
    positions, told = length // group, _embedding(length // group, features, context_shape)
    inner_shape = context_shape if told is None else (features, positions)

    def step(width: int) -> list[Bijector]:
        sizes = (width // 2, width - width // 2)
        network = DilatedConditioner(
            sizes[0], 2 * sizes[1], channels=channels, layers=layers, kernel_size=kernel_size, context_shape=inner_shape
        )
        mixing = Along(LULinear(width, loc=False, start="rotation").inv, -2)
        return [SplitCoupling(Affine(), network, sizes, dim=-2, context_shape=inner_shape), mixing]

    flow: Bijector = Reshape((left * positions,), (left, positions))
    for index in reversed(range(steps)):  # from noise to data: the last step of the analysis first
        width = group - early_size * (index // early_every)
        flow = Compose(flow, *step(width))
        if index and index % early_every == 0:
            flow = FactorOut(flow, (early_size, positions))
    flow = Compose(flow, Squeeze((group,)).inv, ActNorm((1, 1)), Reshape((1, length), (length,)))
    return flow if told is None or context_shape is None else EmbeddedContext(flow, told, context_shape)


def _embedding(positions: int, features: int, context_shape: Sequence[int] | None) -> UpsampledFrames | None:
    """The network that brings a spectrogram to the flow's rate; None where there is none."""
    if context_shape is None or len(context_shape) != 2:
        return None
    bands, frames = context_shape
    if frames < 1 or positions % frames:
        raise ValueError(
            f"`length` must be a multiple of `group` times the number of frames; got {positions} groups, {frames}."
        )
    factor = positions // frames
    return UpsampledFrames(bands, features, factor=factor, width=5 if factor % 2 else 4)  # so that the kernel is centered
