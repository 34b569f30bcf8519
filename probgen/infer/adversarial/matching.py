r"""Matching-aware critics: data with a wrong context count as draws.

.. math:: L_\text{critic} = \mathbb E_{p(x, c)}[\ell_p(v)] + \tfrac12 \mathbb E_{q(x \mid c)\, p(c)}[\ell_q(v)]
    + \tfrac12 \mathbb E_{p(x)\, p(c)}[\ell_q(v)]

A critic that only tells data from draws may ignore the context as long as the draws look poor; this one is told at once that
the context matters. It compares the data with the *mixture* :math:`m = \frac12 q(x \mid c) + \frac12 p(x)`, so the game no
longer ends at :math:`q = p` exactly but at laws that are sharper in the context wherever contexts overlap: a generator does
well to leave out what :math:`p(x)` supplies.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["other_contexts", "wrong_outputs"]


def other_contexts(context: Tensor) -> Tensor:
    """Every example gets the context of the one before it, the first that of the last.

    Args:
        context: Shape ``[N, ...]``.

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial.matching import other_contexts
        >>> other_contexts(torch.tensor([1, 2, 3]))
        tensor([3, 1, 2])
    """
    return context.roll(1, 0)


def wrong_outputs(of_wrong: Tensor, of_fake: Tensor, context: Tensor) -> Tensor:
    """The critic's outputs on data with another's context; where the two contexts are the same, the draw's stands in.

    Args:
        of_wrong: Outputs on data with :func:`other_contexts`, ``[N, ...]``.
        of_fake: Outputs on draws, the same shape.
        context: The right contexts, ``[N, ...]``.

    References:
        Reed, Akata, Yan, Logeswaran, Schiele, Lee (2016). Generative adversarial text to image synthesis.
        https://arxiv.org/abs/1605.05396

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial.matching import wrong_outputs
        >>> wrong_outputs(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0, -2.0, -3.0]), torch.tensor([7, 7, 8]))
        tensor([ 1., -2.,  3.])
    """
    agree = context == other_contexts(context)
    same = agree.flatten(1).all(1) if agree.dim() > 1 else agree
    return torch.where(same.reshape(-1, *(1,) * (of_wrong.dim() - 1)), of_fake, of_wrong)
