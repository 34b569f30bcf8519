"""Best assignments and Sinkhorn's iteration."""

import itertools

import torch

from probgen.distributions.numerics.assignment import best_assignment, sinkhorn


def test_the_assignment_is_the_best_of_all_permutations():
    scores = torch.randn(20, 4, 4, generator=torch.Generator().manual_seed(0))
    found = best_assignment(scores)
    rows = torch.arange(4)
    totals = torch.stack([scores[:, rows, list(order)].sum(-1) for order in itertools.permutations(range(4))])
    torch.testing.assert_close(scores.gather(-1, found[..., None]).sum((-1, -2)), totals.amax(0))
    assert best_assignment(scores[:0]).shape == (0, 4)


def test_assignments_of_batched_scores_under_vmap():
    scores = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.func.vmap(best_assignment)(scores), best_assignment(scores))


def test_sinkhorn_is_doubly_stochastic_and_becomes_hard():
    scores = torch.randn(5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    soft = sinkhorn(scores, iterations=200)
    torch.testing.assert_close(soft.sum(0), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(soft.sum(1), torch.ones(5, dtype=torch.float64))
    hard = sinkhorn(scores, temperature=0.01, iterations=500)
    assert torch.equal(hard.argmax(-1), best_assignment(scores))
