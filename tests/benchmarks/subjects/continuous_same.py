"""probgen with zuko's network: a perceptron of the point and of cosines and sines of time, its divergence differentiated."""

import copy
import math

import torch
from torch import Tensor, nn

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow
from tests.benchmarks.subjects.continuous_parts import ATOL, HIDDEN, LOG_DET_ATOL, RTOL, counted, error, roughen

PACKAGE = "probgen"


class Field(nn.Module):
    """The network of zuko's CNF."""

    def __init__(self, features: int, calls: list[int]) -> None:
        super().__init__()
        first, second = HIDDEN
        layers = nn.Linear(features + 6, first), nn.ELU(), nn.Linear(first, second), nn.ELU(), nn.Linear(second, features)
        self.net = nn.Sequential(*layers)
        self.register_buffer("frequencies", torch.arange(1, 4) * math.pi)
        self.calls = calls

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        self.calls[0] += 1
        angle = self.frequencies * t
        time = torch.cat([angle.cos(), angle.sin()], -1).expand(len(x), -1)
        return self.net(torch.cat([time, x], -1))


def build(case: FlowCase) -> Flow:
    from probgen.distributions import TransformedDistribution, standard_normal
    from probgen.distributions.bijectors import ContinuousFlow

    torch.distributions.Distribution.set_default_validate_args(False)
    calls = [0]
    field = Field(case.dim, calls)
    roughen(field)

    def law(of: nn.Module, rtol: float, atol: float, loose: float) -> TransformedDistribution:  # zuko's time begins at the data
        flow = ContinuousFlow(of, (case.dim,), times=(1.0, 0.0), rtol=rtol, atol=atol, log_det_atol=loose)
        return TransformedDistribution(standard_normal(case.dim), flow, validate_args=False)

    timed = law(field, RTOL, ATOL, LOG_DET_ATOL)
    flow = Flow(field, timed.log_prob, lambda n: timed.sample((n,)))
    precise = law(copy.deepcopy(field).double(), 1e-9, 1e-9, 1e-9)
    extra = {
        "evaluations": counted(flow, case.dim, case.batch, calls),
        "error_nats": error(flow.log_prob, precise.log_prob, case.dim),
    }
    return Flow(field, flow.log_prob, flow.sample, extra)
