"""One module a library: ``build(case)`` gives a flow, or ``build_step(case, compiled)`` an optimization step.

Libraries are imported inside the functions, in a worker process of their own: some of them change torch when imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor, nn


@dataclass(frozen=True)
class Flow:
    """What is timed of a flow.

    Attributes:
        module: Holds all parameters.
        log_prob: ``[batch, D]`` to ``[batch]``.
        sample: Number of samples to ``[n, D]``.
        extra: What else the worker answers when it has built the flow.
    """

    module: nn.Module
    log_prob: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.module.parameters())


def mlp(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with ReLU between them: the same matrices for everybody."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(sizes):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
