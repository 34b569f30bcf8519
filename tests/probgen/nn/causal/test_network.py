"""Causal networks: steps are the parallel pass at one position, for sequences, images and images with ordered colors."""

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import fork
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn.causal import CausalNetwork, ChannelNorm, ContextBias, Pointwise


class Average(CausalNetwork):
    """A decaying average of earlier positions; with ordered channels also of earlier colors of the pixel."""

    def __init__(self, grid, num_outputs, **options):
        super().__init__(grid, num_outputs, **options)
        self.bias = None if self.context_shape is None else ContextBias(self.context_shape, self.channels, (1,))
        self.head = Pointwise(1, num_outputs) if self.ordered_channels else Pointwise(self.channels, num_outputs)

    def _run(self, canvas, context, stream):
        x = canvas.flatten(2)
        before = self._parallel(x) if stream is None else stream.update(*self._step(x, stream.position), writes=True)
        before = before if self.bias is None else before + self.bias(context, stream)
        if not self.ordered_channels:
            output = self.head(before)
        else:
            current = x if stream is None else x[:, :, stream.position]
            output = torch.cat([self.head(before[:, k : k + 1] + current[:, :k].sum(1, True)) for k in range(self.channels)], 1)
        return output if stream is not None else output.unflatten(2, self.grid)

    def _parallel(self, x):
        states = [torch.zeros_like(x[..., 0])]
        for position in range(x.shape[-1] - 1):
            states.append(0.5 * states[-1] + x[..., position])
        return torch.stack(states, -1)

    def _step(self, x, position):
        def advance(table):
            if position:
                table[:, position] = 0.5 * table[:, position - 1] + x[..., position - 1]
            return table, table[:, position].clone()

        return lambda: x.new_zeros(len(x), x.shape[-1], x.shape[1]), advance


KINDS = {
    "sequence": {"grid": (5,)},
    "image": {"grid": (2, 3)},
    "pixels of three channels": {"grid": (2, 3), "channels": 3},
    "ordered colors": {"grid": (2, 2), "channels": 3, "ordered_channels": True},
    "context": {"grid": (4,), "context_shape": (2, 3)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(kind, batch):
    torch.manual_seed(0)
    network = Average(num_outputs=2, **KINDS[kind]).double()
    values = torch.randn(*batch, network.features * network.num_inputs).double()
    other = torch.randn_like(values)
    context = None if network.context_shape is None else torch.randn(*batch, 2, 3).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, other, context)


def test_a_state_can_be_forked():
    network = Average((4,), 1).double()
    values = torch.randn(3, 4).double()
    state, _ = network.init_state((3,))
    state, _ = network.step(state, values[:, :1])
    index = torch.tensor([2, 2, 0])
    _, params = network.step(fork(state, index), values[index, 1:2])
    torch.testing.assert_close(params[:, 0], network(values[index])[:, 2])


def test_gradients_flow_through_the_steps():
    network = Average((4,), 1).double()
    values = torch.randn(3, 4).double().requires_grad_()
    state, params = network.init_state((3,))
    for k in range(3):
        state, params = network.step(state, values[:, k : k + 1])
    (by_steps,) = torch.autograd.grad(params.sum(), values)
    (at_once,) = torch.autograd.grad(network(values)[:, 3].sum(), values)
    torch.testing.assert_close(by_steps, at_once)


def test_a_channel_norm_is_causal_and_a_context_is_broadcast():
    norm, x = ChannelNorm(3).double(), torch.randn(2, 3, 4, 4).double()
    nn.init.normal_(norm.weight)
    torch.testing.assert_close(norm(x)[:, :, 1, 2], norm(x[:, :, 1, 2]))
    network = Average(num_outputs=2, **KINDS["context"])
    assert network(torch.zeros(5, 4), torch.zeros(2, 3)).shape == (5, 4, 2)
    assert network(torch.zeros(4), torch.zeros(7, 2, 3)).shape == (7, 4, 2)


def test_what_does_not_fit_is_refused():
    network = Average((4,), 1)
    with pytest.raises(ValueError, match=r"the values of Average must end with \(4,\); got \(2, 5\)"):
        network(torch.zeros(2, 5))
    state, _ = network.init_state((2,))
    with pytest.raises(ValueError, match=r"`values` must have the shape \(2, 1\) of one coordinate; got \(2, 2\)"):
        network.step(state, torch.zeros(2, 2))
    with pytest.raises(ContextError, match="takes no context"):
        network(torch.zeros(2, 4), torch.zeros(2))
    with pytest.raises(ValueError, match="must be positive"):
        Average((0,), 1)
