r"""Transformers as laws: of images, pixel after pixel, and of texts, character after character.

.. math:: p(x) = \prod_t p\bigl(x_t \mid \theta_t\bigr), \qquad \theta_t = f\bigl(e(x_{<t}), t\bigr),

where every position attends to all before it, however far away. A draw keeps the keys and values of what was drawn. Codes (of a
``CategoricalElement`` with a number of values) enter through a learned table; everything else linearly.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.autoregressive.parts import layout_of
from probgen.distributions import AutoregressiveLaw, ScaledEmbedding
from probgen.distributions.elements import CategoricalElement, Element
from probgen.distributions.embeddings import Embedding
from probgen.nn.causal import CausalTransformer

__all__ = ["image_gpt", "text_transformer"]


def image_gpt(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    width: int = 64,
    depth: int = 4,
    heads: int = 4,
    dropout: float = 0.0,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
) -> AutoregressiveLaw:
    """A causal transformer over the pixels of an image in raster order; colors of scalar elements come plane after plane.

    Args:
        event_shape: Shape of an event, such as ``(H, W)``.
        element: The law of a position; Bernoulli by default.
        width: Width of the sum of all layers.
        depth: How many blocks.
        heads: Heads of attention, a divisor of ``width``.
        dropout: Probability with which a number is dropped in training.
        context_shape: Trailing shape of a context, or None.
        embedding: How values enter; by default codes by a learned table, all else by ``default_embedding(element)``.

    References:
        Chen, Radford, Child, Wu, Jun, Luan, Sutskever (2020). Generative pretraining from pixels.
        https://proceedings.mlr.press/v119/chen20s.html

    Example:
        >>> import probgen as pg
        >>> pg.autoregressive.image_gpt((4, 4), width=16, depth=1)().sample((5,)).shape
        torch.Size([5, 4, 4])
    """
    codes = element.values if isinstance(element, CategoricalElement) and embedding is None else None
    table = codes if isinstance(codes, int) else None
    layout = layout_of(event_shape, element, ScaledEmbedding() if table is not None else embedding)
    network = CausalTransformer(
        layout.grid,
        layout.element.num_parameters,
        values=table,
        channels=layout.channels,
        width=width,
        depth=depth,
        heads=heads,
        dropout=dropout,
        context_shape=context_shape,
    )
    return AutoregressiveLaw(network, event_shape, layout.element, layout.embedding)


def text_transformer(
    length: int,
    values: int,
    *,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    dropout: float = 0.1,
    positions: str = "rotary",
    tied: bool = True,
    context_shape: Sequence[int] | None = None,
    cross_attention: bool = False,
) -> AutoregressiveLaw:
    """A causal transformer over a sequence of codes: the characters or tokens of a text.

    Args:
        length: Positions of a sequence.
        values: Number of codes; data are integers 0, ..., ``values - 1``.
        width: Width of the sum of all layers.
        depth: How many blocks.
        heads: Heads of attention, a divisor of ``width``.
        dropout: Probability with which a number is dropped in training.
        positions: "rotary", turned queries and keys, or "learned", a vector for each position.
        tied: Whether the table of codes is also the last layer.
        context_shape: Trailing shape of a context, or None.
        cross_attention: Whether the context is a sequence ``[M, F]`` that each block attends to.

    References:
        Radford, Wu, Child, Luan, Amodei, Sutskever (2019). Language models are unsupervised multitask learners.
        https://openai.com/index/better-language-models
        Su, Lu, Pan, Wen, Liu (2021). RoFormer: enhanced transformer with rotary position embedding.
        https://arxiv.org/abs/2104.09864

    Example:
        >>> import probgen as pg
        >>> law = pg.autoregressive.text_transformer(12, values=27, width=16, depth=1)
        >>> law().sample((5,)).shape, law().sample().dtype
        (torch.Size([5, 12]), torch.int64)
    """
    network = CausalTransformer(
        (length,),
        values,
        values=values,
        width=width,
        depth=depth,
        heads=heads,
        dropout=dropout,
        positions=positions,
        tied=tied,
        context_shape=context_shape,
        cross_attention=cross_attention,
    )
    return AutoregressiveLaw(network, (length,), CategoricalElement(values), ScaledEmbedding())
