"""What the subjects of continuous flows share: weights, tolerances, the count of evaluations, the error of a density."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.benchmarks.subjects import Flow

RTOL, ATOL, LOG_DET_ATOL = 1e-5, 1e-6, 1e-4
HIDDEN = (64, 64)


def roughen(module: nn.Module) -> None:
    """Weights as after some training, the same for the same shapes."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1.5 / math.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.1
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))


def counted(flow: Flow, case_dim: int, batch: int, calls: list[int]) -> dict[str, int]:
    """How often the field is evaluated in each operation."""
    x, counts = torch.randn(batch, case_dim, generator=torch.Generator().manual_seed(1)), {}

    def train() -> None:
        (-flow.log_prob(x.clone()).mean()).backward()

    runs: dict[str, Callable[[], object]] = {
        "log_prob": torch.no_grad()(lambda: flow.log_prob(x.clone())),
        "train": train,
        "sample": torch.no_grad()(lambda: flow.sample(batch)),
    }
    for name, run in runs.items():
        calls[0] = 0
        run()
        counts[name] = calls[0]
    return counts


def error(log_prob: Callable[[Tensor], Tensor], precise: Callable[[Tensor], Tensor], dim: int) -> float:
    """The largest error of a log-density on 32 rows, in nats."""
    x = torch.randn(32, dim, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return float((log_prob(x) - precise(x.double())).abs().max())
