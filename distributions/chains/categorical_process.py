r"""The categorical forward process: a chain over integers whose three laws are categorical.

Every coordinate jumps on its own, with matrices :math:`Q_{t \mid s}` that compose (``categorical_kernels``). With
:math:`\bar Q_t = Q_{t \mid 0}`

.. math::

    q(x_t \mid x_0) = \bar Q_t[x_0, \cdot], \qquad q(x_t \mid x_s) = Q_{t \mid s}[x_s, \cdot], \qquad
    q(x_s \mid x_t, x_0) = \frac{\bar Q_s[x_0, \cdot]\; Q_{t \mid s}[\cdot, x_t]}{\bar Q_t[x_0, x_t]},

and a law of the data is pushed through the posterior exactly,
:math:`p(x_s \mid x_t) = \sum_k p(x_0 = k \mid x_t)\, q(x_s \mid x_t, x_0 = k)`. Everything is in logarithms.
The derivation stands in ``docs/derivations/discrete-diffusion.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from probgen.distributions.chains.categorical_generators import GeneratorJumps, gaussian_rates
from probgen.distributions.chains.categorical_kernels import AbsorbingJumps, JumpKernel, UniformJumps
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.chains.keep_schedule import linear_keep_schedule
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.process import ForwardProcess
from probgen.distributions.chains.schedule import Schedule, Times

__all__ = ["CategoricalKind", "CategoricalProcess"]

CategoricalKind = Literal["uniform", "absorbing", "gaussian"]
"""Where jumps go: to any value, to a mask, or to values nearby."""


class CategoricalProcess(ForwardProcess):
    r"""A forward process over integers :math:`0, \dots, K - 1` (and the mask K, where jumps are absorbing).

    A coordinate keeps its value up to time t with probability :math:`\kappa(t) = \mathrm{sigmoid}(\lambda(t))`, which is
    :math:`\alpha^2(t)` of a variance-preserving schedule. Laws are ``IndependentCategorical`` over events of integers.

    Args:
        values: Number K of values.
        event_shape: Shape of one datum.
        kind: "uniform", "absorbing", "gaussian" (discretized normal jumps, for ordinal data), or a ``JumpKernel``.
        schedule: Sets the keep probability; linear by default.

    Raises:
        ValueError: there is no such kind, or a kernel for another number of values.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import CategoricalProcess
        >>> process = CategoricalProcess(4, event_shape=(3,), kind="absorbing")
        >>> law = process.marginal(torch.tensor([[0, 1, 3]]), 0.25)
        >>> law.batch_shape, law.event_shape, law.probs[0, 0]
        (torch.Size([1]), torch.Size([3]), tensor([0.7500, 0.0000, 0.0000, 0.0000, 0.2500]))
    """

    anchor: Tensor

    def __init__(
        self,
        values: int,
        event_shape: Sequence[int],
        kind: CategoricalKind | JumpKernel = "uniform",
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(event_shape)
        self.kernel = kind if isinstance(kind, JumpKernel) else _kernel(kind, values)
        if self.kernel.values != values:
            raise ValueError(f"`kind` is a kernel for {self.kernel.values} values; the process has {values}.")
        self.schedule: Schedule = linear_keep_schedule() if schedule is None else schedule
        self.register_buffer("anchor", torch.zeros(()), persistent=False)  # tells dtype and device of the laws

    @property
    def values(self) -> int:
        """Number of values of a datum's coordinate."""
        return self.kernel.values

    @property
    def states(self) -> int:
        """Number of states of a noisy coordinate."""
        return self.kernel.states

    def marginal(self, x_0: Tensor, t: Times) -> IndependentCategorical:
        r"""The law :math:`q(x_t \mid x_0)` for integers ``[*batch, *event]`` and times ``t``."""
        return self._law(self._row(x_0, self.schedule.level(0.0), self.schedule.level(t)))

    def transition(self, x_s: Tensor, s: Times, t: Times) -> IndependentCategorical:
        r"""The law :math:`q(x_t \mid x_s)` for states ``[*batch, *event]`` and times ``s < t``."""
        return self._law(self._row(x_s, self.schedule.level(s), self.schedule.level(t)))

    def posterior(self, x_t: Tensor, x_0: Tensor, s: Times, t: Times) -> IndependentCategorical:
        r"""The law :math:`q(x_s \mid x_t, x_0)` for states and data ``[*batch, *event]`` and times ``s < t``.

        Where ``x_t`` is impossible given ``x_0`` the law is uniform.
        """
        near, far = self.schedule.level(s), self.schedule.level(t)
        return self._law(self._row(x_0, self.schedule.level(0.0), near) + self.evidence(x_t, near, far, self.anchor))

    def prior(self, t: float = 1.0) -> IndependentCategorical:
        """The marginal at time ``t`` of data that are uniform over the values; at no signal that is the stationary law."""
        level = self.schedule.level(t)
        uniform = torch.full_like(self.anchor.expand(*self.event_shape, self.values), -1.0).log_softmax(-1)
        return self._law(self.kernel.mixture(uniform, level, len(self.event_shape)))

    # ------------------------------------------------------------------------------------------------------- pushing a law

    def evidence(self, x_t: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor) -> Tensor:
        r""":math:`\log Q_{t \mid s}[\cdot, x_t]` for states ``[*batch, *event]``: shape ``[*batch, *event, states]``."""
        return self.kernel.column(x_t, s, t, like, len(self.event_shape))

    def possible(self, log_probs: Tensor, x_t: Tensor, t: NoiseLevel) -> Tensor:
        r"""A law of the data without the values that cannot have become :math:`x_t`, normalized.

        Args:
            log_probs: Unnormalized log-probabilities of the values, ``[*batch, *event, values]``.
            x_t: States ``[*batch, *event]``.
            t: Their levels.
        """
        seen = self.evidence(x_t, self.schedule.level(0.0), t, log_probs)[..., : self.values]
        return _settled(torch.where(seen == -torch.inf, -torch.inf, log_probs)).log_softmax(-1)

    def reverse(self, log_probs: Tensor, x_t: Tensor, s: NoiseLevel, t: NoiseLevel) -> IndependentCategorical:
        r"""The law :math:`\sum_k p(x_0 = k)\, q(x_s \mid x_t, x_0 = k)`, every coordinate on its own.

        Args:
            log_probs: Log-probabilities of the values that are possible given ``x_t``, ``[*batch, *event, values]``.
            x_t: States ``[*batch, *event]``.
            s: Levels to go to.
            t: Levels of ``x_t``.
        """
        seen = self.evidence(x_t, self.schedule.level(0.0), t, log_probs)[..., : self.values]
        weights = torch.where(seen == -torch.inf, -torch.inf, log_probs - torch.where(seen == -torch.inf, 0.0, seen))
        mixed = self.kernel.mixture(weights, s, len(self.event_shape))
        return self._law(mixed + self.evidence(x_t, s, t, log_probs))

    def _row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel) -> Tensor:
        return self.kernel.row(x, s, t, self.anchor, len(self.event_shape))

    def _law(self, logits: Tensor) -> IndependentCategorical:
        return IndependentCategorical(_settled(logits), len(self.event_shape))


def _settled(logits: Tensor) -> Tensor:
    """The same logits, uniform where nothing is possible: a state that never occurs has a law too, and no NaN."""
    nothing = (logits == -torch.inf).all(-1, keepdim=True)
    return torch.where(nothing, 0.0, logits)


def _kernel(kind: str, values: int) -> JumpKernel:
    if kind == "uniform":
        return UniformJumps(values)
    if kind == "absorbing":
        return AbsorbingJumps(values)
    if kind == "gaussian":
        return GeneratorJumps(gaussian_rates(values))
    raise ValueError(f'`kind` must be "uniform", "absorbing", "gaussian" or a JumpKernel; got {kind!r}.')
