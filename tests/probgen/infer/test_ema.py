"""The average of weights: its recursion, and what happens when the weights change under it."""

import pytest
import torch
from torch import nn

from probgen.infer import EMA


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_named(decay):
    with pytest.raises(ValueError, match=rf"`decay` must lie in \[0, 1\); got {decay}"):
        EMA(nn.Linear(1, 1), decay)


def test_the_average_follows_its_recursion_and_is_lent_for_a_while():
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.0)
    ema = EMA(net, 0.5, warmup=False)
    for value in (3.0, 7.0):
        nn.init.constant_(net.weight, value)
        ema.update()
    with ema.applied():
        assert net.weight.item() == 0.5 * (0.5 * 1.0 + 0.5 * 3.0) + 0.5 * 7.0
    assert net.weight.item() == 7.0


def test_parameters_that_are_added_later_start_a_new_average():
    net = nn.Sequential(nn.Linear(1, 1, bias=False))
    ema = EMA(net, 0.5, warmup=False)
    nn.init.constant_(net[0].weight, 1.0)
    ema.update()
    net.append(nn.Linear(1, 1, bias=False))
    nn.init.constant_(net[0].weight, 9.0)
    nn.init.constant_(net[1].weight, 2.0)
    ema.update()
    with ema.applied():
        assert torch.cat([parameter.flatten() for parameter in net.parameters()]).tolist() == [9.0, 2.0]


def test_an_average_of_other_parameters_is_refused():
    average = EMA(nn.Linear(2, 2))
    for other in (nn.Linear(2, 2, bias=False), nn.Linear(2, 3)):
        with pytest.raises(ValueError, match="must average parameters of the shapes"):
            average.load_state_dict(EMA(other).state_dict())
