"""The row LSTM: no leak, its triangle, steps. Whole networks: the laws of networks."""

import pytest
import torch

from probgen.nn.causal import RowLSTM, Stream
from tests.probgen.nn.causal.recurrence import reach


def layer(channels=1, hidden=4, **options):
    torch.manual_seed(0)
    return RowLSTM(channels, hidden, **options).double()


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(4, 7), (1, 5), (5, 1)])
def test_a_pixel_sees_a_triangle(kernel, height, width):
    found = reach(layer(width=width, kernel_size=kernel), 1, height, width)
    row, column, half = torch.arange(height * width) // width, torch.arange(height * width) % width, kernel // 2
    above, right = row[:, None] - row, column - column[:, None]
    # left by half a kernel a row, and by the input's own half; right by half a kernel a row
    assert torch.equal(found, (above >= 0) & (right <= half * above) & (right >= -half * (above + 1)))


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_columns_of_a_stream_are_those_of_the_image(kernel):
    model, x = layer(3, width=4, kernel_size=kernel), torch.randn(2, 3, 5, 4).double()
    expected, memory = model(x), None
    for position in range(20):
        row, column = divmod(position, 4)
        for guess in (torch.zeros_like(x[..., 0, 0]), x[..., row, column]):  # a pixel is run again, as for each of its colors
            stream = Stream(position, memory)
            found = model(guess, stream)
            memory = stream.memory
        torch.testing.assert_close(found, expected[..., row, column])


def test_colors_see_those_before_them():
    model = layer(3, hidden=6, width=2, colors=3)
    found = torch.autograd.functional.jacobian(lambda v: model(v)[0], torch.randn(1, 3, 2, 2).double()).abs()
    same_pixel = (found[:, 1, 1, 0, :, 1, 1] != 0).unflatten(0, (3, 2)).any(1)
    assert torch.equal(same_pixel, torch.ones(3, 3).tril().bool())
    assert (found[:, 1, 1, 0, :, 1, 0] != 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be positive; got 0, 4 and 4"):
        RowLSTM(0, 4, width=4)
    with pytest.raises(ValueError, match="must be odd"):
        RowLSTM(3, 4, width=4, kernel_size=2)
