"""PixelRNN: no leak, every pixel reached, the published blind spot, mass one, gradients through steps, what is refused."""

import pytest
import torch

from probgen.distributions import Autoregressive
from probgen.distributions.elements import BernoulliElement
from probgen.distributions.testing import incremental_matches_parallel
from probgen.nn import PixelRNN
from tests.probgen.nn.causal.recurrence import reach


def network(shape, kind="diagonal", **options):
    torch.manual_seed(0)
    return PixelRNN(shape, 1, kind=kind, **{"layers": 2, "hidden": 4, "kernel_size": 3, **options}).double()


def seen(model):
    """Booleans ``[D, D]``: which coordinate moves which parameter."""
    return reach(lambda x: model(x.flatten(1)).mT, 1, *model.grid)


def test_diagonals_see_all_pixels_before_and_nothing_else():
    found = seen(network((5, 6)))
    assert torch.equal(found, torch.ones_like(found).tril(-1))


def test_without_the_pixels_themselves_the_last_of_a_row_is_not_seen_below():
    # as published: features hold no pixel itself, and the direction from the right sees features of the rows above only
    model = network((5, 6), layers=4)
    with torch.no_grad():
        model.layers[0].own.weight.zero_()
    pairs = torch.ones(30, 30).tril(-1).bool() & ~seen(model)
    wanted = {
        (6 * row + column, 6 * row - 1) for row in range(1, 5) for column in range(4)
    }  # a 3x3 kernel reaches the last two
    assert {tuple(pair) for pair in pairs.nonzero().tolist()} == wanted


def test_rows_see_a_triangle_and_nothing_later():
    found = seen(network((3, 9), "row", layers=1))
    row, column = torch.arange(27) // 9, torch.arange(27) % 9
    above, right = row[:, None] - row, column - column[:, None]
    in_row = (above == 0) & (right < 0) & (right >= -2)
    assert torch.equal(found, in_row | ((above > 0) & (right <= above) & (right >= -above - 2)))


@pytest.mark.parametrize("kind", ["diagonal", "row"])
def test_all_images_of_nine_bits_have_mass_one(kind):
    law = Autoregressive(network((3, 3), kind), (3, 3), BernoulliElement())
    assert law.log_prob(law.enumerate_support()).exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["diagonal", "row"])
def test_gradients_flow_through_the_steps(kind):
    model, values = network((3, 2), kind), torch.randn(3, 6).double().requires_grad_()
    state, params = model.init_state((3,))
    total = params.sum()
    for k in range(5):
        state, params = model.step(state, values[:, k : k + 1])
        total = total + params.sum()
    wanted = [values, *model.parameters()]
    for by_steps, at_once in zip(
        torch.autograd.grad(total, wanted), torch.autograd.grad(model(values).sum(), wanted), strict=True
    ):
        torch.testing.assert_close(by_steps, at_once)


@pytest.mark.parametrize("kind", ["diagonal", "row"])
def test_features_of_each_pixel_are_a_context(kind):
    model = network((3, 4), kind, context_shape=(2, 3, 4))
    incremental_matches_parallel(model, torch.randn(5, 12).double(), torch.randn(5, 2, 3, 4).double(), tolerance=1e-12)
    context = torch.zeros(1, 2, 3, 4).double()
    there = context.clone()
    there[0, 0, 1, 2] = 1
    x = torch.randn(1, 12).double()
    moved = (model(x, context) - model(x, there)).abs().sum(-1)[0] > 0
    assert not moved[:6].any()
    assert moved[6]


def test_every_parameter_learns():
    for kind in ("diagonal", "row"):
        model = PixelRNN((3, 4, 4), 2, kind=kind, layers=2, hidden=6, ordered_channels=True, context_shape=(2,))
        model(torch.randn(5, 48), torch.randn(5, 2)).square().sum().backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"must be \(C, H, W\) or \(H, W\), all positive; got \(4,\)"):
        PixelRNN((4,), 1)
    with pytest.raises(ValueError, match='`kind` must be "diagonal" or "row"'):
        PixelRNN((4, 4), 1, kind="column")
    with pytest.raises(ValueError, match="must be odd"):
        PixelRNN((4, 4), 1, kernel_size=4)
