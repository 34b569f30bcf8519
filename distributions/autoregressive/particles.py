r"""Sequential Monte Carlo through the positions of an autoregressive law, some of which are observed.

K particles go through the levels of the network. At level k each is weighted by the probability of what is observed there,
then, if few weights count, particles are resampled, then each draws what is not observed from its conditional law. With
ancestors :math:`x^{(i)}_{<k}`

.. math:: w_k^{(i)} = w_{k-1}^{(i)}\, p\bigl(x_{o \cap k} \mid x^{(i)}_{<k}\bigr)\, \frac{\psi_k}{\psi_{k-1}}(x^{(i)}),

where :math:`\psi_k > 0` looks ahead: it should tell how probable the observed positions *after* level k are (1 from the last of
them on; 1 everywhere if nothing better is known). The product of the mean weights between resamplings is

.. math:: \widehat Z = \prod_r \frac 1K \sum_i w^{(i)}_{k_r}, \qquad \mathbb E\,\widehat Z = p(x_o)

for every K and every :math:`\psi`: a draw from a conditional law and its weight are unbiased for the sum over one more
position, and systematic resampling keeps expectations. The weighted particles follow :math:`p(x_u \mid x_o)` as K grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.bijectors.incremental import State, fork
from probgen.distributions.discretized import at_least_float32
from probgen.distributions.events import drawn, one_batch_dim, reference_draw
from probgen.distributions.numerics.resampling import effective_sample_size, log_mean_weight, systematic_ancestors

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.completion import Completion

__all__ = ["LookAhead", "WeightedCompletions", "run_particles"]

LookAhead = Callable[[int, Tensor, Tensor], Tensor]
r"""``look_ahead(k, values, params)`` gives :math:`\log\psi_k`, finite,
``[K, *batch]``: ``values`` ``[K, *batch, *event]`` hold what is known (levels before k and everything observed) and a value
of the support elsewhere, ``params`` ``[K, *batch, n, P]`` are those
of level k."""


@dataclass(frozen=True, repr=False)
class WeightedCompletions:
    """Weighted completions of events.

    Attributes:
        values: Completed events ``[K, *batch, *event]``.
        log_weights: Normalized log-weights ``[K, *batch]``.
        log_evidence: The estimate of the log-probability of what is observed, in nats, ``[*batch]``; its exponential is
        unbiased.
        resampled: How often the particles were resampled, ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.autoregressive import WeightedCompletions
        >>> found = WeightedCompletions(torch.eye(2), torch.tensor([0.25, 0.75]).log(), torch.tensor(-1.0), torch.tensor(0))
        >>> found.mean(), found.effective_sample_size
        (tensor([0.2500, 0.7500]), tensor(1.6000))
    """

    values: Tensor
    log_weights: Tensor
    log_evidence: Tensor
    resampled: Tensor

    @property
    def effective_sample_size(self) -> Tensor:
        """How many equal weights would be worth as much, ``[*batch]``; it knows nothing of particles that became equal."""
        return effective_sample_size(self.log_weights)

    def mean(self) -> Tensor:
        """The weighted mean, ``[*batch, *event]``: for binary events the probability of a one at each position."""
        weights = self.log_weights.exp()
        values = self.values.to(weights.dtype)
        return (weights.reshape(*weights.shape, *(1,) * (values.dim() - weights.dim())) * values).sum(0)

    def pick(self) -> Tensor:
        """One particle for each element of the batch, drawn by weight: ``[*batch, *event]``."""
        batch = self.log_weights.shape[1:]
        flat = self.log_weights.reshape(len(self.log_weights), -1)
        if not flat.shape[1]:
            return self.values[0]
        chosen = torch.multinomial(flat.exp().mT, 1).squeeze(-1)
        values = self.values.reshape(len(flat), flat.shape[1], *self.values.shape[1 + len(batch) :])
        picked: Tensor = values[chosen, torch.arange(flat.shape[1], device=flat.device)]
        return picked.reshape(self.values.shape[1:])

    def __repr__(self) -> str:
        count, *batch = self.log_weights.shape
        return f"{type(self).__name__}({count}, batch_shape={tuple(batch)})"


def run_particles(
    completion: Completion,
    count: int,
    shape: torch.Size,
    *,
    look_ahead: LookAhead | None = None,
    threshold: float = 0.5,
    complete: bool = True,
) -> WeightedCompletions:
    r"""One run of sequential Monte Carlo for each element of ``shape``, all of them at once and independent.

    Args:
        completion: What is known of the law.
        count: Number K of particles.
        shape: Shape of the runs, ``[*sample, *batch]``.
        look_ahead: The function :math:`\log\psi`.
        threshold: Resample where fewer than this part of the weights count.
        complete: Whether to draw what comes after the last observed position, too.

    Returns:
        Weighted completions with batch shape ``shape``; what was not drawn is some value of the support.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.particles import run_particles
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(3, 1, hidden=(4,)), (3,), BernoulliElement())
        >>> last = p.given(torch.ones(3), torch.tensor([False, False, True]))
        >>> run_particles(last, 8, torch.Size([2])).values.shape
        torch.Size([8, 2, 3])
    """
    with torch.no_grad():
        population = _Population(completion, count, shape, look_ahead, threshold)
        levels = completion.law.positions.levels
        depth = completion.law.positions.depth().to(completion.observed.device)
        last = int(torch.where(completion._observed_rows(), depth, -1).amax()) if completion.observed.numel() else -1
        for level in range(len(levels)):
            if level > last and not complete:
                break
            population.weigh(level, before_the_last=level < last)
            population.resample()
            population.draw(level, goes_on=level + 1 < len(levels))
        return population.result()


class _Population:
    """The particles between two levels: K copies of N runs, ``[K * N, ...]``, the copies of one run N apart."""

    def __init__(
        self, completion: Completion, count: int, shape: torch.Size, look_ahead: LookAhead | None, threshold: float
    ) -> None:
        self.law, self.count, self.shape, self.runs = completion.law, count, shape, shape.numel()
        self.look_ahead, self.threshold = look_ahead, threshold
        batch = len(completion.batch_shape)
        known, mask = self.law.positions.rows(completion.known), completion._observed_rows()
        rows, mask = (one_batch_dim(part, shape, part.shape[batch:]) for part in (known, mask))
        dtype = reference_draw(self.law._neutral_law()).dtype
        self.rows, self.mask = rows.to(dtype).repeat(count, *(1,) * (rows.dim() - 1)), mask.repeat(count, 1)
        context = self.law._context_for(shape)
        context = None if context is None else context.repeat(count, *(1,) * (context.dim() - 1))
        self.state: State
        self.state, self.params = self.law.network.init_state((count * self.runs,), context)
        self.log_weights = self.log_ahead = at_least_float32(self.params).new_zeros(count, self.runs)
        self.log_evidence = self.log_weights.new_zeros(self.runs)
        self.resampled = torch.zeros_like(self.log_evidence, dtype=torch.long)

    def weigh(self, level: int, *, before_the_last: bool) -> None:
        """Weight by what is observed at a level, and by how well the particles fit what is observed later."""
        index = self.law.positions.levels[level]
        factors = self.law._scored(self.law.element(self.params), self.rows[:, index])
        gained = torch.where(self.mask[:, index], factors, 0.0).sum(-1)
        self.log_weights = self.log_weights + gained.reshape(self.count, self.runs)
        if self.look_ahead is None:
            return
        ahead = self._ahead(level) if before_the_last else torch.zeros_like(self.log_ahead)
        self.log_weights, self.log_ahead = self.log_weights + ahead - self.log_ahead, ahead

    def resample(self) -> None:
        """Give runs in which few weights count a new generation, drawn by weight."""
        size = effective_sample_size(self.log_weights)
        low = (size < self.threshold * self.count) & (size > 0)
        if not bool(low.any()):
            return
        stay = torch.arange(self.count, device=low.device).unsqueeze(-1)
        parents = torch.where(low, systematic_ancestors(self.log_weights.nan_to_num(neginf=-1e30)), stay)
        self.log_evidence = self.log_evidence + torch.where(low, log_mean_weight(self.log_weights), 0.0)
        self.log_weights = torch.where(low, 0.0, self.log_weights)
        self.log_ahead = self.log_ahead.gather(0, parents)
        self.resampled = self.resampled + low
        flat = (parents * self.runs + torch.arange(self.runs, device=low.device)).flatten()
        self.state, self.params, self.rows = fork((self.state, self.params, self.rows), flat)

    def draw(self, level: int, *, goes_on: bool) -> None:
        """Draw what is not observed at a level and let the network see all of it."""
        index = self.law.positions.levels[level]
        found = drawn(self.law.element(self.params))
        mask = self.mask[:, index].reshape(len(found), len(index), *(1,) * len(self.law.positions.element))
        values = torch.where(mask, self.rows[:, index], found)
        self.rows = self.rows.index_copy(1, torch.tensor(index, device=found.device), values)
        if goes_on:
            self.state, self.params = self.law.network.step(self.state, self.law._seen(values))

    def result(self) -> WeightedCompletions:
        """The weighted particles."""
        values = self.law.positions.events(self.rows).reshape(self.count, *self.shape, *self.law.event_shape)
        possible = (self.log_weights > -torch.inf).any(0)
        normalized = torch.where(possible, self.log_weights, 0.0).log_softmax(0)
        evidence = self.log_evidence + log_mean_weight(self.log_weights)
        shape = (self.count, *self.shape)
        return WeightedCompletions(
            values, normalized.reshape(shape), evidence.reshape(self.shape), self.resampled.reshape(self.shape)
        )

    def _ahead(self, level: int) -> Tensor:
        values = self.law.positions.events(self.rows).reshape(self.count, *self.shape, *self.law.event_shape)
        params = self.params.reshape(self.count, *self.shape, *self.params.shape[1:])
        found: Tensor = self.look_ahead(level, values, params)  # type: ignore[misc]
        if tuple(found.shape) != (self.count, *self.shape) or not bool(found.isfinite().all()):
            raise ValueError(
                f"`look_ahead` must give finite numbers {(self.count, *self.shape)}; got shape {tuple(found.shape)}"
                f"{'' if found.isfinite().all() else ' with numbers that are not finite'}."
            )
        return found.reshape(self.count, self.runs).to(self.log_ahead)
