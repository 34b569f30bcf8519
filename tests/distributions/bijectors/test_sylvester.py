"""Sylvester maps: the determinant identity, the bottleneck, the relation with planar maps."""

import pytest
import torch

from probgen.distributions.bijectors import Sylvester


def moved(features, directions=None, **given):
    f = Sylvester(features, directions, **given).double()
    f.raw_parameters.data.normal_(0, 1, generator=torch.Generator().manual_seed(0))
    return f


@pytest.mark.parametrize(("directions", "reflections"), [(1, 1), (2, 5), (4, 4), (4, 0), (3, 0)])
def test_determinant_and_inverse(directions, reflections):
    f = moved(4, directions, reflections=reflections)
    x = torch.randn(6, 4, dtype=torch.float64) * 2
    y, log_det = f.forward_and_log_det(x)
    jacobian = torch.stack([torch.autograd.functional.jacobian(f, row) for row in x])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet)
    torch.testing.assert_close(f.inverse(y), x, atol=1e-9, rtol=1e-9)


def test_columns_are_orthonormal_and_the_rest_stays():
    f = moved(5, 2, reflections=3)
    normals = f._values(torch.zeros((), dtype=torch.float64), None)[0]
    q = f._out(torch.eye(2, dtype=torch.float64), normals).mT
    torch.testing.assert_close(q.mT @ q, torch.eye(2, dtype=torch.float64))
    x = torch.randn(8, 5, dtype=torch.float64)
    difference = f(x) - x
    torch.testing.assert_close(difference, difference @ q @ q.mT)  # it moves inside the span of the columns


def test_sizes_are_checked():
    assert moved(3).num_raw == 3 * 3 + 3 * 5
    with pytest.raises(ValueError, match="`directions` must lie between 1 and 3; got 4"):
        Sylvester(3, 4)
    with pytest.raises(ValueError, match="`reflections` must not be negative; got -1"):
        Sylvester(3, 2, reflections=-1)
