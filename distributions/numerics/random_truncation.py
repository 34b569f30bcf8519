r"""Russian roulette: an infinite series, cut at random, with the right expectation.

Let :math:`N \ge n` be a random number of terms, of which the first :math:`n` are always there. If
:math:`\sum_k \mathbb E|a_k| < \infty`, then

.. math::

    \hat S = \sum_{k=1}^{N} \frac{a_k}{P(N \ge k)}, \qquad
    \mathbb E \hat S = \sum_{k=1}^\infty \frac{\mathbb E[\mathbf 1_{N \ge k}]}{P(N \ge k)}\, a_k = \sum_{k=1}^\infty a_k .

The price is variance,

.. math:: \operatorname{Var} \hat S = \sum_{k > n} a_k \Bigl(\frac{1}{P(N \ge k)} - 1\Bigr)
    \Bigl(a_k + 2 \sum_{j > k} a_j\Bigr) ,

which for :math:`|a_k| \sim \rho^k` and a *geometric* number of terms, with probability :math:`q` of going on, is finite exactly
if :math:`\rho^2 < q`. For a *Poisson* number of terms :math:`P(N \ge n + j) \approx \lambda^j e^{-\lambda} / j!` falls faster
than any power, so the variance is infinite for every series that does not end: rare, enormous values. The derivation stands in
``docs/derivations/flow-residual.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["RandomTruncation"]


@dataclass(frozen=True)
class RandomTruncation:
    r"""The law of the number of terms :math:`N = n + M`.

    Attributes:
        exact_terms: The :math:`n` terms that are always there, at least 0.
        kind: "geometric", :math:`P(M \ge j) = q^j`, or "poisson", :math:`M \sim \mathrm{Poisson}(\lambda)`.
        parameter: The probability :math:`q` of going on, in (0, 1), or the mean :math:`\lambda`, positive.

    Raises:
        ValueError: a number is out of range.

    References:
        Kahn (1955). Use of different Monte Carlo sampling techniques. RAND P-766.
        Chen, Behrmann, Duvenaud, Jacobsen (2019). Residual flows for invertible generative modeling.
        https://arxiv.org/abs/1906.02735

    Example:
        >>> from probgen.distributions.numerics.random_truncation import RandomTruncation
        >>> law = RandomTruncation(2, "geometric", 0.5)
        >>> law.mean, [law.survival(k) for k in (1, 2, 3, 4)]
        (3.0, [1.0, 1.0, 0.5, 0.25])
    """

    exact_terms: int = 2
    kind: Literal["geometric", "poisson"] = "geometric"
    parameter: float = 0.5

    def __post_init__(self) -> None:
        if self.exact_terms < 0:
            raise ValueError(f"`exact_terms` must not be negative; got {self.exact_terms}.")
        if self.kind not in ("geometric", "poisson"):
            raise ValueError(f"`kind` must be 'geometric' or 'poisson'; got {self.kind!r}.")
        if not 0.0 < self.parameter < (1.0 if self.kind == "geometric" else math.inf):
            raise ValueError(f"`parameter` must be in (0, 1) for a geometric law, else positive; got {self.parameter}.")

    @property
    def mean(self) -> float:
        """The expected number of terms."""
        q = self.parameter
        return self.exact_terms + (q / (1.0 - q) if self.kind == "geometric" else q)

    def survival(self, term: int) -> float:
        r""":math:`P(N \ge k)`, positive for every k.

        Args:
            term: The :math:`k`, counted from 1.
        """
        extra = term - self.exact_terms
        if extra <= 0:
            return 1.0
        if self.kind == "geometric":
            return self.parameter**extra
        at_least = torch.special.gammainc(*torch.tensor([extra, self.parameter], dtype=torch.float64))
        return float(at_least)

    def draw(
        self, shape: Sequence[int], *, device: torch.device | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Independent numbers of terms, int64, of the given shape.

        Args:
            shape: Shape of the draws.
            device: Where they are drawn.
            generator: The source of randomness; torch's global one if None.
        """
        if self.kind == "poisson":
            rates = torch.full(tuple(shape), self.parameter, dtype=torch.float64, device=device)
            return self.exact_terms + torch.poisson(rates, generator=generator).long()
        uniform = torch.rand(tuple(shape), dtype=torch.float64, device=device, generator=generator)  # in [0, 1)
        return self.exact_terms + (torch.log1p(-uniform) / math.log(self.parameter)).floor().long()
