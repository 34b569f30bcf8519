"""SplitCoupling: channels against the vector coupling, layout of the network's output, contexts, errors."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import (
    Affine,
    Coupling,
    Exp,
    Permutation,
    RationalQuadraticSpline,
    Shift,
    SplitCoupling,
)


class _WithContext(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(1, 2, 1)

    def forward(self, x, context):
        return self.convolution(x) + context.sum(-1)[:, None, None]


@pytest.mark.parametrize("element", [Affine(), RationalQuadraticSpline(4), Shift()])
def test_is_the_vector_coupling_at_one_position(element):
    """With one position and a 1x1 network, only the order in which the network's numbers are read differs."""
    torch.manual_seed(0)
    free = element.num_free
    linear, convolution = nn.Linear(2, 3 * free), nn.Conv1d(2, 3 * free, 1)
    order = torch.arange(3 * free).reshape(3, free).T.flatten()
    with torch.no_grad():
        convolution.weight.copy_(linear.weight[order].unsqueeze(-1))
        convolution.bias.copy_(linear.bias[order])
    x = torch.randn(7, 5)
    expected = Coupling(element, linear, [True] * 2 + [False] * 3).forward_and_log_det(x)
    found = SplitCoupling(element, convolution, (2, 3), dim=-2).forward_and_log_det(x.unsqueeze(-1))
    torch.testing.assert_close(found[0].squeeze(-1), expected[0])
    torch.testing.assert_close(found[1], expected[1])


def test_flip_exchanges_the_places():
    torch.manual_seed(0)
    network = nn.Conv1d(1, 4, 3, padding=1)
    plain, flipped = (
        SplitCoupling(Affine(), network, (1, 2), dim=-2),
        SplitCoupling(Affine(), network, (1, 2), dim=-2, flip=True),
    )
    x = torch.randn(4, 3, 6)
    rolled = Permutation([1, 2, 0])(x.mT).mT
    torch.testing.assert_close(Permutation([1, 2, 0])(plain(x).mT).mT, flipped(rolled))
    assert torch.equal(flipped(rolled)[:, 2], rolled[:, 2])


def test_a_context_broadcasts_and_counts():
    torch.manual_seed(0)
    f = SplitCoupling(Affine(), _WithContext(), (1, 1), dim=-2, context_shape=(3,))
    x, context = torch.randn(4, 2, 6), torch.randn(5, 1, 3)
    y, log_det = f.forward_and_log_det(x, context)
    assert y.shape == (5, 4, 2, 6)
    assert log_det.shape == (5, 4)
    torch.testing.assert_close(y[2, 3], f(x[3], context[2, 0]))
    torch.testing.assert_close(f.inverse(y, context), x.expand(y.shape), atol=1e-5, rtol=1e-5)


def test_additive_coupling_has_a_constant_log_determinant():
    assert SplitCoupling(Shift(), nn.Conv1d(1, 1, 1), (1, 1), dim=-2).constant_log_det
    assert not SplitCoupling(Affine(), nn.Conv1d(1, 2, 1), (1, 1), dim=-2).constant_log_det


def test_large_inputs_are_inverted():
    torch.manual_seed(0)
    f = SplitCoupling(RationalQuadraticSpline(), nn.Conv2d(1, RationalQuadraticSpline().num_free, 3, padding=1), (1, 1))
    x = 1e3 * torch.randn(8, 2, 4, 4)
    assert (f.inverse(f(x)) - x).abs().max() < 1e-3


def test_errors_say_what_came():
    network = nn.Conv1d(1, 4, 3, padding=1)
    f = SplitCoupling(Affine(), network, (1, 2), dim=-2)
    assert f(torch.zeros(0, 3, 5)).shape == (0, 3, 5)
    with pytest.raises(ValueError, match="must have 3 channels"):
        f(torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match="must give 2 channels"):
        SplitCoupling(Affine(), network, (1, 1), dim=-2)(torch.zeros(2, 2, 5))
    with pytest.raises(ValueError, match="the conditioner must give"):
        SplitCoupling(Affine(), nn.Conv1d(1, 4, 3), (1, 2), dim=-2)(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="positive"):
        SplitCoupling(Affine(), network, (0, 2))
    with pytest.raises(ValueError, match="equal domain"):
        SplitCoupling(Exp(), network, (1, 2))


def test_arguments_of_other_kinds_are_named():
    with pytest.raises(TypeError, match="`element` of SplitCoupling must be an Elementwise bijector; got Linear"):
        SplitCoupling(nn.Linear(1, 1), nn.Identity(), (1, 1))
    with pytest.raises(ValueError, match=r"`sizes` must be two positive numbers and `dim` negative; got \(1,\)"):
        SplitCoupling(Affine(), nn.Identity(), (1,))


def test_derivatives_of_the_inverse_know_of_the_copied_channels():
    torch.manual_seed(0)
    f = SplitCoupling(Affine(), nn.Sequential(nn.Conv2d(1, 2, 1), nn.Tanh()), (1, 1)).double()
    y = torch.randn(1, 2, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: f.inverse_and_log_det(y), (y,))
