"""The tail of the normal law in logarithms."""

import torch
from scipy import stats

from probgen.distributions.numerics.normal_tail import log_upper_tail, upper_quantile


def test_tail_and_quantile_agree_with_scipy_from_the_middle_to_far_out():
    z = torch.tensor([0.0, 1e-3, 0.7, 5.0, 37.0, 150.0], dtype=torch.float64)
    torch.testing.assert_close(log_upper_tail(z), torch.as_tensor(stats.norm.logsf(z)), rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(upper_quantile(-log_upper_tail(z)), z, rtol=1e-12, atol=1e-12)
    single = z.float()
    torch.testing.assert_close(upper_quantile(-log_upper_tail(single)), single, rtol=1e-6, atol=1e-6)


def test_both_derivatives_of_the_quantile():
    level = torch.tensor([0.8, 3.0, 200.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(upper_quantile, level)
    assert torch.autograd.gradgradcheck(upper_quantile, level)
