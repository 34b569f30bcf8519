r"""The two games of Goodfellow et al.: one zero-sum, one with a generator's loss of its own.

The critic's output is a logit, :math:`D = \sigma(v)`, and the critic minimizes the cross entropy,

.. math:: -V = \mathbb E_p[\operatorname{softplus}(-v)] + \mathbb E_q[\operatorname{softplus}(v)],
    \qquad \max_v V = 2\,\mathrm{JS}(p, q) - \log 4, \qquad v^* = \log \tfrac{p}{q}.

The generator of the zero-sum game minimizes :math:`V`, whose gradient vanishes where the critic is sure,
:math:`\partial_v(-\operatorname{softplus}(v)) = -\sigma(v) \to 0` as :math:`v \to -\infty`. The non-saturating generator
minimizes :math:`\operatorname{softplus}(-v)` instead: its slope there is :math:`-1`, in floating point too.
"""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import softplus

from probgen.infer.divergences.divergence import PointwiseDivergence

__all__ = ["Minimax", "NonSaturating"]


class _CrossEntropy(PointwiseDivergence):
    """The critic of both games (abstract)."""

    def data_term(self, output: Tensor) -> Tensor:
        r""":math:`-\log D = \operatorname{softplus}(-v)`."""
        return softplus(-output)

    def draw_term(self, output: Tensor) -> Tensor:
        r""":math:`-\log(1 - D) = \operatorname{softplus}(v)`."""
        return softplus(output)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        r"""A lower bound of the Jensen–Shannon divergence in nats: :math:`(V + \log 4)/2`."""
        return (math.log(4) - self.critic_loss(real, fake)) / 2

    def log_ratio(self, output: Tensor) -> Tensor:
        """The output itself: it is a logit."""
        return output

    def best_output(self, log_ratio: Tensor) -> Tensor:
        """The log-ratio itself."""
        return log_ratio


class Minimax(_CrossEntropy):
    r"""The zero-sum game :math:`\min_q \max_D V`: the generator minimizes :math:`\mathbb E_q[\log(1 - D)]`, which saturates.

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

    Example:
        >>> import torch
        >>> from probgen.infer import Minimax
        >>> v = torch.tensor(-30.0, requires_grad=True)  # the critic is sure that this is a draw
        >>> torch.autograd.grad(Minimax().generator_loss(v), v)[0].abs() < 1e-12
        tensor(True)
    """

    def generator_term(self, output: Tensor) -> Tensor:
        r""":math:`\log(1 - D) = -\operatorname{softplus}(v)`."""
        return -softplus(output)


class NonSaturating(_CrossEntropy):
    r"""The game of practice: the generator minimizes :math:`-\mathbb E_q[\log D]`; it is not zero-sum.

    With the best critic the generator's gradient is that of :math:`\mathrm{KL}(q \,\|\, p) - 2\,\mathrm{JS}(p, q)` (Arjovsky,
    Bottou 2017).

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

        Arjovsky, Bottou (2017). Towards principled methods for training GANs. https://arxiv.org/abs/1701.04862

    Example:
        >>> import torch
        >>> from probgen.infer import NonSaturating
        >>> v = torch.tensor(-30.0, requires_grad=True)
        >>> torch.autograd.grad(NonSaturating().generator_loss(v), v)
        (tensor(-1.),)
    """

    def generator_term(self, output: Tensor) -> Tensor:
        r""":math:`-\log D = \operatorname{softplus}(-v)`."""
        return softplus(-output)
