"""R1 and R2: half gamma times the squared slope, on their own side."""

import pytest
import torch

from probgen.infer import R1, R2


@pytest.mark.parametrize("gamma", [0.3, 1.0, 10.0])
def test_linear_critic_costs_half_gamma_times_the_squared_slope(gamma):
    a = torch.tensor([3.0, 4.0], dtype=torch.float64)
    real, fake = torch.randn(2, 64, 2, dtype=torch.float64)
    for penalty in (R1(gamma), R2(gamma)):
        assert float(penalty(lambda x: x @ a, real, fake)) == pytest.approx(gamma / 2 * 25)


def test_each_looks_at_its_own_side():
    def critic(x):
        return x.square().sum(1) / 2

    real, fake = torch.full((4, 2), 3.0), torch.full((7, 2), 5.0)
    assert R1(2.0)(critic, real, fake) == 18
    assert R2(2.0)(critic, real, fake) == 50
