r"""Rounding down, which forgets the fraction: :math:`v = \lfloor u \rfloor`, :math:`u = v + r` with :math:`r \in [0, 1)^D`.

As a generative surjection it is *dequantization*: the data are integers, and the guide adds noise, uniform or learned
(variational), so that the weight of a draw is :math:`p(v + r) / \kappa(r \mid v)`. As an inference surjection
(``Rounding(...).inv``) it makes a histogram: a law of integers, spread over their cells, is an exact density.

With a number of levels :math:`L`, values are clamped to :math:`0, \dots, L - 1`, and the end cells hold the tails, which the
noise does not reach: the bound stays a bound.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.standard import StandardUniform
from probgen.distributions.surjections.surjection import RemainderLaw, Surjection, require_event_dim

__all__ = ["Integers", "Rounding", "integers"]


class Integers(Constraint):
    """Integers, negative ones too, as floating-point numbers; use the instance ``integers``.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import integers
        >>> integers.check(torch.tensor([-3.0, 0.5]))
        tensor([ True, False])
    """

    is_discrete = True
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Whether each number is an integer."""
        return value % 1 == 0

    def __repr__(self) -> str:
        return "Integers()"


integers = Integers()


class Rounding(Surjection):
    r""":math:`v = \lfloor u \rfloor`, coordinate by coordinate; the remainder is the fraction. The determinant is one.

    Domain: the reals. Codomain: the integers, or :math:`0, \dots, L - 1`, as floating-point numbers.

    Args:
        levels: Number of levels :math:`L`; None for all integers.
        law: From integers ``[*batch, *event]`` to a law on the unit cube of the same event shape, with ``rsample``; None for
            uniform noise.
        event_dim: Rank of an event that ``law`` sees as a whole; 0 for single coordinates.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    Raises:
        ValueError: ``levels`` is not positive.

    References:
        Theis, van den Oord, Bethge (2016). A note on the evaluation of generative models. https://arxiv.org/abs/1511.01844
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from pyro.distributions import Poisson
        >>> from probgen.distributions import SurjectiveDistribution
        >>> from probgen.distributions.surjections import Rounding
        >>> histogram = SurjectiveDistribution(Poisson(1.0), Rounding().inv)
        >>> histogram.log_prob(torch.tensor(1.7)) == Poisson(1.0).log_prob(torch.tensor(1.0))
        tensor(True)
    """

    has_rsample = False

    def __init__(
        self,
        levels: int | None = None,
        law: RemainderLaw | None = None,
        *,
        event_dim: int = 0,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(law, context_shape)
        if levels is not None and levels < 1:
            raise ValueError(f"`levels` must be at least 1; got {levels}.")
        self.levels = levels
        self.event_dim = require_event_dim(event_dim)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return self._over_event(constraints.real)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The integers, or the levels."""
        return self._over_event(integers if self.levels is None else constraints.integer_interval(0, self.levels - 1))

    @property
    def inverse_support(self) -> Constraint:
        """The cells of the levels."""
        return self.domain if self.levels is None else self._over_event(constraints.half_open_interval(0.0, float(self.levels)))

    def extra_repr(self) -> str:
        """Number of levels."""
        return f"levels={self.levels}"

    def _over_event(self, single: Constraint) -> Constraint:
        return constraints.independent(single, self.event_dim) if self.event_dim else single

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        return StandardUniform(event, batch, dtype=v.dtype, device=v.device, validate_args=False)

    def _project(self, u: Tensor) -> Tensor:
        return u.floor() if self.levels is None else u.floor().clamp(0, self.levels - 1)

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        v = self._project(u)
        return v, u - v, 0.0

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        u = v + r
        largest = torch.nextafter(v + 1, v).detach()  # rounding must not carry a point into the next cell
        return u + (torch.minimum(u, largest) - u).detach(), 0.0
