r"""Autoregressive laws: one conditional for each position, all of them from one network.

.. math:: p(x \mid c) = \prod_{i=1}^D p\bigl(x_i \mid \theta_i(x_{A_i}, c)\bigr),

where :math:`A_i` are the positions before :math:`i` in some order. Every factor is an *element* (a Bernoulli, categorical or
normal law of one position, say), :math:`\theta` is an incremental network: all parameters come from one parallel pass when x is
known, so a density costs one pass; a draw goes through the levels of the order and evaluates the network incrementally (see
``bijectors/incremental.py``), so with a masked network it costs the arithmetic of one pass too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from probgen.distributions.autoregressive.completion import Completion
from probgen.distributions.autoregressive.entropy import entropy_estimate
from probgen.distributions.autoregressive.enumeration import MOST_STATES, all_events, is_listable
from probgen.distributions.autoregressive.factorized import FactorizedLaw
from probgen.distributions.autoregressive.given import complete
from probgen.distributions.autoregressive.particles import LookAhead
from probgen.distributions.autoregressive.sites import SiteProgram
from probgen.distributions.elements import Element, MinPElement, TemperedElement, TopKElement, TopPElement
from probgen.distributions.estimate import Estimate

__all__ = ["Autoregressive"]


class Autoregressive(FactorizedLaw):
    r"""The law of x under :math:`p(x \mid c) = \prod_i p(x_i \mid \theta_i(x_{A_i}, c))`, exact in both directions.

    A position is an entry of the trailing dimensions of the event, in row-major order; the network may visit them in any order.
    The network sees of a position what the embedding makes of each number of an element, and gives as many numbers for it as
    the element has parameters.

    Args:
        network: An incremental network with one coordinate a position, for example ``probgen.nn.MADE``.
        event_shape: Shape of an event; it begins with the element's shape (colors first, then rows and columns).
        element: The law of one position.
        embedding: How values enter the network; as they are by default.
        context: Context ``[*batch, *network.context_shape]``; gives the batch shape. None: ``condition`` binds it later.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``network``, ``element`` or ``embedding`` is of another kind.
        ValueError: their sizes do not fit.

    References:
        Frey (1998). Graphical models for machine learning and digital communication. https://mitpress.mit.edu/9780262062022
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation.
        https://arxiv.org/abs/1502.03509

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(features=9, num_outputs=1, hidden=(16,)), (3, 3), BernoulliElement())
        >>> p.sample((5,)).shape, p.log_prob(p.enumerate_support()).exp().sum()
        (torch.Size([5, 3, 3]), tensor(1.0000, grad_fn=<SumBackward0>))
    """

    def condition(self, context: Tensor) -> Autoregressive:
        """Bind the context of a network that takes one; the parameters stay shared.

        Args:
            context: Shape ``[*batch, *network.context_shape]``.

        Raises:
            ContextError: the network takes no context, or one of another shape.
        """
        return self._with(self.element, context)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, shape ``[*sample, *batch]``, from one pass of the network.

        Args:
            value: Points ``[*sample, *batch, *event]``.

        Raises:
            ValueError: a wrong event shape; while validating, also a value outside the support.
            ContextError: the network takes a context, and none is bound.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        log_prob = self._factors(value).sum(-1)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients, level after level."""
        with torch.no_grad():
            return self._swept(sample_shape, lambda start, stop, parameters: self.element.draw(parameters))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the parameters, where the element is reparameterized.

        Raises:
            NotImplementedError: it is not.
        """
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self.element).__name__} is not reparameterized; use `sample`.")
        return self._swept(sample_shape, lambda start, stop, parameters: self.element(parameters).rsample())

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Whether the support is finite and small enough to list: at most 65 536 states."""
        return is_listable(self._values(), self.event_shape.numel())

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All events, ``[number, *batch, *event]`` (with batch dimensions of one, if not expanded).

        Raises:
            NotImplementedError: there are too many, or infinitely many.
        """
        values = self._values()
        if values is None or not self.has_enumerate_support:
            raise NotImplementedError(f"the support of {type(self).__name__} has more than {MOST_STATES} states.")
        table = all_events(values, self.event_shape)
        table = table.reshape(len(table), *(1,) * len(self.batch_shape), *self.event_shape)
        return table.expand(-1, *self.batch_shape, *self.event_shape) if expand else table

    # ---------------------------------------------------------------------------------------------------- laws made of this one

    def given(
        self,
        x: Tensor,
        observed: Tensor | int | None = None,
        *,
        num_particles: int = 64,
        look_ahead: LookAhead | None = None,
        threshold: float = 0.5,
    ) -> Completion:
        """The law of events of which some positions are known: exact for a prefix, else by sequential Monte Carlo.

        Args:
            x: Values ``[*batch, *event]``; what stands at positions that are not observed is ignored.
            observed: True where a position is observed, ``[*batch, *grid]``; or a number n: the first n positions in the
                order of the network; or None: where ``x`` is not NaN.
            num_particles: Particles of a run, where particles are needed.
            look_ahead: A twist of the particles, such as ``GaussianLookAhead``.
            threshold: Particles are resampled where fewer than this part of the weights count.

        Returns:
            An ``ExactCompletion`` or a ``ParticleCompletion``; both draw completed events and give ``log_evidence()``.
        """
        settings: Any = {"num_particles": num_particles, "look_ahead": look_ahead, "threshold": threshold}
        return complete(self, x, observed, **settings)

    def as_sites(self, name: str | Callable[[tuple[int, ...]], str] = "x") -> SiteProgram:
        """A Pyro program that draws position after position, each at a site of its own; see ``SiteProgram``.

        Args:
            name: Sites are called ``name_0``, ``name_1``, ... on a line and ``name_row_column`` on a grid; or a function from
                the index of a position to its name.
        """
        return SiteProgram(self, name)

    def tempered(self, temperature: float) -> Autoregressive:
        r"""Every conditional tempered, :math:`p(x_i \mid x_{A_i})^{1/T} / Z_i`: not the tempered joint law."""
        return self._with(TemperedElement(self.element, temperature), self.context)

    def top_k(self, k: int) -> Autoregressive:
        """Every conditional restricted to its k most probable values; k = 1 is greedy, which need not find the mode."""
        return self._with(TopKElement(self.element, k), self.context)

    def top_p(self, p: float) -> Autoregressive:
        """Every conditional restricted to the fewest values that have the mass p together (nucleus sampling)."""
        return self._with(TopPElement(self.element, p), self.context)

    def min_p(self, p: float) -> Autoregressive:
        """Every conditional restricted to values at least p times as probable as the most probable one."""
        return self._with(MinPElement(self.element, p), self.context)

    def entropy(self) -> Tensor:
        """Entropy in nats, shape ``[*batch]``, where all events can be listed.

        Raises:
            NotImplementedError: there are too many; use ``entropy_estimate``.
        """
        if not self.has_enumerate_support:
            raise NotImplementedError(f"the events of {type(self).__name__} are too many to list; use `entropy_estimate`.")
        log_prob = self.log_prob(self.enumerate_support())
        return -(log_prob.exp() * torch.where(log_prob == -torch.inf, 0.0, log_prob)).sum(0)

    def entropy_estimate(self, num_draws: int = 256) -> Estimate:
        """Entropy in nats from draws, shape ``[*batch]``: unbiased, with its standard error.

        Args:
            num_draws: How many draws, at least one.
        """
        return entropy_estimate(self, num_draws)

    def _with(self, element: Element, context: Tensor | None) -> Autoregressive:
        """The same network with another element or context."""
        parts: Any = {"embedding": self.embedding, "context": context, "validate_args": self._validate_args}
        return Autoregressive(self.network, self.event_shape, element, **parts)
