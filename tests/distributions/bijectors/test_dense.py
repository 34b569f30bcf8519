import pytest
import torch

from probgen.distributions.bijectors import DenseLinear


def test_it_multiplies_by_its_matrix():
    torch.manual_seed(0)
    f = DenseLinear(3).double()
    torch.nn.init.normal_(f.weight)
    torch.nn.init.normal_(f.loc)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x)
    assert torch.allclose(y, torch.einsum("ij,abj->abi", f.weight, x) + f.loc)
    assert torch.allclose(log_det, torch.linalg.det(f.weight).abs().log().expand(4, 2))
    assert torch.allclose(f.inverse(y), x, atol=1e-10)
    assert torch.allclose(f.matrix, f.weight)


def test_it_starts_as_a_rotation_or_as_the_identity():
    rotation = DenseLinear(4, generator=torch.Generator().manual_seed(0)).matrix
    assert torch.allclose(rotation @ rotation.T, torch.eye(4), atol=1e-6)
    assert torch.equal(DenseLinear(4, start="identity").matrix, torch.eye(4))
    with pytest.raises(ValueError, match='`start` must be "identity" or "rotation"; got \'zero\''):
        DenseLinear(4, start="zero")
