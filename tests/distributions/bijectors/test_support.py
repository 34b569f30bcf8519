"""Maps onto supports."""

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Affine, Blocks, Exp, Lift, ToSupport
from probgen.flows import neural_spline_coupling


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


def test_blocks_add_their_log_determinants():
    f = Blocks([Exp(), ToSupport(constraints.simplex), Affine(1.0, 2.0)], [1, 2, 1])
    x = torch.randn(5, 4)
    y, log_det = f.forward_and_log_det(x)
    assert y.shape == (5, 6 - 1)
    expected = x[:, 0] + ToSupport(constraints.simplex).forward_log_det_jacobian(x[:, 1:3]) + torch.tensor(2.0).log()
    torch.testing.assert_close(log_det, expected)


def test_refusals():
    with pytest.raises(ValueError, match="pair up"):
        Blocks([Exp()], [1, 2])
    with pytest.raises(ValueError, match="take no context"):
        Blocks([neural_spline_coupling(2, context_shape=(1,), layers=1, hidden=(4,))], [2])
    with pytest.raises(NotImplementedError):
        ToSupport(constraints.boolean)
