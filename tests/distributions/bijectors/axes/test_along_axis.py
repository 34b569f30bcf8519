"""Along: the 1x1 convolution, other maps of vectors, the cost of the determinant."""

import pytest
import torch
from torch.nn import functional

from probgen.distributions.bijectors import Affine, Along, LULinear, Permutation, Planar, RationalQuadraticSpline


def _rough(features):
    torch.manual_seed(features)
    linear = LULinear(features, start="rotation")
    for parameter in linear.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return linear


@pytest.mark.parametrize("inverted", [False, True])
def test_is_a_convolution_with_the_matrix(inverted):
    linear = _rough(3)
    x = torch.randn(2, 5, 3, 4, 6)
    matrix = torch.linalg.inv(linear.matrix) if inverted else linear.matrix
    base = linear.inv if inverted else linear
    y, log_det = Along(base, -3).forward_and_log_det(x)
    shifted = x - linear.loc[:, None, None] if inverted else x
    expected = functional.conv2d(shifted.flatten(0, 1), matrix[:, :, None, None]).reshape(x.shape)
    expected = expected if inverted else expected + linear.loc[:, None, None]
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(matrix)[1].mul(24).expand(2, 5), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("base", [_rough(4), _rough(4).inv, Permutation([2, 0, 3, 1]), Planar(4)])
@pytest.mark.parametrize("dim", [-1, -2, -3])
def test_is_the_map_of_vectors_at_every_position(base, dim):
    f = Along(base, dim)
    x = torch.randn(2, *(4 if axis == dim else 3 for axis in range(dim, 0)))
    y, log_det = f.forward_and_log_det(x)
    moved, each = base.forward_and_log_det(x.movedim(dim, -1))
    torch.testing.assert_close(y, moved.movedim(-1, dim))
    torch.testing.assert_close(log_det, each.flatten(1).sum(1) if dim < -1 else each)


def test_the_determinant_costs_one_sum_over_the_channels():
    """With triangular factors no determinant, factorization or product of c numbers a pixel is taken."""
    f = Along(LULinear(8), -3)
    names = []

    class Recorder(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            names.append(getattr(function, "__name__", ""))
            return function(*args, **(kwargs or {}))

    with Recorder():
        f.forward_and_log_det(torch.zeros(2, 8, 16, 16))
    assert not {"slogdet", "logdet", "det", "lu", "linalg_slogdet", "linalg_lu"} & set(names)


def test_takes_empty_batches_and_refuses_other_lengths():
    f = Along(LULinear(3), -3)
    assert f(torch.zeros(0, 3, 2, 2)).shape == (0, 3, 2, 2)
    with pytest.raises(ValueError, match="length 3 along axis -3"):
        f(torch.zeros(4, 2, 2))
    with pytest.raises(ValueError, match="at least 3 event"):
        f(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="must map vectors to vectors"):
        Along(Affine(), -3)
    with pytest.raises(ValueError, match="must be negative"):
        Along(LULinear(3), 1)
    with pytest.raises(ValueError, match="must map vectors"):
        Along(RationalQuadraticSpline(), -1)


def test_refuses_what_is_no_bijector():
    with pytest.raises(TypeError, match="`base` of Along must be a Bijector; got Linear"):
        Along(torch.nn.Linear(2, 2), -1)


def test_a_context_belongs_to_the_event_and_not_to_a_position():
    torch.manual_seed(0)
    base = Planar(2, conditioner=torch.nn.Linear(3, 5), context_shape=(3,))
    x, context = torch.randn(4, 2, 4), torch.randn(4, 3)  # as many events as positions
    y, log_det = Along(base, -2).forward_and_log_det(x, context)
    for position in range(4):
        torch.testing.assert_close(y[..., position], base(x[..., position], context))
    expected = torch.stack([base.forward_log_det_jacobian(x[..., position], context) for position in range(4)]).sum(0)
    torch.testing.assert_close(log_det, expected)


def test_a_wider_matrix_keeps_its_digits():
    torch.manual_seed(0)
    linear = LULinear(3, loc=False).double()
    y = Along(linear, -2)(torch.randn(2, 3, 4))
    assert y.dtype == torch.float64
