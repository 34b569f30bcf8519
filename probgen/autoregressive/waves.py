r"""WaveNet as a law of sequences: dilated causal convolutions, sample after sample.

.. math:: p(x \mid c) = \prod_t p\bigl(x_t \mid \theta_t(x_{t - R + 1}, \dots, x_{t-1}, c)\bigr),

with a receptive field of :math:`R = 1 + \text{stacks} \cdot (k - 1)(2^L - 1)` values. Sound enters as codes on a logarithmic
scale (the mu-law) with a categorical law, or as levels with a mixture of discretized logistics.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.autoregressive.parts import layout_of
from probgen.distributions import AutoregressiveLaw, ScaledEmbedding
from probgen.distributions.elements import CategoricalElement, Element
from probgen.distributions.embeddings import Embedding
from probgen.nn import WaveNet

__all__ = ["wave_net"]


def wave_net(
    length: int,
    element: Element | None = None,
    *,
    dilations: int = 10,
    stacks: int = 2,
    kernel_size: int = 2,
    channels: int = 32,
    skip_channels: int | None = None,
    context_shape: Sequence[int] | None = None,
    local_shape: tuple[int, int] | None = None,
    embedding: Embedding | None = None,
) -> AutoregressiveLaw:
    """Dilated causal convolutions over a sequence.

    Args:
        length: Positions of a sequence.
        element: The law of a position; by default one of 256 codes.
        dilations: Layers of a stack, with dilations 1, 2, 4, ...
        stacks: How often that is repeated.
        kernel_size: Taps of each convolution.
        channels: Channels of the layers.
        skip_channels: Channels of the sum over layers; None for twice ``channels``.
        context_shape: Shape of a context of the whole sequence, such as a speaker, or None.
        local_shape: (channels, frames) of a context that changes along the sequence, or None.
        embedding: How values enter; by default codes by a learned table, all else by ``default_embedding(element)``.

    References:
        van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior, Kavukcuoglu (2016). WaveNet: a generative
        model for raw audio. https://arxiv.org/abs/1609.03499

    Example:
        >>> import probgen as pg
        >>> law = pg.autoregressive.wave_net(20, dilations=3, stacks=1, channels=4)
        >>> law.network.receptive_field, law().sample((2,)).shape
        (8, torch.Size([2, 20]))
    """
    element = CategoricalElement(256) if element is None else element
    codes = element.values if isinstance(element, CategoricalElement) and embedding is None else None
    table = codes if isinstance(codes, int) else None
    layout = layout_of((*element.event_shape, length), element, ScaledEmbedding() if table is not None else embedding)
    network = WaveNet(
        length,
        element.num_parameters,
        values=table,
        inputs=layout.channels,
        dilations=dilations,
        stacks=stacks,
        kernel_size=kernel_size,
        channels=channels,
        skip_channels=skip_channels,
        context_shape=context_shape,
        local_shape=local_shape,
    )
    return AutoregressiveLaw(network, (*element.event_shape, length), element, layout.embedding)
