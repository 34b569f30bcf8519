"""Observations of which some follow from others."""

import pytest
import torch

from probgen.diffusion.conditioning import LinearObservation, MatrixOperator, condition
from probgen.diffusion.conditioning.matrix_operator import gram_root
from tests.probgen.diffusion.conditioning.beds import correlated


@pytest.mark.parametrize("method", ["exact", "smc"])
def test_observations_that_follow_from_each_other_need_noise(method):
    operator = MatrixOperator(torch.ones(2, 2))
    with pytest.raises(ValueError, match="rows of the observation's matrix depend on each other"):
        condition(correlated(steps=4), LinearObservation(torch.ones(2).double(), operator), method).sample()
    assert condition(correlated(steps=4), LinearObservation(torch.ones(2).double(), operator, 0.1), method).sample().shape == (
        2,
    )


def test_the_root_of_a_covariance():
    gram = torch.tensor([[4.0, 2.0], [2.0, 3.0]])
    torch.testing.assert_close(gram_root(gram) @ gram_root(gram).mT, gram)
