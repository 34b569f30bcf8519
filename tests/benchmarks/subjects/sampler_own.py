"""probgen: samplers."""

from collections.abc import Callable

import torch

from tests.benchmarks.cases import SamplerCase

PACKAGE = "probgen"


def build_sampler(case: SamplerCase) -> Callable[[], object]:
    from probgen.diffusion import samplers
    from probgen.distributions.chains import NetworkDenoiser, TimeGrid, linear_schedule

    class Network(torch.nn.Module):
        def forward(self, x: torch.Tensor, log_snr: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            return 0.1 * x

    schedule = linear_schedule(1000)
    denoiser = NetworkDenoiser(Network(), schedule, case.shape[1:], parameterization="eps").to(case.device)
    spaced = case.sampler in ("ddim", "ancestral")
    grid = TimeGrid(1000).respaced(case.steps) if spaced else TimeGrid.log_snr(linear_schedule(1000), case.steps)
    sampler = getattr(samplers, case.sampler)(denoiser, grid)
    x = torch.randn(case.shape, device=case.device)
    return lambda: sampler(x)
