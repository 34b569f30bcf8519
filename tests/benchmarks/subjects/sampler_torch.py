"""Samplers as one writes them by hand: a loop over coefficients that were worked out before."""

import math
from collections.abc import Callable

import torch

from tests.benchmarks.cases import SamplerCase

PACKAGE = "torch"

Rows = list[dict[str, float]]


def build_sampler(case: SamplerCase) -> Callable[[], object]:
    rows, x = _rows(case), torch.randn(case.shape, device=case.device)
    loop = {"ddim": _ddim, "ancestral": _ancestral, "dpm_solver": _dpm_solver, "heun": _heun, "uni_pc": _uni_pc}[case.sampler]
    return lambda: loop(x, rows)


def _network(x: torch.Tensor) -> torch.Tensor:
    return 0.1 * x


def _rows(case: SamplerCase) -> Rows:
    """Scales at both ends of every step, and half the gain in log-SNR; steps are even in time or in log-SNR."""
    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    half = ((abar / (1 - abar)).log() / 2).flip(0)
    if case.sampler in ("ddim", "ancestral"):
        half = half[torch.linspace(0, 999, case.steps).long()]
    else:
        half = torch.linspace(float(half[0]), float(half[-1]), case.steps, dtype=torch.float64)
    alpha, sigma = [*torch.sigmoid(2 * half).sqrt().tolist(), 1.0], [*torch.sigmoid(-2 * half).sqrt().tolist(), 0.0]
    ends = [*half.tolist(), math.inf]
    return [
        {"a": alpha[i], "s": sigma[i], "a1": alpha[i + 1], "s1": sigma[i + 1], "h": ends[i + 1] - ends[i]}
        for i in range(case.steps)
    ]


def _ddim(x: torch.Tensor, rows: Rows) -> torch.Tensor:
    for r in rows:
        c = r["a1"] / r["a"]
        x = c * x + (r["s1"] - c * r["s"]) * _network(x)
    return x


def _ancestral(x: torch.Tensor, rows: Rows) -> torch.Tensor:
    for r in rows:
        kept = (r["a"] / r["a1"]) ** 2
        x = (x - (1 - kept) / r["s"] * _network(x)) / math.sqrt(kept)
        if r["s1"]:
            x = x + math.sqrt((1 - kept) * r["s1"] ** 2 / r["s"] ** 2) * torch.randn_like(x)
    return x


def _dpm_solver(x: torch.Tensor, rows: Rows) -> torch.Tensor:
    previous, before = None, 0.0
    for r in rows:
        mean = (x - r["s"] * _network(x)) / r["a"]
        used = mean
        if previous is not None and r["s1"]:
            tilt = r["h"] / before / 2
            used = (1 + tilt) * mean - tilt * previous
        x = r["s1"] / r["s"] * x - r["a1"] * math.expm1(-r["h"]) * used
        previous, before = mean, r["h"]
    return x


def _heun(x: torch.Tensor, rows: Rows) -> torch.Tensor:
    for r in rows:
        step, start, slope = r["s1"] / r["a1"] - r["s"] / r["a"], x / r["a"], _network(x)
        end = r["a1"] * (start + step * slope)
        x = r["a1"] * (start + step / 2 * (slope + _network(end))) if r["s1"] else end
    return x


def _uni_pc(x: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Second order, as in the paper with B(h) = h: predict, evaluate, correct."""
    corrected, means, last = x, [], None
    for r in rows:
        mean = (x - r["s"] * _network(x)) / r["a"]
        if last is not None:
            before = last["s1"] / last["s"] * corrected - last["a1"] * math.expm1(-last["h"]) * means[0]
            corrected = before + 0.5 * last["a1"] * last["h"] * (mean - means[0])
            if len(means) > 1:
                corrected = corrected - last["a1"] * last["h"] / 12 * (means[0] - means[1])
        means = [mean, *means[:1]]
        x = r["s1"] / r["s"] * corrected - r["a1"] * math.expm1(-r["h"]) * mean
        if len(means) > 1 and r["s1"]:
            x = x + 0.5 * r["a1"] * r["h"] * (mean - means[1])
        last = r
    return x
