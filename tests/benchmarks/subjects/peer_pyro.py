"""Pyro's own transforms: https://github.com/pyro-ppl/pyro"""

import torch
from torch import nn

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow

PACKAGE = "pyro-ppl"


def build(case: FlowCase) -> Flow:
    import pyro.distributions as dist

    modules = nn.ModuleList()
    transforms = []
    for layer in range(case.layers):
        if layer:
            transforms.append(dist.transforms.Permute(torch.arange(case.dim - 1, -1, -1, device=case.device)))
        part = _layer(case).to(case.device)
        modules.append(part)
        transforms.append(part if case.kind == "spline coupling" else part.inv)
    zeros = torch.zeros(case.dim, device=case.device)
    base = dist.Normal(zeros, zeros + 1).to_event(1)
    law = dist.TransformedDistribution(base, transforms, validate_args=False)
    return Flow(modules, law.log_prob, lambda n: law.sample((n,)))


def _layer(case):
    from pyro.distributions import transforms
    from pyro.nn import AutoRegressiveNN, DenseNN

    hidden, half = list(case.hidden), case.dim // 2
    if case.kind == "spline coupling":
        rest = case.dim - half
        net = DenseNN(half, hidden, [rest * case.bins, rest * case.bins, rest * (case.bins - 1)])
        return transforms.SplineCoupling(case.dim, half, net, case.bins, case.bound, order="quadratic", identity=True)
    if case.kind == "affine autoregressive":
        return transforms.AffineAutoregressive(AutoRegressiveNN(case.dim, hidden))
    net = AutoRegressiveNN(case.dim, hidden, param_dims=[case.bins, case.bins, case.bins - 1])
    return transforms.SplineAutoregressive(case.dim, net, case.bins, case.bound, order="quadratic")
