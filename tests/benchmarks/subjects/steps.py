"""What the three arms of an optimization step share: networks, data, and the fused Adam that all of them use."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

from tests.benchmarks.cases import StepCase
from tests.benchmarks.subjects import mlp

Step = Callable[[], None]
RESTART = 200


class Nets(nn.Module):
    """Encoder 784 - hidden - 2 latent and decoder latent - hidden - 784."""

    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.encoder = mlp((784, case.hidden, 2 * case.latent))
        self.decoder = mlp((case.latent, case.hidden, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        loc, log_scale = self.encoder(x).chunk(2, -1)
        return loc, log_scale


class ChainNets(nn.Module):
    """For every level of latents, four coordinates each, the network of its law in the model and in the guide."""

    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.first = mlp((16, case.hidden, 8))
        self.priors = nn.ModuleList([mlp((4, case.hidden, 8)) for _ in range(case.levels - 1)])
        self.posteriors = nn.ModuleList([mlp((4, case.hidden, 8)) for _ in range(case.levels - 1)])
        self.pixels = mlp((4, case.hidden, 16))


def data(case: StepCase) -> Tensor:
    """Binary pixels for a VAE, a few of them for a chain of latents, normal vectors for a flow."""
    generator = torch.Generator().manual_seed(0)
    if case.model == "levels":
        return (torch.rand(case.batch, 16, generator=generator) < 0.3).float().to(case.device)
    if case.model != "flow":
        return (torch.rand(case.batch, 784, generator=generator) < 0.2).float().to(case.device)
    return torch.randn(case.batch, case.dim, generator=generator).to(case.device)


def restarting(module: nn.Module, step: Step, forget: Callable[[], object]) -> Step:
    """``step``, going back to the first parameters every ``RESTART`` calls.

    A benchmark repeats one batch. After some 800 steps the averages of Adam that belong to dead units have decayed to subnormal
    numbers, which are slow, and the arm that had made more steps would seem slower.

    Args:
        module: Holds the parameters.
        step: One step of optimization.
        forget: Clears the optimizer's state.
    """
    first = [parameter.detach().clone() for parameter in module.parameters()]
    calls = count(1)

    def restarted() -> None:
        if next(calls) % RESTART == 0:
            with torch.no_grad():
                torch._foreach_copy_(list(module.parameters()), first)
            forget()
        step()

    return restarted


def optimized(module: nn.Module, loss: Callable[[], Tensor]) -> Step:
    """One step of fused Adam on ``loss``."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    return restarting(module, step, optimizer.state.clear)
