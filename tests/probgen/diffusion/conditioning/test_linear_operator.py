"""Operators: adjoint, Moore–Penrose, null space, solves against dense linear algebra."""

import pytest
import torch

from probgen.diffusion.conditioning import AveragePooling, Grayscale, LinearOperator, Masking, MatrixOperator
from tests.probgen.diffusion.conditioning.beds import OPERATORS

pytestmark = pytest.mark.parametrize("name", OPERATORS)


@pytest.fixture
def draws():
    torch.manual_seed(0)
    return torch.randn(2, 5, 3, 4, 4, dtype=torch.float64)


def test_transpose_is_the_adjoint(name, draws):
    operator = OPERATORS[name]()
    y = torch.randn(2, 5, *operator.observed_shape, dtype=torch.float64)
    left = (operator.apply(draws) * y).flatten(2).sum(-1)
    right = (draws * operator.transpose(y)).flatten(2).sum(-1)
    torch.testing.assert_close(left, right)


def test_pseudo_inverse_is_that_of_moore_and_penrose(name, draws):
    operator = OPERATORS[name]()
    assert isinstance(operator, LinearOperator)
    dense = operator.dense(draws)
    torch.testing.assert_close(operator.apply(draws).flatten(2), draws.flatten(2) @ dense.mT)
    y = operator.apply(torch.randn_like(draws))
    expected = y.flatten(2) @ torch.linalg.pinv(dense).mT
    torch.testing.assert_close(operator.pseudo_inverse(y).flatten(2), expected)
    assert operator.apply(operator.null_space(draws)).abs().max() < 1e-12


def test_solve_agrees_with_dense_algebra(name, draws):
    operator = OPERATORS[name]()
    variance, noise = torch.rand(2, 5, 3, 4, 4, dtype=torch.float64) + 0.1, 0.3
    y = operator.apply(draws)
    solution, log_det = operator.solve(y, variance, noise)
    dense = operator.dense(draws)
    seen = dense.abs().sum(-1) > 0
    gram = (dense * variance.flatten(2).unsqueeze(-2)) @ dense.mT
    gram = gram[..., seen, :][..., seen] + noise * torch.eye(int(seen.sum()), dtype=torch.float64)
    torch.testing.assert_close(log_det, torch.logdet(gram))
    expected = torch.linalg.solve(gram, y.flatten(2)[..., seen].unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(solution.flatten(2)[..., seen], expected)


def test_an_empty_batch_and_single_precision_pass(name):
    operator = OPERATORS[name]()
    empty = torch.zeros(0, 3, 4, 4)
    assert operator.pseudo_inverse(operator.apply(empty)).shape == empty.shape
    solution, log_det = operator.solve(operator.apply(empty), torch.ones(0, 3, 4, 4), 0.1)
    assert solution.shape == (0, *operator.observed_shape)
    assert log_det.shape == (0,)
    assert operator.apply(torch.zeros(3, 4, 4)).dtype == torch.float32


def test_every_datum_may_have_its_own_mask(name, draws):
    masks = torch.rand(5, 3, 4, 4) < 0.5
    several = Masking(masks, event_dim=3)
    for index in range(5):
        single = Masking(masks[index])
        torch.testing.assert_close(several.apply(draws)[:, index], single.apply(draws[:, index]), rtol=0, atol=0)
    assert several.unsqueeze().mask.shape == (5, 1, 3, 4, 4)
    assert several.dense(draws).shape == (5, 48, 48)


def test_wrong_shapes_are_named(name):
    with pytest.raises(ValueError, match="`factor` must divide"):
        AveragePooling((3, 5, 4), 2)
    with pytest.raises(ValueError, match="`event_shape` must be"):
        Grayscale((3, 4, 4), (1.0, 2.0))
    with pytest.raises(ValueError, match="`matrix` must have shape"):
        MatrixOperator(torch.zeros(3))
    with pytest.raises(ValueError, match="48 coordinates"):
        MatrixOperator(torch.zeros(2, 48), (3, 4, 5))
