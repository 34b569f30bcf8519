"""Optimal pairing against all permutations, sorting, and groups."""

import itertools

import pytest
import torch

from probgen.distributions.numerics.transport import optimal_pairing


def total(sources, targets, order):
    return float((sources[torch.as_tensor(order)] - targets).square().sum())


def test_no_permutation_is_better():
    generator = torch.Generator().manual_seed(0)
    sources, targets = (torch.randn(6, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    best = min(total(sources, targets, order) for order in itertools.permutations(range(6)))
    found = optimal_pairing(sources, targets)
    assert total(sources, targets, found) == pytest.approx(best, rel=1e-12)
    assert found.sort().values.tolist() == list(range(6))


def test_in_one_dimension_it_sorts():
    generator = torch.Generator().manual_seed(1)
    sources, targets = (torch.randn(50, generator=generator) for _ in range(2))
    paired = sources[optimal_pairing(sources, targets)]
    assert torch.equal(paired[targets.argsort()], sources.sort().values)


def test_groups_are_not_left():
    generator = torch.Generator().manual_seed(2)
    sources, targets = (torch.randn(40, 3, generator=generator) for _ in range(2))
    groups = torch.randint(0, 3, (40, 1), generator=generator)
    order = optimal_pairing(sources, targets, groups)
    assert torch.equal(groups[order], groups)
    assert total(sources, targets, order) < total(sources, targets, range(40))
    assert torch.equal(optimal_pairing(sources, targets, torch.arange(40)), torch.arange(40))


def test_few_points_and_errors():
    assert optimal_pairing(torch.zeros(0, 2), torch.zeros(0, 2)).shape == (0,)
    assert optimal_pairing(torch.zeros(1, 2), torch.ones(1, 2)).tolist() == [0]
    with pytest.raises(ValueError, match=r"must have one shape; got \(2, 1\) and \(3, 1\)"):
        optimal_pairing(torch.zeros(2, 1), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="must be finite"):
        optimal_pairing(torch.full((2, 1), torch.nan), torch.zeros(2, 1))
