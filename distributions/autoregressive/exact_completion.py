r"""Completing a prefix: exact, drawn by one sweep and scored by one pass.

Let the observed positions come first in the order of the network, up to positions of one level, which are independent given
those before. Then the chain rule splits into the factors of what is observed, which make the evidence, and those of the rest,
which make the conditional law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.autoregressive.completion import Completion
from probgen.distributions.estimate import Estimate
from probgen.distributions.events import one_batch_dim

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive
    from probgen.distributions.autoregressive.factorized import Take

__all__ = ["ExactCompletion", "is_prefix"]


class ExactCompletion(Completion):
    r"""The law of completed events where a prefix is observed: drawn and scored exactly.

    .. math::

        \log p(x_u \mid x_o) = \sum_{i \in u} \log p(x_i \mid x_{A_i}), \qquad
        \log p(x_o) = \sum_{i \in o} \log p(x_i \mid x_{A_i})

    A density is one pass, a draw one sweep, as for whole events; both are differentiable where those are.

    Args:
        law: The law of whole events.
        x: Values ``[*batch, *event]``.
        observed: True where a position is observed, ``[*batch, *grid]``.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: an observed position comes after one that is not, besides what the base class raises.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(4, 1, hidden=(16,)).double(), (4,), BernoulliElement())
        >>> x = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
        >>> rest = p.given(x, observed=2)
        >>> type(rest).__name__, torch.allclose(rest.log_prob(x) + rest.log_evidence().value, p.log_prob(x))
        ('ExactCompletion', True)
    """

    def __init__(self, law: Autoregressive, x: Tensor, observed: Tensor, *, validate_args: bool | None = None) -> None:
        super().__init__(law, x, observed, validate_args=validate_args)
        if not is_prefix(law, observed):
            raise ValueError("`observed` must be a prefix of the network's order; `Autoregressive.given` takes any positions.")

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the element can be reparameterized."""
        return self.law.has_rsample

    def log_evidence(self) -> Estimate:
        r""":math:`\log p(x_o)` in nats, ``[*batch]``: exact, and differentiable in the parameters."""
        factors = self.law._factors(self.known)
        value = torch.where(self._observed_rows(), factors, 0.0).sum(-1).expand(self.batch_shape)
        return Estimate(value, torch.zeros_like(value), "exact")

    def log_prob(self, value: Tensor) -> Tensor:
        r""":math:`\log p(x_u \mid x_o)` in nats, ``[*sample, *batch]``; minus infinity where observed values differ.

        Args:
            value: Completed events ``[*sample, *batch, *event]``.

        Raises:
            ValueError: a wrong event shape; while validating, also a value outside the support.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        factors = self.law._factors(value)
        log_prob = torch.where(self._observed_rows(), 0.0, factors).sum(-1)
        return torch.where(self.agrees(value), log_prob, -math.inf)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw completed events ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self.law._swept(sample_shape, self._taking(sample_shape, reparameterized=False))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw completed events ``[*sample_shape, *batch, *event]``, differentiable in parameters and observed values.

        Raises:
            NotImplementedError: the element is not reparameterized.
        """
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self.law.element).__name__} is not reparameterized; use `sample`.")
        return self.law._swept(sample_shape, self._taking(sample_shape, reparameterized=True))

    def _taking(self, sample_shape: Sequence[int], *, reparameterized: bool) -> Take:
        """Take what is observed and draw the rest."""
        shape, order = torch.Size((*sample_shape, *self.batch_shape)), self.law.positions.order
        rows = self.law.positions.rows(self.known)
        mask = self._known_where(rows)
        cut = len(self.batch_shape)
        rows, mask = (one_batch_dim(part, shape, part.shape[cut:]) for part in (rows, mask))

        def take(start: int, stop: int, parameters: Tensor) -> Tensor:
            element = self.law.element
            found: Tensor = element(parameters).rsample() if reparameterized else element.draw(parameters)
            return torch.where(mask[:, order[start:stop]], rows[:, order[start:stop]].to(found), found)

        return take


def is_prefix(law: Autoregressive, observed: Tensor) -> bool:
    """Whether no observed position comes after an unobserved one, positions of one level counting as simultaneous.

    Args:
        law: The law.
        observed: True where a position is observed, ``[*batch, *grid]``.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.exact_completion import is_prefix
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(3, 1, hidden=(4,), order=(2, 1, 0)), (3,), BernoulliElement())
        >>> is_prefix(p, torch.tensor([False, False, True])), is_prefix(p, torch.tensor([True, False, False]))
        (True, False)
    """
    depth = law.positions.depth().to(observed.device)
    rows = observed.reshape(-1, law.positions.number)
    last = torch.where(rows, depth, -1).amax(-1)
    first = torch.where(rows, law.positions.number, depth).amin(-1)
    return bool((last <= first).all())
