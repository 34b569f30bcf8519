"""Learned permutations: hard values, soft gradients."""

import pytest
import torch

from probgen.distributions.bijectors import LearnedPermutation
from probgen.distributions.numerics.assignment import sinkhorn


def test_values_are_those_of_the_frozen_permutation_both_ways():
    f = LearnedPermutation(6, generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    fixed = f.to_permutation()
    assert torch.equal(f(x), fixed(x))
    assert torch.equal(f.inverse(x), fixed.inverse(x))


def test_the_gradient_is_that_of_the_soft_permutation():
    f = LearnedPermutation(4, generator=torch.Generator().manual_seed(0)).double()
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight = torch.randn(5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (got,) = torch.autograd.grad((weight * f(x)).sum(), f.scores)
    scores = f.scores.detach().requires_grad_()
    soft = x @ sinkhorn(scores, temperature=f.temperature, iterations=f.iterations).mT
    (expected,) = torch.autograd.grad((weight * soft).sum(), scores)
    torch.testing.assert_close(got, expected)


def test_training_finds_a_permutation():
    """The order in which data were shuffled is recovered from pairs."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randperm(6, generator=generator)
    x = torch.randn(128, 6, generator=generator)
    f = LearnedPermutation(6, generator=generator)
    optimizer = torch.optim.Adam(f.parameters(), lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        (f(x) - x[:, truth]).square().mean().backward()
        optimizer.step()
    assert torch.equal(f.to_permutation().order, truth)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`features`"):
        LearnedPermutation(0)
    with pytest.raises(ValueError, match="`start`"):
        LearnedPermutation(3, start="sorted")
