"""One row for each public divergence: what its estimate is for p = N(0, 1), q = N(1, 1), and for which critic."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from probgen.infer import (
    BoundaryEquilibrium,
    Divergence,
    EnergyDistance,
    FDivergence,
    GaussianKernel,
    Hinge,
    LeastSquares,
    MaximumMeanDiscrepancy,
    Minimax,
    NonSaturating,
    RationalQuadraticKernel,
    Relativistic,
    Wasserstein,
)
from tests.probgen.infer.divergences.line import LOG_RATIO, X, jensen_shannon, normal, normal_cdf


class Case(NamedTuple):
    """A divergence, and where it is a supremum over critics, its value and who attains it."""

    make: Callable[[], Divergence]
    value: float | None = None  # closed form of the supremum for p = N(0, 1), q = N(1, 1)
    best: torch.Tensor | None = None  # the best critic's outputs at the nodes, where ``best_output`` does not give them
    others: tuple[torch.Tensor, ...] = ()  # outputs of other allowed critics, where not every function is one
    mean_of_terms: bool = True  # whether the estimate is a mean over data, draws or pairs


JS = 0.1114214822  # the reference's digits
TRIANGULAR = 0.4081085313
TOTAL_VARIATION = 2 * normal_cdf(0.5) - 1
# Pairs (x, y): the log-ratio is y - x, N(1, 2) under p x q and N(-1, 2) under q x p; so N(+-1/sqrt 2, 1) on the line.
PAIRS_JS = jensen_shannon(normal(0.0), normal(math.sqrt(2.0)))
LIPSCHITZ = (torch.sin(X), X.abs(), -X / 2, torch.zeros_like(X), -torch.tanh(X))

CASES = {
    "minimax": Case(Minimax, JS),
    "non_saturating": Case(NonSaturating, JS),
    "hinge": Case(Hinge, TOTAL_VARIATION),
    "least_squares": Case(LeastSquares, TRIANGULAR),
    "least_squares_paper": Case(lambda: LeastSquares(-1.0, 1.0, 0.0), TRIANGULAR),
    "least_squares_reversed": Case(lambda: LeastSquares(1.0, -2.0, -2.0), TRIANGULAR),
    "wasserstein": Case(Wasserstein, 1.0, -X, LIPSCHITZ),
    "wasserstein_clip": Case(lambda: Wasserstein(clip=0.01), 1.0, -X, LIPSCHITZ),
    "wasserstein_gp": Case(lambda: Wasserstein(0.5), 1.0, -X, LIPSCHITZ),
    "wasserstein_lp": Case(lambda: Wasserstein(lipschitz_penalty=10.0), 1.0, -X, LIPSCHITZ),
    "kl": Case(lambda: FDivergence("kl"), 0.5),
    "kl_alternative": Case(lambda: FDivergence("kl", generator="non_saturating"), 0.5),
    "reverse_kl": Case(lambda: FDivergence("reverse_kl"), 0.5),
    "reverse_kl_log_ratio": Case(lambda: FDivergence("reverse_kl", generator="log_ratio"), 0.5),
    "pearson": Case(lambda: FDivergence("pearson"), math.e - 1),
    "pearson_log_ratio": Case(lambda: FDivergence("pearson", generator="log_ratio"), math.e - 1),
    "hellinger": Case(lambda: FDivergence("hellinger"), 0.23500619),
    "hellinger_alternative": Case(lambda: FDivergence("hellinger", generator="non_saturating"), 0.23500619),
    "jensen_shannon": Case(lambda: FDivergence("jensen_shannon"), JS),
    "jensen_shannon_alternative": Case(lambda: FDivergence("jensen_shannon", generator="non_saturating"), JS),
    "relativistic": Case(lambda: Relativistic(NonSaturating()), PAIRS_JS),
    "relativistic_hinge": Case(lambda: Relativistic(Hinge()), mean_of_terms=False),
    "relativistic_least_squares": Case(lambda: Relativistic(LeastSquares(-1.0, 1.0, 1.0)), mean_of_terms=False),
    "relativistic_average": Case(lambda: Relativistic(NonSaturating(), average=True), mean_of_terms=False),
    "relativistic_average_kl": Case(lambda: Relativistic(FDivergence("kl"), average=True), mean_of_terms=False),
    "boundary_equilibrium": Case(lambda: BoundaryEquilibrium(0.5, 0.1), mean_of_terms=False),
    "mmd_gaussian": Case(lambda: MaximumMeanDiscrepancy(GaussianKernel((0.5, 2.0))), mean_of_terms=False),
    "mmd_rational": Case(lambda: MaximumMeanDiscrepancy(RationalQuadraticKernel()), mean_of_terms=False),
    "energy": Case(EnergyDistance, mean_of_terms=False),
    "energy_half": Case(lambda: EnergyDistance(0.5), mean_of_terms=False),
}

BOUNDS = {name: case for name, case in CASES.items() if case.value is not None}


def best_outputs(case):
    """The best critic's outputs at the nodes."""
    return case.make().best_output(LOG_RATIO) if case.best is None else case.best


def other_outputs(case):
    """Outputs of worse critics at the nodes."""
    if case.others:
        return case.others
    best = best_outputs(case)
    return best / 2, best + 0.2 * torch.sin(3 * X), best * (1 + 0.3 * torch.cos(X)), torch.zeros_like(X) + 0.1, X / 4
