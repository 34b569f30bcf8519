"""zuko: https://github.com/probabilists/zuko"""

from tests.benchmarks.cases import FlowCase
from tests.benchmarks.subjects import Flow

PACKAGE = "zuko"


def build(case: FlowCase) -> Flow:
    import zuko
    from zuko.transforms import MonotonicRQSTransform

    options = {"transforms": case.layers, "hidden_features": case.hidden}
    if case.kind == "spline coupling":
        shapes = [(case.bins,), (case.bins,), (case.bins - 1,)]
        flow = zuko.flows.NICE(case.dim, 0, univariate=MonotonicRQSTransform, shapes=shapes, **options)
    elif case.kind == "affine autoregressive":
        flow = zuko.flows.MAF(case.dim, 0, **options)
    else:
        flow = zuko.flows.NSF(case.dim, 0, bins=case.bins, **options)
    flow = flow.to(case.device)
    return Flow(flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,)))
