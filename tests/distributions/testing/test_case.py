"""Rows of the case table."""

import pyro.distributions as dist

from probgen.distributions.bijectors import Exp
from probgen.distributions.testing import BijectorCase, DistributionCase


def test_rows_build_fresh_objects():
    row = BijectorCase(Exp)
    assert row.make() is not row.make()
    assert row.tolerance == 1.0
    assert DistributionCase(lambda: dist.Normal(0.0, 1.0)).make().event_shape == ()
