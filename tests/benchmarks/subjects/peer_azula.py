"""azula: its samplers around a denoiser that does nothing."""

from collections.abc import Callable

import torch

from tests.benchmarks.cases import SamplerCase

PACKAGE = "azula"


def build_sampler(case: SamplerCase) -> Callable[[], object]:
    from azula.denoise import Denoiser, DiracPosterior
    from azula.noise import VPSchedule
    from azula.sample import DDIMSampler, DDPMSampler, HeunSampler, xEABSampler

    class Tenth(Denoiser):
        def __init__(self) -> None:
            super().__init__()
            self.schedule = VPSchedule()

        def forward(self, x_t: torch.Tensor, t: torch.Tensor, **options: object) -> DiracPosterior:
            return DiracPosterior(mean=0.1 * x_t)

    makers = {
        "ddim": lambda d: DDIMSampler(d, steps=case.steps, eta=0.0, silent=True, device=case.device),
        "ancestral": lambda d: DDPMSampler(d, steps=case.steps, silent=True, device=case.device),
        "dpm_solver": lambda d: xEABSampler(d, steps=case.steps, order=2, silent=True, device=case.device),
        "heun": lambda d: HeunSampler(d, steps=case.steps, silent=True, device=case.device),
    }
    if case.sampler not in makers:
        raise NotImplementedError(f"azula has no {case.sampler}")
    sampler = makers[case.sampler](Tenth().to(case.device))
    x = torch.randn(case.shape, device=case.device)
    return lambda: sampler(x)
