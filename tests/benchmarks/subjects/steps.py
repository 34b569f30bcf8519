"""What the three arms of an optimization step share: networks, data, and the fused Adam that all of them use."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.benchmarks.cases import StepCase
from tests.benchmarks.subjects import mlp

Step = Callable[[], None]


class Nets(nn.Module):
    """Encoder 784 - hidden - 2 latent and decoder latent - hidden - 784."""

    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.encoder = mlp((784, case.hidden, 2 * case.latent))
        self.decoder = mlp((case.latent, case.hidden, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        loc, log_scale = self.encoder(x).chunk(2, -1)
        return loc, log_scale


def data(case: StepCase) -> Tensor:
    """Binary pixels for a VAE, normal vectors for a flow."""
    generator = torch.Generator().manual_seed(0)
    if case.model == "vae":
        return (torch.rand(case.batch, 784, generator=generator) < 0.2).float().to(case.device)
    return torch.randn(case.batch, case.dim, generator=generator).to(case.device)


def optimized(module: nn.Module, loss: Callable[[], Tensor]) -> Step:
    """One step of fused Adam on ``loss``."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return step
