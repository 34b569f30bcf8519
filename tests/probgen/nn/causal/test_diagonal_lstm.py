"""The diagonal BiLSTM: no leak, the leaks of the usual errors, what it sees, steps. Whole networks: the laws of networks."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn.causal import DiagonalBiLSTM, MaskedConv2d, Stream
from tests.probgen.nn.causal.recurrence import diagonal_states, reach


def layer(channels=4, hidden=4, **options):
    torch.manual_seed(0)
    return DiagonalBiLSTM(channels, hidden, **options).double()


@pytest.mark.parametrize(("height", "width"), [(5, 4), (2, 6), (6, 1), (1, 5)])
def test_a_pixel_sees_itself_and_all_before_it(height, width):
    found = reach(layer(1, width=width), 1, height, width)
    assert torch.equal(found, torch.ones_like(found).tril())


def test_padding_below_leaks_and_padding_above_does_not():
    # A known port, one direction on 6x6 behind a 3x3 convolution of kind A: 34 pairs of a pixel and one that comes later.
    torch.manual_seed(0)
    entry = MaskedConv2d(1, 4, 3, kind="A").double()
    model = layer(width=6)
    leaks = {}
    for below in (True, False):
        found = reach(
            lambda x, below=below: diagonal_states(model.from_left(entry(x)), model.states[0], padded_below=below), 1, 6, 6
        )
        leaks[below] = int(found.triu().sum())
    assert leaks == {True: 34, False: 0}


def test_it_is_the_sum_of_two_directions_one_of_them_moved_down():
    model, x = layer(3, width=5), torch.randn(2, 3, 4, 5).double()
    left = diagonal_states(model.from_left(x), model.states[0], padded_below=False)
    right = diagonal_states(model.from_right(x.flip(-1)), model.states[1], padded_below=False).flip(-1)
    torch.testing.assert_close(model(x), left + F.pad(right[:, :, :-1], (0, 0, 1, 0)))
    unmoved = reach(
        lambda v: diagonal_states(model.from_right(v.flip(-1)), model.states[1], padded_below=False).flip(-1), 3, 4, 5
    )
    assert int(unmoved.unflatten(1, (3, 20)).any(1).triu(1).sum()) == 4 * 10  # all pairs within a row: why it is moved


def test_the_direction_from_the_right_is_shown_complete_pixels():
    model, x, canvas = layer(3, width=5, values=2), torch.randn(2, 3, 4, 5).double(), torch.randn(2, 2, 4, 5).double()
    assert not torch.allclose(model(x, canvas=canvas), model(x))
    found = reach(lambda v: model(x[:1], canvas=v), 2, 4, 5).unflatten(1, (2, 20)).all(1)
    row, column = torch.arange(20) // 5, torch.arange(20) % 5
    assert torch.equal(found, (row[:, None] > row) & (column[:, None] <= column))


@pytest.mark.parametrize("values", [0, 2])
def test_columns_of_a_stream_are_those_of_the_image(values):
    model, x, canvas = layer(3, width=4, values=values), torch.randn(2, 3, 5, 4).double(), torch.randn(2, 2, 5, 4).double()
    canvas = canvas if values else None
    expected, memory = model(x, canvas=canvas), None
    for position in range(20):
        row, column = divmod(position, 4)
        for guess in (torch.zeros_like(x[..., 0, 0]), x[..., row, column]):  # a pixel is run again, as for each of its colors
            stream = Stream(position, memory)
            found = model(guess, stream, canvas)
            memory = stream.memory
        torch.testing.assert_close(found, expected[..., row, column])


def test_colors_see_those_before_them():
    model = layer(3, hidden=6, width=2, colors=3)
    torch.manual_seed(0)
    found = sum(
        torch.autograd.functional.jacobian(lambda v: model(v)[0], torch.randn(1, 3, 2, 2).double()).abs() for _ in range(3)
    )
    same_pixel = (found[:, 1, 1, 0, :, 1, 1] != 0).unflatten(0, (3, 2)).any(1)
    assert torch.equal(same_pixel, torch.ones(3, 3).tril().bool())
    assert (found[:, 1, 1, 0, :, 0, 1] != 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be positive; got 3, 0 and 4"):
        DiagonalBiLSTM(3, 0, width=4)
    with pytest.raises(ValueError, match="colors a channel"):
        DiagonalBiLSTM(2, 6, width=4, colors=3)
