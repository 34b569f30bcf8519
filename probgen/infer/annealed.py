r"""Schedule values that compiled steps follow.

A number that changes during training (the weight :math:`\beta` of a KL term, a temperature) must be a tensor, or a recorded
step would keep its first value. :class:`Annealed` holds its position in a buffer, so the value is part of the tensor
program, moves with ``.to``, and is restored from checkpoints.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Annealed"]


class Annealed(nn.Module):
    r"""A value that moves from ``start`` to ``end``, once or in cycles, within ``steps`` steps, then stays.

    After :math:`k` calls of ``advance`` (``infer.fit`` calls it after every step) the value is :math:`a + (b - a) u`
    ("linear"), :math:`a + (b - a)(1 - \cos \pi u)/2` ("cosine") or :math:`a (b/a)^u` ("exponential"), where :math:`u = \min(k
    / \mathrm{steps}, 1)`. With M cycles it starts again M - 1 times, and rises during the first part r of each cycle,

    .. math:: u = \min\bigl(\tfrac1r (M k / \mathrm{steps} \bmod 1),\, 1\bigr) \ \text{for}\ k < \mathrm{steps}, \qquad u = 1
        \ \text{after}.

    Args:
        start: First value a.
        end: Last value b.
        steps: How many steps all cycles take together.
        shape: The curve.
        cycles: How many times the value rises (M).
        rising: The part of a cycle in which it rises (r); it keeps the last value in the rest. One half is common for cyclical
            annealing of a divergence.

    Raises:
        ValueError: ``steps`` or ``cycles`` is not positive, ``rising`` is not in (0, 1], or an exponential curve whose ends
            are not positive.

    References:
        Fu, Li, Liu, Gao, Celikyilmaz, Carin (2019). Cyclical annealing schedule: a simple approach to mitigating KL vanishing.
        https://arxiv.org/abs/1903.10145

    Example:
        >>> from probgen.infer import Annealed
        >>> beta = Annealed(0.0, 1.0, steps=4)
        >>> beta.advance()
        >>> beta()
        tensor(0.2500)
        >>> again, values = Annealed(0.0, 1.0, steps=8, cycles=2, rising=0.5), []
        >>> for _ in range(9):
        ...     values.append(again().item())
        ...     again.advance()
        >>> values
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        start: float,
        end: float,
        steps: int,
        *,
        shape: Literal["linear", "cosine", "exponential"] = "linear",
        cycles: int = 1,
        rising: float = 1.0,
    ) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {steps}.")
        if cycles < 1:
            raise ValueError(f"`cycles` must be at least 1; got {cycles}.")
        if not 0.0 < rising <= 1.0:
            raise ValueError(f"`rising` must be in (0, 1]; got {rising}.")
        if shape == "exponential" and not (start > 0 and end > 0):
            raise ValueError(f"an exponential curve needs positive ends; got start={start}, end={end}.")
        self.start, self.end, self.steps, self.shape = start, end, steps, shape
        self.cycles, self.rising = cycles, rising
        self.step: Tensor
        self.register_buffer("step", torch.zeros((), dtype=torch.long))  # a count in half precision would stop at 256

    def forward(self) -> Tensor:
        """Return the present value: a scalar tensor."""
        u = self._position()
        if self.shape == "exponential":
            return self.start * torch.exp(u * math.log(self.end / self.start))
        if self.shape == "cosine":
            u = (1.0 - torch.cos(math.pi * u)) / 2.0
        return self.start + (self.end - self.start) * u

    def _position(self) -> Tensor:
        """How far the value has risen, u in [0, 1]."""
        done = self.step / self.steps
        if self.cycles > 1:
            in_cycle = torch.remainder(self.step * self.cycles, self.steps) / self.steps
            done = torch.where(self.step < self.steps, in_cycle, torch.ones_like(done))
        return (done / self.rising).clamp(max=1.0)

    def advance(self) -> None:
        """Go one step further."""
        with torch.no_grad():
            self.step += 1
