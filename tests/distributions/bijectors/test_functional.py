"""Hooks as functions of tensors: every place once, tied tensors at each of their places."""

import torch
from torch import nn

from probgen.distributions.bijectors import Affine
from probgen.distributions.bijectors._functional import call_hook, tensors_of


def test_every_place_is_named_once() -> None:
    """A shared module has one name, a shared tensor two."""
    layer = nn.Linear(2, 2)
    twin = nn.Linear(2, 2)
    twin.weight = layer.weight
    assert sorted(tensors_of(nn.Sequential(layer, layer, twin))) == ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_tensors_are_swapped_for_one_call() -> None:
    """The module's own tensors are back afterwards, and gradients reach the given ones."""
    f, other = Affine(1.0, 2.0), torch.tensor(5.0, requires_grad=True)
    y = call_hook(f, "forward", {"scale": other}, torch.tensor(3.0))
    y.backward()
    assert float(y.detach()) == 16.0
    assert float(f.scale) == 2.0
    assert float(other.grad) == 3.0
