"""Densities of mapped uniform numbers, against what is known of them."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_uniform
from probgen.distributions.bijectors import Affine
from probgen.distributions.testing import check_bijector
from tests.examples.loading import load


@pytest.fixture(scope="module")
def example():
    return load("change_of_variables")


def test_the_line(example):
    doubled = TransformedDistribution(standard_uniform(), Affine(loc=1.0, scale=2.0))
    assert torch.equal(doubled.log_prob(torch.tensor([1.1, 2.0, 2.9])).exp(), torch.full((3,), 0.5))
    y = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    falling = TransformedDistribution(standard_uniform(), example.Falling())
    torch.testing.assert_close(falling.log_prob(y).exp(), 0.5 / (1 - y).sqrt())


def test_the_parallelogram(example):
    for rows in example.MATRICES.values():
        (a, b), (c, d) = rows
        matrix = torch.tensor(rows)
        law = TransformedDistribution(standard_uniform(2), example.Matrix(matrix))
        inside = law.log_prob(matrix @ torch.tensor([0.2, 0.9])).exp()
        torch.testing.assert_close(inside, torch.tensor(1 / abs(a * d - b * c)))


def test_both_maps_obey_the_laws(example):
    laws = ("round_trip", "log_det_matches_autograd")
    check_bijector(example.Falling, laws=laws)
    check_bijector(lambda: example.Matrix(torch.tensor([[0.5, 2.0], [1.0, 0.3]])), event_shape=(2,), laws=laws)
