r"""Text as a context: token ids through a small transformer encoder.

.. math::

    h_0 = [s,\ E_{c_1} + p_1, \ldots, E_{c_L} + p_L], \qquad h_{l+1} = \mathrm{block}_l(h_l, m), \qquad
    \text{sequence} = \mathrm{LN}(h_K), \quad \text{vector} = \text{sequence}_0,

with token vectors :math:`E`, position vectors :math:`p` and a learned start :math:`s`. The mask :math:`m` hides padding and
never the start, so a text without tokens still gives something to look at: the null context is a text of padding alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.nn.attention import TransformerBlock
from probgen.nn.conditioning import Conditioning, Conditions, require_indices

__all__ = ["TextConditioning"]


class TextConditioning(Conditioning):
    """Token ids ``[N, length]`` (int64) to a sequence of ``length + 1`` vectors and their summary.

    Args:
        vocabulary: How many token ids there are, padding among them.
        length: Tokens in a text, shorter ones padded.
        width: Width of the vectors.
        layers: How many transformer blocks.
        heads: Attention heads, a divisor of ``width``.
        padding: The id that means "no token".

    Raises:
        ValueError: a size is not positive, or ``padding`` is no id.

    References:
        Nichol et al. (2021). GLIDE: towards photorealistic image generation and editing with text-guided diffusion models.
        https://arxiv.org/abs/2112.10741

    Example:
        >>> import torch
        >>> from probgen.nn import TextConditioning
        >>> conditioning = TextConditioning(vocabulary=20, length=6, width=16, layers=1, heads=2)
        >>> conditions = conditioning(torch.tensor([[4, 7, 2, 0, 0, 0]]))
        >>> conditions.sequence.shape, conditions.mask.int().tolist(), conditioning.null_context.tolist()
        (torch.Size([1, 7, 16]), [[1, 1, 1, 1, 0, 0, 0]], [0, 0, 0, 0, 0, 0])
    """

    def __init__(
        self, vocabulary: int, length: int, width: int = 128, layers: int = 2, heads: int = 4, *, padding: int = 0
    ) -> None:
        if min(vocabulary, length, width) < 1 or layers < 0:
            raise ValueError(
                f"`vocabulary`, `length` and `width` must be positive, `layers` not negative; "
                f"got {vocabulary}, {length}, {width} and {layers}."
            )
        if not 0 <= padding < vocabulary:
            raise ValueError(f"`padding` must lie in 0, ..., {vocabulary - 1}; got {padding}.")
        null = torch.full((length,), padding, dtype=torch.int64)
        super().__init__((length,), null, vector_features=width, sequence_features=width)
        self.vocabulary, self.padding = vocabulary, padding
        self.tokens = nn.Embedding(vocabulary, width)
        self.start = nn.Parameter(torch.randn(width))
        self.positions = nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.normalization = nn.LayerNorm(width)

    def _check_values(self, context: Tensor) -> None:
        require_indices(context, self.vocabulary, "token ids of TextConditioning")

    def _conditions(self, context: Tensor) -> Conditions:
        words = self.tokens(context) + self.positions
        start = self.start.expand(len(context), 1, -1)
        h = torch.cat([start.to(words.dtype), words], dim=1)
        seen = context != self.padding
        mask = torch.cat([torch.ones_like(seen[:, :1]), seen], dim=1)
        for block in self.blocks:
            h = block(h, mask)
        sequence = self.normalization(h)
        return Conditions(vector=sequence[:, 0], sequence=sequence, mask=mask)
