"""What conditioners see, and which elements they can serve."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Affine
from probgen.distributions.bijectors._conditioning import (
    bounded_inputs,
    in_precision_of,
    prepared_element,
    require_bound,
    require_width,
)


def test_inputs_are_bounded_and_the_context_is_not():
    seen = bounded_inputs(torch.tensor([[1e6, 0.01]]), 3.0, torch.full((4, 1, 2, 1), 50.0), (2, 1))
    assert seen.shape == (4, 1, 4)
    assert torch.allclose(seen[0, 0], torch.tensor([3.0, 0.01, 50.0, 50.0]), rtol=1e-4)


def test_the_element_loses_its_own_parameters_and_keeps_given_ones():
    element = prepared_element("Coupling", Affine(loc=nn.Parameter(torch.tensor(1.0))))
    assert [name for name, _ in element.named_parameters()] == ["loc"]
    assert element.num_free == 1


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match="`input_bound`"):
        require_bound(-1.0)
    with pytest.raises(ValueError, match="must give 3 numbers"):
        require_width("Coupling", torch.zeros(2, 4), 3)


def test_networks_see_their_own_precision():
    network = nn.Linear(2, 1)
    assert in_precision_of(network, torch.zeros(2).double()).dtype == torch.float32
    assert in_precision_of(network.double(), torch.zeros(2)).dtype == torch.float64
    for value in (torch.zeros(2, dtype=torch.long), torch.zeros(2)):
        assert in_precision_of(nn.Identity(), value) is value
    assert in_precision_of(network, torch.zeros(2, dtype=torch.long)).dtype == torch.long
