r"""How a coordinate jumps between states: the kernels of a categorical forward process.

A coordinate keeps its value with a probability that a schedule sets, and jumps otherwise. With :math:`\kappa(t)` the *keep
probability*, :math:`\kappa(0) = 1`, and :math:`\kappa_{t \mid s} = \kappa(t) / \kappa(s)`

.. math::

    \kappa(t) = \frac{\mathrm{SNR}(t)}{1 + \mathrm{SNR}(t)} = \mathrm{sigmoid}(\lambda(t)), \qquad
    Q_{t \mid s} = \kappa_{t \mid s}\, I + (1 - \kappa_{t \mid s})\, \mathbf 1 \pi^\top,

where :math:`\pi` is where jumps go: uniform over the values, or one extra state, the *mask*. Such matrices multiply as their
keep probabilities do, :math:`Q_{s \mid 0} Q_{t \mid s} = Q_{t \mid 0}`, so nothing of size :math:`K \times K` is ever formed:
a row, a column and a product with a vector cost K operations. In a variance-preserving schedule :math:`\kappa = \alpha^2`. See
the page "Discrete diffusion" (``docs/derivations/discrete-diffusion.md``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from probgen.distributions.chains.noise_level import NoiseLevel

__all__ = ["AbsorbingJumps", "JumpKernel", "UniformJumps", "log_keep"]


def log_keep(s: NoiseLevel, t: NoiseLevel) -> Tensor:
    r"""The log of the probability :math:`\kappa_{t \mid s}` to keep a value from s to t, float64; shapes broadcast.

    Args:
        s: Levels nearer to the data, with a keep probability above zero.
        t: Levels nearer to the noise.

    Example:
        >>> from probgen.distributions.chains import linear_keep_schedule
        >>> from probgen.distributions.chains.categorical_kernels import log_keep
        >>> schedule = linear_keep_schedule()
        >>> round(float(log_keep(schedule.level(0.2), schedule.level(0.6)).exp()), 6)
        0.5
    """
    return logsigmoid(t.log_snr) - logsigmoid(s.log_snr)


class JumpKernel(nn.Module):
    r"""The transition matrices :math:`Q_{t \mid s}` of one coordinate (abstract).

    A subclass writes ``row``, ``column`` and ``mixture``. Tensors of states have shape ``[*batch, *event]``; levels broadcast
    with ``[*batch]``; results get a last dimension for the states, and minus infinity where a state is out of reach.

    Attributes:
        values: Number K of values of a datum's coordinate.
        states: Number of states of a noisy coordinate, ``values`` or more.

    Args:
        values: Number of values, at least 2.
        states: Number of states.

    Raises:
        ValueError: fewer than two values.

    Example:
        >>> from probgen.distributions.chains import AbsorbingJumps, JumpKernel
        >>> kernel = AbsorbingJumps(4)
        >>> isinstance(kernel, JumpKernel), kernel.values, kernel.states
        (True, 4, 5)
    """

    def __init__(self, values: int, states: int) -> None:
        super().__init__()
        if values < 2:
            raise ValueError(f"`values` must be at least 2; got {values}.")
        self.values = values
        self.states = states

    def row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        r""":math:`\log Q_{t \mid s}[x, \cdot]`: where a coordinate in state x at s is at t.

        Args:
            x: States ``[*batch, *event]``.
            s: Levels nearer to the data.
            t: Levels nearer to the noise.
            like: Gives dtype and device.
            event_dim: Number of event dimensions.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `row`.")

    def column(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        r""":math:`\log Q_{t \mid s}[\cdot, x]`: how well each state at s explains the state x at t.

        Arguments are those of :meth:`row`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `column`.")

    def mixture(self, log_weights: Tensor, s: NoiseLevel, event_dim: int) -> Tensor:
        r""":math:`\log \sum_k w_k\, Q_{s \mid 0}[k, \cdot]`, shape ``[*batch, *event, states]``.

        Args:
            log_weights: Log-weights of the data's values, ``[*batch, *event, values]``.
            s: Levels.
            event_dim: Number of event dimensions.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `mixture`.")

    def noise(self, like: Tensor) -> Tensor:
        r"""Log-probabilities ``[states]`` of a coordinate when nothing of the data is left: the stationary law."""
        raise NotImplementedError(f"{type(self).__name__} does not define `noise`.")

    def extra_repr(self) -> str:
        """The number of values."""
        return f"values={self.values}"


class UniformJumps(JumpKernel):
    r"""Jumps go to a value chosen uniformly, possibly the same.

    .. math:: Q = \kappa I + \tfrac{1 - \kappa}{K} \mathbf 1 \mathbf 1^\top

    Args:
        values: Number K of values.

    References:
        Hoogeboom, Nielsen, Jaini, Forré, Welling (2021). Argmax flows and multinomial diffusion.
        https://arxiv.org/abs/2102.05379

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import UniformJumps, linear_keep_schedule
        >>> schedule, kernel = linear_keep_schedule(), UniformJumps(4)
        >>> kernel.row(torch.tensor(2), schedule.level(0.0), schedule.level(0.8), torch.zeros(()), 0).exp()
        tensor([0.2000, 0.2000, 0.4000, 0.2000])
    """

    def __init__(self, values: int) -> None:
        super().__init__(values, values)

    def row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class."""
        keep = log_keep(s, t)
        jump = log_lost(keep) - math.log(self.values)
        stay, leave = (as_states(value, event_dim, like) for value in (torch.logaddexp(keep, jump), jump))
        return torch.where(_indicator(x, self.states), stay, leave)

    def column(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class; the matrix is symmetric."""
        return self.row(x, s, t, like, event_dim)

    def mixture(self, log_weights: Tensor, s: NoiseLevel, event_dim: int) -> Tensor:
        """See the base class."""
        keep = logsigmoid(s.log_snr)
        kept, jump = (as_states(value, event_dim, log_weights) for value in (keep, log_lost(keep) - math.log(self.values)))
        return torch.logaddexp(kept + log_weights, jump + log_weights.logsumexp(-1, keepdim=True))

    def noise(self, like: Tensor) -> Tensor:
        """See the base class: uniform."""
        return like.new_full((self.states,), -math.log(self.states))


class AbsorbingJumps(JumpKernel):
    r"""Jumps go to a mask, the extra state K, and end there.

    Args:
        values: Number K of values; the mask is the state K.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import AbsorbingJumps, linear_keep_schedule
        >>> schedule, kernel = linear_keep_schedule(), AbsorbingJumps(2)
        >>> kernel.row(torch.tensor([0, 2]), schedule.level(0.0), schedule.level(0.25), torch.zeros(()), 1).exp()
        tensor([[0.7500, 0.0000, 0.2500],
                [0.0000, 0.0000, 1.0000]])
    """

    def __init__(self, values: int) -> None:
        super().__init__(values, values + 1)

    def row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class."""
        keep, lost = self._keep_and_lost(log_keep(s, t), like, event_dim)
        masked, same = _indicator(torch.full_like(x, self.values), self.states), _indicator(x, self.states)
        never = torch.full_like(keep, -torch.inf)
        from_value = torch.where(same, keep, torch.where(masked, lost, never))
        return torch.where((x == self.values).unsqueeze(-1), torch.where(same, torch.zeros_like(keep), never), from_value)

    def column(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class."""
        keep, lost = self._keep_and_lost(log_keep(s, t), like, event_dim)
        same = _indicator(x, self.states)
        to_value = torch.where(same, keep, torch.full_like(keep, -torch.inf))
        to_mask = torch.where(same, torch.zeros_like(lost), lost)
        return torch.where((x == self.values).unsqueeze(-1), to_mask, to_value)

    def mixture(self, log_weights: Tensor, s: NoiseLevel, event_dim: int) -> Tensor:
        """See the base class."""
        keep, lost = self._keep_and_lost(logsigmoid(s.log_snr), log_weights, event_dim)
        return torch.cat([keep + log_weights, lost + log_weights.logsumexp(-1, keepdim=True)], -1)

    def noise(self, like: Tensor) -> Tensor:
        """See the base class: the mask."""
        return torch.where(torch.arange(self.states, device=like.device) == self.values, like.new_zeros(()), -torch.inf)

    def _keep_and_lost(self, keep: Tensor, like: Tensor, event_dim: int) -> tuple[Tensor, Tensor]:
        return as_states(keep, event_dim, like), as_states(log_lost(keep), event_dim, like)


def log_lost(keep: Tensor) -> Tensor:
    r""":math:`\log(1 - \kappa)` from :math:`\log\kappa`, exact at both ends.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains.categorical_kernels import log_lost
        >>> log_lost(torch.tensor([0.0, -torch.inf]))
        tensor([-inf, 0.])
    """
    return torch.log(-torch.expm1(keep))


def as_states(coefficient: Tensor, event_dim: int, like: Tensor) -> Tensor:
    """Let a coefficient of the shape of a batch broadcast over event and states, in the dtype and on the device of ``like``.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains.categorical_kernels import as_states
        >>> as_states(torch.ones(5), 2, torch.zeros(())).shape
        torch.Size([5, 1, 1, 1])
    """
    return coefficient.to(dtype=like.dtype, device=like.device)[(..., *(None,) * (event_dim + 1))]


def _indicator(x: Tensor, states: int) -> Tensor:
    """Whether each state is x, ``[*batch, *event, states]``."""
    return x.unsqueeze(-1) == torch.arange(states, device=x.device)
