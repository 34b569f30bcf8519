"""Autoregressive flows with any element, order and graph."""

import pytest
import torch

from probgen.distributions.bijectors import Affine, SumOfSquares
from probgen.flows import autoregressive_flow

GRAPH = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 0, 0]]).bool()


def test_every_second_layer_reverses_the_order():
    flow = autoregressive_flow(3, element=Affine(), layers=2, hidden=(8,))
    assert [part.network.levels for part in flow.parts] == [((0,), (1,), (2,)), ((2,), (1,), (0,))]


def test_a_graph_is_kept_by_every_layer():
    flow = autoregressive_flow(3, element=Affine(), layers=3, hidden=(12,), adjacency=GRAPH).double()
    jacobian = torch.autograd.functional.jacobian(flow.forward, torch.randn(3, dtype=torch.float64))
    assert torch.equal(jacobian != 0, GRAPH | torch.eye(3).bool())
    assert len(flow.parts[0].network.levels) == 2


def test_an_iterative_inverse_is_kept_away_from_densities():
    flow = autoregressive_flow(2, element=SumOfSquares(), layers=2, hidden=(8,)).double()
    assert flow.fast_direction == "inverse"
    x = torch.randn(5, 2, dtype=torch.float64)
    z, log_det = flow.inverse_and_log_det(x)
    assert torch.isfinite(log_det).all()
    assert torch.allclose(flow(z), x, atol=1e-8)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="`features` and `layers` must be positive"):
        autoregressive_flow(2, element=Affine(), layers=0)
