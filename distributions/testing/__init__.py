"""The law kit: named laws that every bijector and distribution must obey, and the tools to check your own.

This package does not fix what it finds, and it does not time anything.
"""

from probgen.distributions.testing.case import BijectorCase, DistributionCase
from probgen.distributions.testing.causality import check_causality, raster_order
from probgen.distributions.testing.causality_report import CausalityReport
from probgen.distributions.testing.check import check_bijector, run_cell
from probgen.distributions.testing.check_distribution import check_distribution
from probgen.distributions.testing.check_network import check_network
from probgen.distributions.testing.diagnose import BijectorDiagnosis, LayerDiagnosis, diagnose_bijector
from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.jacobians import autograd_log_det, free_coordinates, jacobian
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.laws import BIJECTOR_LAWS, DISTRIBUTION_LAWS, LAWS, NETWORK_LAWS
from probgen.distributions.testing.laws_incremental import (
    incremental_matches_parallel,
    levels_are_parallel,
    states_do_not_mix,
)
from probgen.distributions.testing.network_subject import NetworkSubject
from probgen.distributions.testing.oracles import (
    central_difference,
    enumerated_mass,
    free_dimension,
    grid_cdf,
    placed_grid,
    reference_log_prob,
)
from probgen.distributions.testing.points import Draw, is_flat, points_in, unconstrained
from probgen.distributions.testing.profiles import PROFILES, Profile, current_profile
from probgen.distributions.testing.quadrature import adaptive_integral, density_mass
from probgen.distributions.testing.regimes import REGIMES, Regime
from probgen.distributions.testing.report import Cell, LawReport, LawsViolated
from probgen.distributions.testing.statistics import (
    FALSE_ALARM,
    SUITE_BUDGET,
    Ledger,
    TestResult,
    bounded_means_test,
    chi_square_test,
    dkwm_test,
    dkwm_two_sample_test,
    mean_test,
    min_detectable_discrepancy,
    num_samples_for_discrepancy,
    projected_two_sample_test,
    uniformity_test,
)
from probgen.distributions.testing.strategies import batch_shapes, draws, dtypes, points
from probgen.distributions.testing.subject import BijectorSubject, special_values
from probgen.distributions.testing.validation import validation

__all__ = [
    "BIJECTOR_LAWS",
    "DISTRIBUTION_LAWS",
    "FALSE_ALARM",
    "LAWS",
    "NETWORK_LAWS",
    "PROFILES",
    "REGIMES",
    "SUITE_BUDGET",
    "BijectorCase",
    "BijectorDiagnosis",
    "BijectorSubject",
    "CausalityReport",
    "Cell",
    "DistributionCase",
    "DistributionSubject",
    "Draw",
    "Law",
    "LawReport",
    "LawViolation",
    "LawsViolated",
    "LayerDiagnosis",
    "Ledger",
    "NetworkSubject",
    "Profile",
    "Regime",
    "Tally",
    "TestResult",
    "adaptive_integral",
    "autograd_log_det",
    "batch_shapes",
    "bounded_means_test",
    "central_difference",
    "check_bijector",
    "check_causality",
    "check_distribution",
    "check_network",
    "chi_square_test",
    "current_profile",
    "define_law",
    "density_mass",
    "diagnose_bijector",
    "dkwm_test",
    "dkwm_two_sample_test",
    "draws",
    "dtypes",
    "enumerated_mass",
    "free_coordinates",
    "free_dimension",
    "grid_cdf",
    "incremental_matches_parallel",
    "is_flat",
    "jacobian",
    "levels_are_parallel",
    "mean_test",
    "min_detectable_discrepancy",
    "num_samples_for_discrepancy",
    "placed_grid",
    "points",
    "points_in",
    "projected_two_sample_test",
    "raster_order",
    "reference_log_prob",
    "run_cell",
    "special_values",
    "states_do_not_mix",
    "unconstrained",
    "uniformity_test",
    "validation",
]
