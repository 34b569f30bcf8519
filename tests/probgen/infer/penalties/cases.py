"""One row for each public penalty."""

from probgen.infer import R1, R2, ConsistencyPenalty, Dragan, GradientPenalty, LeCamPenalty


def shifted(x):
    """A change that draws nothing, so that terms can be compared."""
    return x + 0.5


CASES = {
    "gradient": lambda: GradientPenalty(2.0),
    "one_sided": lambda: GradientPenalty(2.0, one_sided=True),
    "r1": lambda: R1(2.0),
    "r2": lambda: R2(2.0),
    "dragan": lambda: Dragan(2.0),
    "consistency": lambda: ConsistencyPenalty(shifted, 2.0),
    "balanced": lambda: ConsistencyPenalty(shifted, 2.0, balanced=True),
    "le_cam": lambda: LeCamPenalty(2.0),
}
