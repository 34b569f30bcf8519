"""nflows: https://github.com/bayesiains/nflows"""

import torch
from torch import nn

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow, mlp

PACKAGE = "nflows"


class _Net(nn.Module):
    """The conditioner with nflows' signature."""

    def __init__(self, inputs: int, outputs: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.net = mlp((inputs, *hidden, outputs))

    def forward(self, x, context=None):
        return self.net(x)


def build(case: FlowCase) -> Flow:
    from nflows import distributions, flows, transforms

    parts = []
    for layer in range(case.layers):
        if case.kind != "spline coupling" and layer:
            parts.append(transforms.ReversePermutation(case.dim))
        parts.append(_layer(case, layer, transforms))
    flow = flows.Flow(transforms.CompositeTransform(parts), distributions.StandardNormal([case.dim])).to(case.device)
    return Flow(flow, flow.log_prob, flow.sample)


def _layer(case, layer, transforms):
    spline = {"num_bins": case.bins, "tails": "linear", "tail_bound": case.bound}
    if case.kind == "spline coupling":
        mask = torch.ones(case.dim)
        mask[: case.dim // 2] = -1
        return transforms.PiecewiseRationalQuadraticCouplingTransform(
            mask if layer % 2 else -mask, lambda n, m: _Net(n, m, case.hidden), **spline
        )
    options = {"hidden_features": case.hidden[0], "num_blocks": len(case.hidden) - 1, "use_residual_blocks": False}
    if case.kind == "affine autoregressive":
        return transforms.MaskedAffineAutoregressiveTransform(case.dim, **options)
    return transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(case.dim, **spline, **options)
