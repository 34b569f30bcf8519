"""The exponential map, in float64 against the standard library."""

import math

import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Exp


def test_values_and_log_dets():
    x = torch.tensor([-700.0, -1.0, 0.0, 1.0, 700.0], dtype=torch.float64)
    y, fldj = Exp().forward_and_log_det(x)
    assert torch.equal(fldj, x)
    assert torch.allclose(y, torch.tensor([math.exp(value) for value in x.tolist()], dtype=torch.float64))
    back, ildj = Exp().inverse_and_log_det(y)
    assert torch.allclose(back, x)
    assert torch.allclose(ildj, -x)
    assert Exp().codomain is constraints.positive


def test_values_stay_positive_where_the_exponential_underflows():
    x = torch.tensor([-1e4, -200.0, -1.0])
    y, fldj = Exp().forward_and_log_det(x)
    assert bool((y > 0).all())
    assert torch.equal(fldj, x)
    assert bool(Exp().inverse(y).isfinite().all())
