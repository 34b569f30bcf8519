"""Concat and Stack: which part sees which slice, sizes that change, supports, batches of parameters, errors."""

import pytest
import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.bijectors import Affine, Concat, Exp, LowerTriangular, Permutation, Reshape, Scale, Shift, Stack


def test_concat_sends_each_piece_to_its_part():
    f = Concat(Exp(), Permutation([1, 0]), Shift(1.0), sizes=[1, 2, 1])
    y, log_det = f.forward_and_log_det(torch.tensor([2.0, 3.0, 4.0, 5.0]))
    torch.testing.assert_close(
        y, torch.tensor([2.0, 0, 0, 0]).exp() * torch.tensor([1.0, 0, 0, 0]) + torch.tensor([0, 4.0, 3, 6])
    )
    assert log_det == 2.0


def test_concat_follows_parts_that_change_the_length():
    simplex = biject_to(constraints.simplex)
    f = Concat(simplex, Exp(), sizes=[2, 1])
    x = torch.randn(5, 3, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x)
    assert y.shape == f.forward_shape((5, 3)) == (5, 4)
    assert f.inverse_shape((5, 4)) == (5, 3)
    assert f.codomain.check(y).all()
    assert not f.codomain.check(-y).any()
    torch.testing.assert_close(log_det, simplex.log_abs_det_jacobian(x[:, :2], y[:, :3]) + x[:, 2])
    torch.testing.assert_close(f.inverse(y), x)


def test_stack_of_coupled_supports_along_rows():
    f = Stack(biject_to(constraints.simplex), biject_to(constraints.simplex), dim=-2)
    x = torch.randn(4, 2, 3)
    y = f(x)
    assert y.shape == f.forward_shape(x.shape) == (4, 2, 4)
    assert f.codomain.event_dim == 2
    assert f.codomain.check(y).tolist() == [True] * 4
    assert f.codomain.check(y.flip(-1) * 2).tolist() == [False] * 4
    torch.testing.assert_close(f.inverse(y), x, rtol=1e-4, atol=1e-5)


def test_lengths_are_read_from_the_parts():
    assert Concat(LowerTriangular(2), LowerTriangular(3)).domain_shape == (5,)
    with pytest.raises(ValueError, match="`sizes` is needed"):
        Concat(LowerTriangular(2), Exp())


@pytest.mark.parametrize("make", [lambda *parts: Concat(*parts, sizes=[1, 1]), Stack], ids=["concat", "stack"])
def test_batches_of_parameters_broadcast(make):
    f = make(Affine(torch.zeros(3, 1) if make is not Stack else torch.zeros(3), 2.0), Exp())
    y, log_det = f.forward_and_log_det(torch.zeros(2))
    assert y.shape == f.forward_shape((2,)) == (3, 2)
    assert log_det.shape == (3,)


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_stack_of_vectors_along_rows(batch):
    f = Stack(Scale(2.0), Permutation([1, 2, 0]), dim=-2)
    x = torch.randn(*batch, 2, 3)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, torch.stack([2 * x[..., 0, :], x[..., 1, [1, 2, 0]]], -2))
    torch.testing.assert_close(log_det, torch.full(batch, 3 * torch.tensor(2.0).log().item()))


def test_errors_name_what_was_expected():
    with pytest.raises(ValueError, match="`dim` must be negative"):
        Stack(Exp(), dim=0)
    with pytest.raises(ValueError, match="`parts` must keep the rank of their events; Reshape does not"):
        Concat(Reshape((2,), (2, 1)), sizes=[2])
    with pytest.raises(ValueError, match=r"`sizes` must pair up with the 2 part\(s\); got \[1\]"):
        Concat(Exp(), Exp(), sizes=[1])
    with pytest.raises(ValueError, match="`x` must have length 3 along axis -2; got shape"):
        Concat(Exp(), Exp(), sizes=[1, 2], dim=-2)(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="`parts` must hold at least one bijector; got none"):
        Stack()
