"""The law kit: named laws that every bijector and distribution must obey, and the tools to check your own.

This package does not fix what it finds, and it does not time anything.
"""

from probgen.distributions.testing.case import BijectorCase, DistributionCase

__all__ = ["BijectorCase", "DistributionCase"]
