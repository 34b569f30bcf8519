"""The lower triangular map makes any multivariate normal from the standard one."""

import torch
from torch.distributions import MultivariateNormal

from probgen.distributions.bijectors import LowerTriangular


def test_pushes_the_standard_normal_to_the_multivariate_normal():
    f = LowerTriangular(3).double()
    for parameter in f.parameters():
        torch.nn.init.normal_(parameter)
    y = torch.randn(6, 3, dtype=torch.float64)
    x, log_det = f.inverse_and_log_det(y)
    standard = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    expected = MultivariateNormal(f.loc, scale_tril=f.matrix).log_prob(y)
    torch.testing.assert_close(standard.log_prob(x) + log_det, expected)


def test_what_lies_above_the_diagonal_is_ignored():
    f = LowerTriangular(3)
    f.below.data = torch.ones(3, 3)
    assert f.matrix.triu(1).abs().max() == 0
    assert f.matrix.diagonal().tolist() == [1.0, 1.0, 1.0]
