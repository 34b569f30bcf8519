"""The update of a cell against torch's, and the skewed map."""

import torch

from probgen.nn.causal.lstm import lstm_update, skewed, unskewed


def test_the_update_is_that_of_torchs_cell():
    cell, x = torch.nn.LSTMCell(3, 4).double(), torch.randn(5, 3).double()
    state, memory = torch.randn(5, 4).double(), torch.randn(5, 4).double()
    expected = cell(x, (state, memory))
    gates = torch.nn.functional.linear(x, cell.weight_ih, cell.bias_ih)
    gates = gates + torch.nn.functional.linear(state, cell.weight_hh, cell.bias_hh)
    accept, forget, candidate, output = gates.chunk(4, -1)  # torch's order
    found = lstm_update(torch.cat([output, forget, accept, candidate], -1), memory)
    torch.testing.assert_close(found, expected)


def test_a_candidate_can_take_away():
    gates = torch.tensor([9.0, 9.0, 9.0, -9.0])
    assert lstm_update(gates, torch.zeros(1))[1].item() < -0.99


def test_diagonals_become_columns():
    for height, width in [(3, 4), (4, 2), (1, 3), (3, 1)]:
        image = torch.randn(2, height, width)
        moved = skewed(image)
        assert moved.shape == (2, height, height + width - 1)
        for row in range(height):
            for column in range(width):
                assert torch.equal(moved[:, row, row + column], image[:, row, column])
        torch.testing.assert_close(moved.square().sum(), image.square().sum())  # zeros elsewhere
        assert torch.equal(unskewed(moved), image)
