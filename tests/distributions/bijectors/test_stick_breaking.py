"""Stick-breaking against torch's, and where torch's gives up."""

import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.bijectors import StickBreaking


def test_torch_agrees_in_the_middle():
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theirs = biject_to(constraints.simplex)
    y, log_det = StickBreaking().forward_and_log_det(x)
    torch.testing.assert_close(y, theirs(x))
    torch.testing.assert_close(log_det, theirs.log_abs_det_jacobian(x, y))


def test_corners_in_single_precision():
    x = torch.tensor([[60.0, -3.0], [-60.0, 40.0]])
    y, log_det = StickBreaking().forward_and_log_det(x)
    exact, exact_log_det = StickBreaking().forward_and_log_det(x.double())
    torch.testing.assert_close(y.double(), exact, rtol=1e-4, atol=0)
    torch.testing.assert_close(log_det.double(), exact_log_det, rtol=1e-6, atol=0)
    torch.testing.assert_close(StickBreaking().inverse(y), x, rtol=1e-5, atol=1e-5)
