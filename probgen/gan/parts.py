"""What every recipe returns, and what recipes share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.nn import Conditioning

__all__ = ["GAN", "law_of", "own_conditioning", "packed_shape"]


class GAN(NamedTuple):
    """A generator's law and a critic: the two arguments of ``infer.Adversarial(divergence)``.

    Attributes:
        law: The law that is learned; called with a context where it takes one.
        critic: From events (and contexts) to outputs.

    Example:
        >>> import probgen as pg
        >>> loss = pg.infer.Adversarial(pg.infer.NonSaturating())(*pg.gan.mlp_gan((2,)))
        >>> list(loss.players)
        ['critic', 'generator']
    """

    law: ImplicitLaw
    critic: nn.Module


def law_of(
    generator: nn.Module, noise_features: int, event_shape: Sequence[int], conditioning: Conditioning | None
) -> ImplicitLaw:
    """The law of a generator with standard normal noise and, with a conditioning, a context.

    Args:
        generator: From noise, and a context, to events.
        noise_features: Width of the noise.
        event_shape: Shape of an event.
        conditioning: What the generator reads its context with, or None.

    Example:
        >>> import torch
        >>> from probgen.gan.parts import law_of
        >>> law_of(torch.nn.Linear(4, 2), 4, (2,), None)().sample((3,)).shape
        torch.Size([3, 2])
    """
    shape = None if conditioning is None else conditioning.context_shape
    return ImplicitLaw(standard_normal(noise_features), generator, event_shape, context_shape=shape)


def own_conditioning(conditioning: Conditioning | None, packing: int = 1) -> Conditioning | None:
    """A conditioning for the critic: two players must not share parameters, so it gets a copy.

    Args:
        conditioning: The generator's, or None.
        packing: Events that the critic judges at once.

    Raises:
        ValueError: packs and contexts are both wanted: a conditioning reads one context, a pack has several.

    Example:
        >>> from probgen.gan.parts import own_conditioning
        >>> from probgen.nn import ClassConditioning
        >>> mine = ClassConditioning(10, features=8)
        >>> own_conditioning(mine).embedding.weight is mine.embedding.weight
        False
    """
    if conditioning is not None and packing > 1:
        raise ValueError(f"`packing` must be 1 with a `conditioning`, which reads one context and not {packing}.")
    return copy.deepcopy(conditioning)


def packed_shape(event_shape: Sequence[int], packing: int) -> tuple[int, ...]:
    """The shape of a pack of events, which a critic sees under ``Adversarial(packing=...)``.

    Args:
        event_shape: Shape of an event.
        packing: Events of a pack.

    Raises:
        ValueError: ``packing`` is not positive, or there is no first dimension to pack along.

    Example:
        >>> from probgen.gan.parts import packed_shape
        >>> packed_shape((1, 28, 28), 3)
        (3, 28, 28)
    """
    if packing < 1:
        raise ValueError(f"`packing` must be at least 1; got {packing}.")
    shape = tuple(event_shape)
    if packing == 1:
        return shape
    if not shape:
        raise ValueError(f"`packing` must be 1 for events without dimensions; got {packing}.")
    return (packing * shape[0], *shape[1:])
