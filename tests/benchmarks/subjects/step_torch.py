"""The optimization step written by hand in torch: closed-form KL, binary cross-entropy from logits, no distribution objects."""

import math

import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.cases import FlowCase, StepCase
from tests.benchmarks.subjects.steps import Nets, Step, data, optimized

PACKAGE = "torch"


class _VAELoss(nn.Module):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.nets = Nets(case)

    def forward(self, x):
        loc, log_scale = self.nets.encode(x)
        scale = log_scale.exp()
        z = loc + scale * torch.randn_like(scale)
        reconstruction = functional.binary_cross_entropy_with_logits(self.nets.decoder(z), x, reduction="sum")
        return reconstruction + 0.5 * (loc.square() + scale.square() - 2 * log_scale - 1).sum()


class _FlowLoss(nn.Module):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        from tests.benchmarks.subjects import own

        self.bijector = own.build(FlowCase("spline coupling", case.dim, case.batch, case.device)).module

    def forward(self, x):
        z, log_det = self.bijector.inverse_and_log_det(x)
        return 0.5 * z.square().sum() + 0.5 * z.numel() * math.log(2 * math.pi) - log_det.sum()


def build_step(case: StepCase, *, compiled: bool) -> Step:
    loss = (_VAELoss(case) if case.model == "vae" else _FlowLoss(case)).to(case.device)
    call = torch.compile(loss) if compiled else loss
    x = data(case)
    return optimized(loss, lambda: call(x))
