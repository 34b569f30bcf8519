r"""Top-k training: the generator learns from the draws that fare best.

.. math:: L_\text{generator} = \frac1k \sum_{n=1}^{k} \ell_{(n)}, \qquad \ell_{(1)} \le \dots \le \ell_{(N)},
    \qquad k = \max(1, \operatorname{round}(s N))

over the ordered terms of N draws. A draw that the critic finds poor often lies between modes, and its gradient moves it to
no mode in particular. The share s may change during training; it enters as a tensor, so that nothing is read from the device.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mean_of_lowest"]


def mean_of_lowest(terms: Tensor, share: float | Tensor) -> Tensor:
    """The mean of the lowest terms of a batch: a scalar; 0 for an empty one.

    Args:
        terms: A term for every draw, ``[N]``, or for its patches, ``[N, ...]``, over which each draw's mean is taken first.
        share: Which share to keep, in (0, 1]; a number or a scalar tensor.

    References:
        Sinha, Zhao, Goyal, Raffel, Odena (2020). Top-k training of GANs: improving GAN performance by throwing away bad
        samples. https://arxiv.org/abs/2002.06224

    Example:
        >>> import torch
        >>> from probgen.infer.adversarial.best_draws import mean_of_lowest
        >>> mean_of_lowest(torch.tensor([3.0, 1.0, 9.0, 2.0]), 0.5)
        tensor(1.5000)
    """
    number = len(terms)
    each = terms.flatten(1).mean(1) if terms.dim() > 1 else terms
    ordered: Tensor = each.sort().values
    rank = torch.arange(number, device=terms.device)
    if isinstance(share, Tensor):
        kept: float | Tensor = torch.round(share * number).clamp(min=1)
    else:
        kept = max(round(share * number), 1)
    return torch.where(rank < kept, ordered, torch.zeros_like(ordered)).sum() / kept
