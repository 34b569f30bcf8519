"""Butterfly maps against dense algebra."""

import pytest
import torch

from probgen.distributions.bijectors import Butterfly


@pytest.mark.parametrize("features", [2, 3, 5, 8, 13])
def test_determinant_and_inverse_are_those_of_the_matrix(features):
    torch.manual_seed(0)
    f = Butterfly(features, start="rotation").double()
    for parameter in f.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(4, features, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, x @ f.matrix.mT)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(f.matrix).logabsdet.expand(4))
    torch.testing.assert_close(f.inverse(y), x)


def test_orthogonal_ones_are_rotations_with_n_log_n_parameters():
    f = Butterfly(64, orthogonal=True, start="rotation", generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(f.matrix @ f.matrix.mT, torch.eye(64, dtype=torch.float64))
    assert sum(parameter.numel() for parameter in f.parameters()) == 32 * 6
    assert bool((f.matrix != 0).all())


def test_it_can_be_the_hadamard_transform():
    f = Butterfly(8, orthogonal=True).double()
    torch.nn.init.constant_(f.angles, torch.pi / 4)
    torch.testing.assert_close(f.matrix.abs(), torch.full((8, 8), 8**-0.5, dtype=torch.float64))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`features`"):
        Butterfly(1)
    with pytest.raises(ValueError, match="`start`"):
        Butterfly(4, start="random")
