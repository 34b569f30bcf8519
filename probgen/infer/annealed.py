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
    r"""A value that moves from ``start`` to ``end`` in ``steps`` steps, then stays.

    With :math:`u = \min(k / \mathrm{steps}, 1)` after :math:`k` calls of ``advance`` (``infer.fit`` calls it after every
    step), the value is :math:`a + (b - a) u` ("linear"), :math:`a + (b - a)(1 - \cos \pi u)/2` ("cosine") or :math:`a
    (b/a)^u` ("exponential").

    Args:
        start: First value a.
        end: Last value b.
        steps: How many steps from one to the other.
        shape: The curve.

    Raises:
        ValueError: ``steps`` is not positive, or an exponential curve whose ends are not positive.

    Example:
        >>> from probgen.infer import Annealed
        >>> beta = Annealed(0.0, 1.0, steps=4)
        >>> beta.advance()
        >>> beta()
        tensor(0.2500)
    """

    def __init__(
        self, start: float, end: float, steps: int, *, shape: Literal["linear", "cosine", "exponential"] = "linear"
    ) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {steps}.")
        if shape == "exponential" and not (start > 0 and end > 0):
            raise ValueError(f"an exponential curve needs positive ends; got start={start}, end={end}.")
        self.start, self.end, self.steps, self.shape = start, end, steps, shape
        self.step: Tensor
        self.register_buffer("step", torch.zeros(()))

    def forward(self) -> Tensor:
        """Return the present value: a scalar tensor."""
        u = (self.step / self.steps).clamp(max=1.0)
        if self.shape == "exponential":
            return self.start * torch.exp(u * math.log(self.end / self.start))
        if self.shape == "cosine":
            u = (1.0 - torch.cos(math.pi * u)) / 2.0
        return self.start + (self.end - self.start) * u

    def advance(self) -> None:
        """Go one step further."""
        with torch.no_grad():
            self.step += 1
