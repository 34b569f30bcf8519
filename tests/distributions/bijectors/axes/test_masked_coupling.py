"""MaskedCoupling: the checkerboard, agreement with the vector coupling, errors."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import Affine, Coupling, Exp, MaskedCoupling, checkerboard_mask


def test_checkerboard():
    mask = checkerboard_mask((2, 3, 3))
    assert mask.sum() == 10
    assert torch.equal(mask, ~checkerboard_mask((2, 3, 3), flip=True))
    assert torch.equal(mask[0], mask[1])
    assert not (mask[:, 1:] & mask[:, :-1]).any()
    assert not (mask[..., 1:] & mask[..., :-1]).any()
    with pytest.raises(ValueError, match="at least one more axis"):
        checkerboard_mask((3,))


def test_copied_coordinates_stay_and_others_depend_on_them_alone():
    torch.manual_seed(0)
    mask = checkerboard_mask((1, 4, 4))
    f = MaskedCoupling(Affine(), nn.Conv2d(1, 2, 3, padding=1), mask)
    x = torch.randn(1, 4, 4)
    assert torch.equal(f(x)[mask], x[mask])
    jacobian = torch.autograd.functional.jacobian(f, x).reshape(16, 16)
    allowed = torch.eye(16, dtype=torch.bool) | (~mask.flatten()[:, None] & mask.flatten()[None])
    assert torch.equal(jacobian[~allowed], torch.zeros_like(jacobian[~allowed]))
    torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], f.forward_log_det_jacobian(x))


def test_is_the_vector_coupling_on_vectors():
    torch.manual_seed(0)
    mask = torch.tensor([True, False, True, False])
    linear = nn.Linear(2, 4)
    wide = nn.Linear(4, 8)
    with torch.no_grad():
        wide.weight.zero_()
        wide.bias.zero_()
        for place, coordinate in enumerate((1, 3)):
            for number in range(2):
                wide.weight[number * 4 + coordinate, [0, 2]] = linear.weight[2 * place + number]
                wide.bias[number * 4 + coordinate] = linear.bias[2 * place + number]
    x = torch.randn(6, 4)
    expected = Coupling(Affine(), linear, mask.tolist()).forward_and_log_det(x)
    found = MaskedCoupling(Affine(), wide, mask).forward_and_log_det(x)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])


def test_errors_say_what_came():
    network = nn.Conv2d(1, 2, 3, padding=1)
    with pytest.raises(TypeError, match="of booleans"):
        MaskedCoupling(Affine(), network, torch.ones(1, 2, 2))
    with pytest.raises(ValueError, match="False somewhere"):
        MaskedCoupling(Affine(), network, torch.ones(1, 2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="equal domain"):
        MaskedCoupling(Exp(), network, checkerboard_mask((1, 2, 2)))
    with pytest.raises(ValueError, match="must give 4 channels"):
        MaskedCoupling(Affine(), nn.Conv2d(2, 2, 1), checkerboard_mask((2, 2, 2)))(torch.zeros(2, 2, 2))
    with pytest.raises(ValueError, match=r"event shape \(1, 2, 2\)"):
        MaskedCoupling(Affine(), network, checkerboard_mask((1, 2, 2)))(torch.zeros(1, 2, 3))


def test_arguments_of_other_kinds_are_named():
    mask = checkerboard_mask((1, 2))
    with pytest.raises(TypeError, match="`mask` must be a tensor of booleans; got list"):
        MaskedCoupling(Affine(), nn.Identity(), [True, False])
    with pytest.raises(TypeError, match="`element` of MaskedCoupling must be an Elementwise bijector; got Linear"):
        MaskedCoupling(nn.Linear(1, 1), nn.Identity(), mask)
    with pytest.raises(ValueError, match=r"no size negative; got \(1, -2, 3\)"):
        checkerboard_mask((1, -2, 3))
