"""Partial: the chosen coordinates change, in the given order; the others do not."""

import pytest
import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.bijectors import Exp, Partial, Permutation


def test_changes_only_the_chosen_coordinates_in_the_given_order():
    f = Partial(Permutation([1, 2, 0]), [4, 0, 2], features=5)
    assert f(torch.tensor([10.0, 11, 12, 13, 14])).tolist() == [12.0, 11.0, 14.0, 13.0, 10.0]


def test_its_codomain_is_the_image():
    f = Partial(Exp(), [1], features=2)
    assert f.codomain.check(torch.tensor([[-1.0, 1.0], [1.0, -1.0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Exp(), [0, 0], 3), r"`indices` must be distinct and within range\(3\); got \[0, 0\]"),
        ((Exp(), [3], 3), r"`indices` must be distinct and within range\(3\); got \[3\]"),
        ((biject_to(constraints.simplex), [0, 1], 3), "`base` must map numbers, or vectors of length 2"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Partial(*arguments)
