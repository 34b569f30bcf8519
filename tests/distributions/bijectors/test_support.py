"""Maps onto supports."""

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Lift, ToSupport


def test_the_codomain_is_the_support():
    support = constraints.interval(1.0, 3.0)
    assert Lift(torch.distributions.biject_to(support)).codomain is constraints.real  # what torch says
    f = ToSupport(support)
    x = 20 * torch.randn(1000)
    assert f.codomain.check(f(x)).all()


def test_tensor_bounds_move_with_the_module():
    f = ToSupport(constraints.interval(torch.tensor(0.0), torch.tensor(2.0))).double()
    assert f.support.upper_bound.dtype == torch.float64
    assert f(torch.zeros((), dtype=torch.float64)).dtype == torch.float64


def test_an_unknown_constraint_is_refused():
    with pytest.raises(NotImplementedError):
        ToSupport(constraints.boolean)
