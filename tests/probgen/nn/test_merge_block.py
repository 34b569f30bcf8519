"""Blocks of two images."""

import torch

from probgen.nn import MergeBlock, TopDownUpdate


def test_both_images_matter():
    block = MergeBlock(4, 2, 3)
    x, other = torch.randn(2, 4, 5, 3, requires_grad=True), torch.randn(2, 2, 5, 3, requires_grad=True)
    block(x, other).square().sum().backward()
    assert x.grad.abs().min() > 0
    assert other.grad.abs().min() > 0


def test_update_keeps_the_state_and_brings_it_up():
    update = TopDownUpdate(4, 2, sizes=[(4, 3), (7, 5)])
    assert update(torch.zeros(0, 4, 2, 2), torch.zeros(0, 2, 2, 2)).shape == (0, 4, 7, 5)
    flat = TopDownUpdate(4, 2)
    state, z = torch.randn(3, 4, 2, 2), torch.randn(3, 2, 2, 2)
    torch.testing.assert_close(flat(state, z), state + flat.merge(state, z))
