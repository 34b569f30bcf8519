"""diffusers: its schedulers, called as in its documentation."""

from collections.abc import Callable

import torch

from tests.benchmarks.cases import SamplerCase

PACKAGE = "diffusers"


def build_sampler(case: SamplerCase) -> Callable[[], object]:
    from diffusers import (
        DDIMScheduler,
        DDPMScheduler,
        DPMSolverMultistepScheduler,
        HeunDiscreteScheduler,
        UniPCMultistepScheduler,
    )

    beta = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
    makers = {
        "ddim": lambda: DDIMScheduler(**beta, clip_sample=False),
        "ancestral": lambda: DDPMScheduler(**beta, clip_sample=False),
        "dpm_solver": lambda: DPMSolverMultistepScheduler(**beta),
        "heun": lambda: HeunDiscreteScheduler(**beta),
        "uni_pc": lambda: UniPCMultistepScheduler(**beta),
    }
    scheduler = makers[case.sampler]()
    start = torch.randn(case.shape, device=case.device)

    def run() -> torch.Tensor:
        scheduler.set_timesteps(case.steps, device=case.device)
        x = start * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            x = scheduler.step(0.1 * scheduler.scale_model_input(x, t), t, x).prev_sample
        return x

    return run
