"""Packs."""

import torch

from probgen.infer.adversarial.packing import packed


def test_packs_keep_the_examples_in_order():
    x = torch.arange(24).reshape(4, 3, 2)
    packs = packed(x, 2)
    assert torch.equal(packs[0, :3], x[0])
    assert torch.equal(packs[0, 3:], x[1])
    assert torch.equal(packs[1, 3:], x[3])
    assert packed(x, 1) is x
    assert packed(torch.zeros(0, 3, 8, 8), 4).shape == (0, 12, 8, 8)
