r"""A permutation that is learned: hard in both directions, with the gradient of a soft stand-in.

With scores :math:`S`, the permutation :math:`\pi` of largest total score and its matrix :math:`P`,

.. math::

    y_i = x_{\pi(i)}, \qquad \log|\det J| = 0, \qquad
    \frac{\partial}{\partial S} \mathrel{:=} \frac{\partial}{\partial S} \big(\mathrm{Sinkhorn}_\tau(S)\, x\big).

**What the gradient is.** The map is exactly a permutation, so densities are exact and the inverse is exact. As a function of
:math:`S` it is piecewise constant: its true derivative is zero almost everywhere. The gradient that training sees is that of
another function, the soft permutation (a *straight-through* estimate): biased, and useful where moving toward a better soft
permutation leads to a better hard one. In the inverse direction the stand-in is the transpose. What has been learned can be
frozen by ``to_permutation``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.permutation import Permutation
from probgen.distributions.numerics.assignment import best_assignment, sinkhorn
from probgen.distributions.numerics.linear import full_precision

__all__ = ["LearnedPermutation"]


class LearnedPermutation(Bijector):
    r""":math:`y_i = x_{\pi(i)}` with :math:`\pi` the best assignment of learned scores; straight-through gradient.

    The assignment costs :math:`O(n^3)` a call, on the CPU; it depends on the scores only.

    Args:
        features: Length of the vectors, at least 1.
        temperature: :math:`\tau` of the stand-in. Small: close to the hard permutation, and a gradient that vanishes.
        iterations: Iterations of the stand-in.
        start: "identity", or "random" for random scores.
        generator: Source of randomness.

    Raises:
        ValueError: ``features`` is less than 1, ``temperature`` is not positive, or ``start`` is unknown.

    References:
        Bengio, Léonard, Courville (2013). Estimating or propagating gradients through stochastic neurons.
        https://arxiv.org/abs/1308.3432
        Mena, Belanger, Linderman, Snoek (2018). Learning latent permutations with Gumbel-Sinkhorn networks.
        https://arxiv.org/abs/1802.08665

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LearnedPermutation
        >>> f = LearnedPermutation(3)
        >>> f.scores.data = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> f(torch.tensor([10.0, 20.0, 30.0])).detach(), f.to_permutation()
        (tensor([30., 10., 20.]), Permutation([2, 0, 1]))
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    constant_log_det = True

    def __init__(
        self,
        features: int,
        *,
        temperature: float = 0.5,
        iterations: int = 20,
        start: Literal["identity", "random"] = "random",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if features < 1 or not temperature > 0:
            raise ValueError(f"`features` and `temperature` must be positive; got {features} and {temperature}.")
        if start not in ("identity", "random"):
            raise ValueError(f'`start` must be "identity" or "random"; got {start!r}.')
        self.temperature, self.iterations = float(temperature), iterations
        self.domain_shape = (features,)
        identity = torch.eye(features)
        noise = torch.randn(features, features, generator=generator)
        self.scores = nn.Parameter(0.1 * noise + identity if start == "identity" else noise)

    def to_permutation(self) -> Permutation:
        """The permutation as it is now, fixed."""
        return Permutation(best_assignment(self.scores))

    def extra_repr(self) -> str:
        """Size and temperature."""
        return f"features={self.scores.shape[-1]}, temperature={self.temperature}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        order = best_assignment(self.scores)
        return self._straight_through(x.index_select(-1, order), x, transpose=False), x.new_zeros(x.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        order = best_assignment(self.scores).argsort()
        return self._straight_through(y.index_select(-1, order), y, transpose=True), y.new_zeros(y.shape[:-1])

    def _straight_through(self, hard: Tensor, x: Tensor, *, transpose: bool) -> Tensor:
        """The permuted values, with zero added whose derivative in the scores is that of the soft permutation."""
        with full_precision(x):
            soft = sinkhorn(self.scores.to(x.dtype), temperature=self.temperature, iterations=self.iterations)
            nothing = soft - soft.detach()
            return hard + x @ (nothing if transpose else nothing.mT)
