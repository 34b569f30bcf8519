"""Monotone splines: piecewise maps of an interval with closed-form log-determinants."""

from probgen.distributions.bijectors.splines.circular import CircularSpline
from probgen.distributions.bijectors.splines.cubic import CubicSpline
from probgen.distributions.bijectors.splines.linear import LinearSpline
from probgen.distributions.bijectors.splines.rational_quadratic import RationalQuadraticSpline

__all__ = ["CircularSpline", "CubicSpline", "LinearSpline", "RationalQuadraticSpline"]
