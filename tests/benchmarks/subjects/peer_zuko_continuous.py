"""zuko's continuous flow: https://github.com/probabilists/zuko"""

import copy

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow
from tests.benchmarks.subjects.continuous_parts import ATOL, HIDDEN, RTOL, counted, error, roughen

PACKAGE = "zuko"


def build(case: FlowCase) -> Flow:
    import zuko

    flow = zuko.flows.CNF(case.dim, rtol=RTOL, atol=ATOL, hidden_features=HIDDEN)
    roughen(flow.transform.ode)
    precise = copy.deepcopy(flow).double()
    precise.transform.rtol = precise.transform.atol = 1e-10
    calls = [0]
    flow.transform.ode.register_forward_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
    timed = Flow(flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,)))
    extra = {
        "evaluations": counted(timed, case.dim, case.batch, calls),
        "error_nats": error(timed.log_prob, lambda x: precise().log_prob(x), case.dim),
    }
    return Flow(flow, timed.log_prob, timed.sample, extra)
