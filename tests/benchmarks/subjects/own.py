"""probgen: the library under test."""

import torch

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow

PACKAGE = "probgen"


def build(case: FlowCase) -> Flow:
    from probgen import flows
    from probgen.distributions import TransformedDistribution, standard_normal

    torch.distributions.Distribution.set_default_validate_args(False)  # no peer reads values either

    common = {"features": case.dim, "layers": case.layers, "hidden": case.hidden}
    spline = {"bins": case.bins, "bound": case.bound}
    if case.kind == "spline coupling":
        bijector = flows.neural_spline_coupling(**common, **spline)
    elif case.kind == "affine autoregressive":
        bijector = flows.masked_autoregressive_flow(**common)
    else:
        bijector = flows.neural_spline_autoregressive(**common, **spline)
    bijector = bijector.to(case.device)
    law = TransformedDistribution(standard_normal(case.dim), bijector, validate_args=False)
    return Flow(bijector, law.log_prob, lambda n: law.sample((n,)))
