"""Deep dense sigmoidal maps: the formula, and the plain form as the case of one input."""

import pytest
import torch

from probgen.distributions.bijectors import DenseSigmoid


def test_it_is_the_formula_of_the_paper_with_floors():
    f = DenseSigmoid(3, 2).double()
    for parameter in f.parameters():
        parameter.data.normal_(0, 1, generator=torch.Generator().manual_seed(3))
    slopes, shifts, mixing, hidden_weights, weights = f._own_values()
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    first = torch.sigmoid(x * slopes[0] + shifts[0]) @ hidden_weights[0].mT
    mean = (0.99 * torch.logit(first) + 0.01 * x) @ mixing[0].mT
    second = torch.sigmoid(mean * slopes[1] + shifts[1]) @ weights
    torch.testing.assert_close(f(x[:, 0]), 0.99 * torch.logit(second) + 0.01 * mean.mean(-1))


def test_hidden_units_can_part_from_each_other():
    f = DenseSigmoid(4, 2)
    x = torch.linspace(-3, 3, 13)
    (f(x) * x.cos()).sum().backward()
    rows = f.raw_hidden_weights.grad[0]
    assert not torch.allclose(rows[0], rows[1], atol=1e-6)


@pytest.mark.parametrize("units", [1, 3, 5])
def test_slopes_are_derivatives_for_any_width(units):
    torch.manual_seed(0)
    f = DenseSigmoid(units=units, layers=3).double()
    for parameter in f.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.tensor([-3.0, -0.2, 0.4, 5.0], dtype=torch.float64)
    slopes = torch.stack([torch.func.grad(f)(number) for number in x])
    torch.testing.assert_close(f.forward_log_det_jacobian(x), slopes.log())
