"""normflows: https://github.com/VincentStimper/normalizing-flows"""

import torch

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow
from tests.benchmarks.subjects.peer_nflows import _Net

PACKAGE = "normflows"


def build(case: FlowCase) -> Flow:
    import normflows as nf

    parts = []
    for layer in range(case.layers):
        if case.kind != "spline coupling" and layer:
            parts.append(nf.flows.Permute(case.dim, mode="swap"))
        parts.append(_layer(case, layer, nf))
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(case.dim, trainable=False), parts).to(case.device)
    return Flow(flow, flow.log_prob, lambda n: flow.sample(n)[0])


def _layer(case, layer, nf):
    spline = {"num_bins": case.bins, "tails": "linear", "tail_bound": case.bound}
    if case.kind == "affine autoregressive":
        part = nf.flows.MaskedAffineAutoregressive(
            case.dim, case.hidden[0], num_blocks=len(case.hidden) - 1, use_residual_blocks=False
        )
        return nf.flows.Reverse(part)  # as it comes, log_prob would be the direction of D passes
    if case.kind == "spline coupling":
        from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling

        mask = torch.ones(case.dim)
        mask[: case.dim // 2] = -1
        part = PiecewiseRationalQuadraticCoupling(mask if layer % 2 else -mask, lambda n, m: _Net(n, m, case.hidden), **spline)
    else:
        from normflows.flows.neural_spline.autoregressive import MaskedPiecewiseRationalQuadraticAutoregressive

        part = MaskedPiecewiseRationalQuadraticAutoregressive(
            case.dim,
            hidden_features=case.hidden[0],
            context_features=None,
            num_blocks=len(case.hidden) - 1,
            use_residual_blocks=False,
            permute_mask=False,
            init_identity=False,
            **spline,
        )
    return nf.flows.Reverse(part)
