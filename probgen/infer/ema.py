r"""Exponential moving average of the weights.

After step :math:`k`, :math:`\bar\theta_k = d\,\bar\theta_{k-1} + (1 - d)\,\theta_k`. Averaged weights often generalize
better than the last ones. With warm-up, :math:`d_k = \min(d, (1 + k)/(10 + k))`, so the start is forgotten quickly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["EMA"]


class EMA:
    """A moving average of a module's parameters; give it to ``infer.fit(..., ema=...)``.

    Args:
        module: Whose parameters to average.
        decay: The factor d, in [0, 1).
        warmup: Use a smaller factor in the first steps.

    Raises:
        ValueError: ``decay`` is outside [0, 1).

    References:
        Polyak, Juditsky (1992). Acceleration of stochastic approximation by averaging. https://doi.org/10.1137/0330046

    Example:
        >>> import torch
        >>> from probgen.infer import EMA
        >>> net = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(net.weight)
        >>> ema = EMA(net, decay=0.5, warmup=False)
        >>> _ = torch.nn.init.ones_(net.weight)
        >>> ema.update()
        >>> with ema.applied():
        ...     print(net.weight.item())
        0.5
    """

    def __init__(self, module: nn.Module, decay: float = 0.999, *, warmup: bool = True) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"`decay` must lie in [0, 1); got {decay}.")
        self.module = module
        self.decay = decay
        self.warmup = warmup
        self.steps = 0
        self.average: list[Tensor] = [value.clone() for value in self._current()]

    @torch.no_grad()
    def update(self) -> None:
        """Take the module's present parameters into the average."""
        current = self._current()
        self._start(current)
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.warmup else self.decay
        torch._foreach_lerp_(self.average, current, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module holds the averaged parameters."""
        current = self._current()
        self._start(current)
        kept = [value.clone() for value in current]
        try:
            _copy(current, self.average)
            yield
        finally:
            _copy(current, kept)

    def copy_to_module(self) -> None:
        """Leave the averaged parameters in the module for good; the last ones are forgotten.

        Statistics of batch normalization are not averaged: draw a few batches in training mode afterwards.
        """
        current = self._current()
        self._start(current)
        _copy(current, self.average)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of steps."""
        return {"average": list(self.average), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: it is the average of parameters of other shapes.
        """
        saved, current = state["average"], self._current()
        shapes, wanted = [tuple(value.shape) for value in saved], [tuple(value.shape) for value in current]
        if shapes != wanted:
            raise ValueError(f"`state` must average parameters of the shapes {wanted}; got {shapes}.")
        self.steps = state["steps"]
        self.average = [value.detach().to(now.device).clone() for value, now in zip(saved, current, strict=True)]

    def _current(self) -> list[Tensor]:
        return [parameter.detach() for parameter in self.module.parameters()]

    def _start(self, current: list[Tensor]) -> None:
        if len(self.average) != len(current):
            self.average = [value.clone() for value in current]
        elif self.average and self.average[0].device != current[0].device:
            self.average = [v.to(c.device) for v, c in zip(self.average, current, strict=True)]


@torch.no_grad()
def _copy(targets: list[Tensor], sources: list[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)
