"""MADE: dependence, residual blocks, random masks, gradients to every parameter, errors. Steps: ``test_incremental.py``."""

import pytest
import torch

from probgen.nn import MADE

GRAPH = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).bool()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_outputs", [2, 6], ids="P={}".format)
def test_outputs_depend_on_exactly_their_parents(residual, num_outputs):
    network = MADE(4, num_outputs, hidden=(24, 24, 24), adjacency=GRAPH, residual=residual).double()
    jacobian = torch.autograd.functional.jacobian(network, torch.randn(4, dtype=torch.float64))
    assert torch.equal(jacobian != 0, GRAPH[:, None].expand(4, num_outputs, 4))


@pytest.mark.parametrize("num_outputs", [2, 6], ids="P={}".format)
def test_sweeps_give_the_numbers_of_the_parallel_pass(num_outputs):
    network = MADE(4, num_outputs, hidden=(24, 24), adjacency=GRAPH).double()
    x = torch.randn(5, 4, dtype=torch.float64)
    order = [index for level in network.levels for index in level]
    for recording in (True, False):
        seen = []

        def draw(start, stop, params, seen=seen):
            seen.append(params.clone())
            return x[:, order[start:stop]]

        with torch.set_grad_enabled(recording):
            network.sweep(draw, (5,))
        assert torch.allclose(torch.cat(seen, 1), network(x)[:, order])


def test_context_reaches_every_output():
    network = MADE(3, 2, hidden=(24,), context_features=1).double()
    x = torch.randn(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda c: network(x, c).sum(-1), torch.randn(1, dtype=torch.float64))
    assert (jacobian != 0).all()


def test_context_broadcasts():
    network = MADE(3, 2, hidden=(8,), context_features=1)
    assert network(torch.zeros(7, 1, 3), torch.zeros(5, 1)).shape == (7, 5, 3, 2)


def test_random_masks_are_part_of_the_architecture():
    first, second = MADE(6, 1, hidden=(12, 12), seed=3), MADE(6, 1, hidden=(12, 12), seed=3)
    second.load_state_dict(first.state_dict())
    x = torch.randn(4, 6)
    assert torch.equal(first(x), second(x))
    assert not torch.equal(MADE(6, 1, hidden=(12, 12), seed=4).mask_1, first.mask_1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "`hidden`"),
        ({"order": (0, 1), "hidden": (4,)}, "for 4 coordinates"),
        ({"order": (0, 1, 2, 3), "adjacency": GRAPH}, "not both"),
        ({"adjacency": torch.eye(4)}, "cycles"),
        ({"hidden": (4, 4), "residual": True}, "odd number"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        MADE(4, 2, **options)


def test_a_missing_context_is_named():
    with pytest.raises(ValueError, match="MADE needs a context"):
        MADE(3, 2, hidden=(4,), context_features=1)(torch.zeros(5, 3))
