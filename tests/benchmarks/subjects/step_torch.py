"""The optimization step written by hand in torch: closed-form KL, binary cross-entropy from logits, no distribution objects."""

import math

import torch
from torch import nn
from torch.nn import functional

from tests.benchmarks.cases import FlowCase, StepCase
from tests.benchmarks.subjects.steps import ChainNets, Nets, Step, data, optimized

PACKAGE = "torch"


class _VAELoss(nn.Module):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.nets = Nets(case)
        self.particles = case.particles

    def forward(self, x):
        loc, log_scale = self.nets.encode(x)
        scale = log_scale.exp()
        if self.particles > 1:
            return self.importance_weighted(x, loc, scale, log_scale)
        z = loc + scale * torch.randn_like(scale)
        reconstruction = functional.binary_cross_entropy_with_logits(self.nets.decoder(z), x, reduction="sum")
        return reconstruction + 0.5 * (loc.square() + scale.square() - 2 * log_scale - 1).sum()

    def importance_weighted(self, x, loc, scale, log_scale):
        noise = torch.randn(self.particles, *loc.shape, device=loc.device)
        z = loc + scale * noise
        logits = self.nets.decoder(z)
        bits = functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)
        log_weights = 0.5 * (noise.square() - z.square()).sum(-1) + log_scale.sum(-1) - bits
        return (math.log(self.particles) - log_weights.logsumexp(0)).sum()


class _ChainLoss(nn.Module):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        self.nets = ChainNets(case)

    def forward(self, x):
        nets = self.nets
        loc, log_scale = nets.first(x).chunk(2, -1)
        scale = log_scale.exp()
        divergence = 0.5 * (loc.square() + scale.square() - 2 * log_scale - 1).sum()
        z = loc + scale * torch.randn_like(scale)
        for prior, posterior in zip(nets.priors, nets.posteriors, strict=True):
            prior_loc, prior_log_scale = prior(z).chunk(2, -1)
            loc, log_scale = posterior(z).chunk(2, -1)
            scale = log_scale.exp()
            square = (scale.square() + (loc - prior_loc).square()) * torch.exp(-2 * prior_log_scale)
            divergence = divergence + (prior_log_scale - log_scale + 0.5 * square - 0.5).sum()
            z = loc + scale * torch.randn_like(scale)
        return divergence + functional.binary_cross_entropy_with_logits(nets.pixels(z), x, reduction="sum")


class _FlowLoss(nn.Module):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        from tests.benchmarks.subjects import own

        self.bijector = own.build(FlowCase("spline coupling", case.dim, case.batch, case.device)).module

    def forward(self, x):
        z, log_det = self.bijector.inverse_and_log_det(x)
        return 0.5 * z.square().sum() + 0.5 * z.numel() * math.log(2 * math.pi) - log_det.sum()


def build_step(case: StepCase, *, compiled: bool) -> Step:
    kind = {"flow": _FlowLoss, "levels": _ChainLoss}.get(case.model, _VAELoss)
    loss = kind(case).to(case.device)
    call = torch.compile(loss) if compiled else loss
    x = data(case)
    return optimized(loss, lambda: call(x))
