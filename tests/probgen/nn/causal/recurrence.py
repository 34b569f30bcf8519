"""What tests of recurrent layers share: which value reaches which output; a diagonal LSTM padded on a side of one's choice."""

import torch
import torch.nn.functional as F
from torch.autograd.functional import jacobian

from probgen.nn.causal.lstm import lstm_update, skewed, unskewed


def reach(function, *shape, draws=3):
    """Booleans ``[outputs, inputs]``: whether an output of a map of images moves with an input at one of some random images."""
    found = 0
    for seed in range(draws):
        x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        found = found + jacobian(lambda v: function(v).sum(1).flatten(), x, vectorize=True).abs().flatten(1)
    return found != 0


def diagonal_states(gates, weight, *, padded_below):
    """States ``[N, h, H, W]`` along the diagonals; "same" padding of a kernel of 2 rows pads below, a causal one above."""
    columns = skewed(gates)
    state = cell = columns.new_zeros(len(columns), columns.shape[2], len(weight) // 2)
    states = []
    for column in columns.unbind(-1):
        other = F.pad(state[:, 1:], (0, 0, 0, 1)) if padded_below else F.pad(state[:, :-1], (0, 0, 1, 0))
        state, cell = lstm_update(column.mT + torch.cat([other, state], -1) @ weight, cell)
        states.append(state)
    return unskewed(torch.stack(states, -1).permute(0, 2, 1, 3))
