"""Means over the best draws."""

import pytest
import torch

from probgen.infer.adversarial.best_draws import mean_of_lowest


@pytest.mark.parametrize(("share", "expected"), [(1.0, 3.0), (0.5, 1.5), (0.2, 1.0), (1e-3, 1.0), (0.74, 2.0)])
def test_the_lowest_are_kept(share, expected):
    terms = torch.tensor([3.0, 1.0, 6.0, 2.0])
    assert mean_of_lowest(terms, share) == expected
    assert mean_of_lowest(terms, torch.tensor(share)) == expected
    assert mean_of_lowest(terms.repeat_interleave(2).reshape(4, 2, 1), share) == expected  # patches that agree


def test_only_they_get_a_gradient_even_beside_infinite_terms():
    terms = torch.tensor([3.0, 1.0, float("inf"), 2.0], requires_grad=True)
    mean_of_lowest(terms, torch.tensor(0.5)).backward()
    assert terms.grad.tolist() == [0.0, 0.5, 0.0, 0.5]


def test_no_draws():
    assert mean_of_lowest(torch.zeros(0), 0.5) == 0.0
    assert mean_of_lowest(torch.zeros(0, 3), torch.tensor(0.5)) == 0.0
