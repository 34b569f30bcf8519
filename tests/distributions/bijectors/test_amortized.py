"""Own parameters, and parameters from a context."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Amortized, Planar, Radial, Sylvester

MADE = {
    "planar": lambda **given: Planar(2, **given),
    "radial": lambda **given: Radial(2, **given),
    "sylvester": lambda **given: Sylvester(2, 1, **given),
}


@pytest.mark.parametrize("name", MADE)
def test_a_context_shifts_the_own_parameters(name):
    width = MADE[name]().num_raw
    conditioner = nn.Linear(3, width)
    f = MADE[name](conditioner=conditioner, context_shape=(3,))
    context, x = torch.randn(5, 3), torch.randn(5, 2)
    y, log_det = f.forward_and_log_det(x, context)
    for row in range(5):
        alone = MADE[name]()
        alone.raw_parameters.data.copy_(f.raw_parameters + conditioner(context[row]))
        one, one_log_det = alone.forward_and_log_det(x[row])
        torch.testing.assert_close(y[row], one)
        torch.testing.assert_close(log_det[row], one_log_det)
    assert isinstance(f, Amortized)


@pytest.mark.parametrize("name", MADE)
def test_starts_at_the_identity(name):
    x = torch.randn(7, 2)
    y, log_det = MADE[name]().forward_and_log_det(x)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(7))


@pytest.mark.parametrize("name", MADE)
def test_the_generator_decides_the_start(name):
    first, second = (MADE[name](generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.raw_parameters, second.raw_parameters)
    assert not torch.equal(first.raw_parameters, MADE[name]().raw_parameters)


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="together or not at all"):
        Planar(2, context_shape=(3,))
    with pytest.raises(ValueError, match="`features` must be at least 1; got 0"):
        Radial(0)
    wrong = Planar(2, conditioner=nn.Linear(3, 4), context_shape=(3,))
    with pytest.raises(ValueError, match="must give 5 numbers for an event; got 4"):
        wrong(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="needs a context"):
        wrong(torch.zeros(2))
