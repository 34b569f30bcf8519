"""probgen: FFJORD as the recipe makes it."""

import copy

import torch

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow
from tests.benchmarks.subjects.continuous_parts import ATOL, HIDDEN, LOG_DET_ATOL, RTOL, counted, error, roughen

PACKAGE = "probgen"


def build(case: FlowCase) -> Flow:
    from probgen.distributions import TransformedDistribution, standard_normal
    from probgen.distributions.bijectors import ContinuousFlow
    from probgen.nn import ConcatSquashMLP

    torch.distributions.Distribution.set_default_validate_args(False)
    calls, field = [0], ConcatSquashMLP(case.dim, hidden=HIDDEN)
    roughen(field)

    def law(of: torch.nn.Module, rtol: float, atol: float, loose: float) -> TransformedDistribution:
        flow = ContinuousFlow(of, (case.dim,), rtol=rtol, atol=atol, log_det_atol=loose)
        return TransformedDistribution(standard_normal(case.dim), flow, validate_args=False)

    timed = law(field, RTOL, ATOL, LOG_DET_ATOL)
    precise = law(copy.deepcopy(field).double(), 1e-9, 1e-9, 1e-9)
    field.layers[0].register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    flow = Flow(field, timed.log_prob, lambda n: timed.sample((n,)))
    extra = {
        "evaluations": counted(flow, case.dim, case.batch, calls),
        "error_nats": error(flow.log_prob, precise.log_prob, case.dim),
    }
    return Flow(field, flow.log_prob, flow.sample, extra)
