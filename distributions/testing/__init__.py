"""The law kit: named laws that every bijector and distribution must obey, and the tools to check your own.

This package does not fix what it finds, and it does not time anything.
"""

from probgen.distributions.testing.case import BijectorCase, DistributionCase
from probgen.distributions.testing.check import check_bijector, run_cell
from probgen.distributions.testing.jacobians import autograd_log_det, free_coordinates, jacobian
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.laws import BIJECTOR_LAWS, LAWS
from probgen.distributions.testing.points import Draw, is_flat, points_in, unconstrained
from probgen.distributions.testing.profiles import PROFILES, Profile, current_profile
from probgen.distributions.testing.regimes import REGIMES, Regime
from probgen.distributions.testing.report import Cell, LawsViolated, Report
from probgen.distributions.testing.strategies import batch_shapes, draws, dtypes, points
from probgen.distributions.testing.subject import BijectorSubject, special_values
from probgen.distributions.testing.validation import validation

__all__ = [
    "BIJECTOR_LAWS",
    "LAWS",
    "PROFILES",
    "REGIMES",
    "BijectorCase",
    "BijectorSubject",
    "Cell",
    "DistributionCase",
    "Draw",
    "Law",
    "LawViolation",
    "LawsViolated",
    "Profile",
    "Regime",
    "Report",
    "Tally",
    "autograd_log_det",
    "batch_shapes",
    "check_bijector",
    "current_profile",
    "define_law",
    "draws",
    "dtypes",
    "free_coordinates",
    "is_flat",
    "jacobian",
    "points",
    "points_in",
    "run_cell",
    "special_values",
    "unconstrained",
    "validation",
]
