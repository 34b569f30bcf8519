"""The causal transformer: steps against the parallel pass, what it may see, the table of codes, contexts, initialization."""

import math

import pytest
import torch

from probgen.distributions import Autoregressive
from probgen.distributions._checks import ContextError
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn.causal import CausalTransformer, RecomputingNetwork

SMALL = {"width": 8, "depth": 2, "heads": 2}
KINDS = {
    "sequence": {"grid": (5,)},
    "image": {"grid": (2, 3)},
    "pixels of three channels": {"grid": (2, 2), "channels": 3},
    "codes, rotary, tied": {"grid": (5,), "values": 4, "positions": "rotary", "tied": True},
    "context": {"grid": (4,), "context_shape": (2, 3)},
    "attended context": {"grid": (4,), "context_shape": (2, 3), "cross_attention": True},
}


def made(kind, **options):
    torch.manual_seed(0)
    network = CausalTransformer(num_outputs=4, **SMALL, **KINDS[kind], **options).double()
    with torch.no_grad():  # away from the small weights at the start
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def values_for(network, batch):
    shape = (*batch, network.features * network.num_inputs)
    return torch.randn(shape).double() if network.values is None else torch.randint(3, shape).double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (4,), (2, 3), (0,)])
def test_steps_sweeps_and_the_parallel_pass_agree(kind, batch):
    network = made(kind)
    values, other = values_for(network, batch), values_for(network, batch)
    context = None if network.context_shape is None else torch.randn(*batch, 2, 3).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    levels_are_parallel(network, values, context)
    states_do_not_mix(network, values, other, context)


def test_every_earlier_position_is_seen_and_no_later_one():
    network = made("image")
    values = torch.randn(4, 6).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x).sum((0, 2)), values)
    assert torch.equal(jacobian.abs().sum(1) > 0, torch.ones(6, 6).tril(-1).bool())


def test_codes_are_looked_up_and_used_once_more_when_tied():
    network = made("codes, rotary, tied")
    codes = torch.randint(4, (3, 5)).double()
    before = network(codes)
    assert before.shape == (3, 5, 4)
    with torch.no_grad():
        network.embedding.weight[2] += 1.0  # the logit of code 2, and what is seen after it
    after = network(codes)
    assert (after[:, 0, :2] == before[:, 0, :2]).all()
    assert ((after != before)[:, 0, 2]).all()
    assert not any(name.startswith("head") for name, _ in network.named_parameters())


def test_a_layer_is_added_once():
    """With all layers that write to the sum set to zero, what remains is the head of the normalized embedding."""
    network = made("sequence")
    with torch.no_grad():
        for block in network.blocks:
            for layer in (block.attention.output, block.contract):
                layer.weight.zero_()
                layer.bias.zero_()
    values = torch.randn(3, 5).double()
    start = network.start.expand(3, 1, -1)
    x = torch.cat([start, network.embedding(values[:, :-1].unsqueeze(-1))], 1) + network.positions
    torch.testing.assert_close(network(values), network.head(network.norm(x)))
    with torch.no_grad():
        network.blocks[0].contract.bias.fill_(1.0).mul_(torch.arange(8.0))
    torch.testing.assert_close(network(values), network.head(network.norm(x + torch.arange(8.0))))


def test_initial_weights_are_those_of_gpt_2():
    torch.manual_seed(0)
    network = CausalTransformer((16,), 32, values=32, width=64, depth=8, heads=4)
    for name, parameter in network.named_parameters():
        if name.endswith(("output.weight", "contract.weight")):
            wanted = 0.02 / 4
        elif name.endswith("bias"):
            wanted = 0.0
        elif "norm" in name:
            assert (parameter == 1).all()
            continue
        else:
            wanted = 0.02
        count = parameter.numel()
        assert parameter.pow(2).mean().sqrt().item() == pytest.approx(wanted, rel=6 / math.sqrt(2 * count)), name


def test_dropout_is_for_training():
    network = made("sequence", dropout=0.5)
    values = torch.randn(3, 5).double()
    assert not torch.equal(network(values), network(values))
    network.eval()
    assert torch.equal(network(values), network(values))
    incremental_matches_parallel(network, values, tolerance=1e-12)


def test_gradients_flow_through_the_steps():
    network = made("sequence")
    values = torch.randn(3, 5).double().requires_grad_()
    state, params = network.init_state((3,))
    for k in range(4):
        state, params = network.step(state, values[:, k : k + 1])
    (by_steps,) = torch.autograd.grad(params.sum(), values)
    (at_once,) = torch.autograd.grad(network(values)[:, 4].sum(), values)
    torch.testing.assert_close(by_steps, at_once)


def test_second_derivatives_and_function_transforms():
    network = made("sequence")
    x = torch.randn(2, 5).double().requires_grad_()
    (slope,) = torch.autograd.grad(network(x).square().sum(), x, create_graph=True)
    assert torch.autograd.grad(slope.square().sum(), x)[0].isfinite().all()
    many = torch.randn(3, 2, 5).double()
    torch.testing.assert_close(torch.func.vmap(network)(many), torch.stack([network(each) for each in many]))
    rows = torch.func.vmap(torch.func.jacfwd(lambda row: network(row).flatten()))(x.detach())
    torch.testing.assert_close(rows, torch.func.vmap(torch.func.jacrev(lambda row: network(row).flatten()))(x.detach()))


def test_a_law_of_a_class_sums_to_one_and_draws_what_recomputing_draws():
    torch.manual_seed(0)
    network = CausalTransformer((2, 3), 3, values=3, **SMALL, context_shape=(2,)).double()
    naive = RecomputingNetwork(network, 6, 3, context_shape=(2,))
    contexts = torch.eye(2).double()
    law, slow = (Autoregressive(each, (2, 3), CategoricalElement(3), context=contexts) for each in (network, naive))
    mass = law.log_prob(law.enumerate_support()).exp().sum(0)
    torch.testing.assert_close(mass, torch.ones(2).double())
    torch.manual_seed(1)
    drawn = law.sample((4,))
    torch.manual_seed(1)
    assert torch.equal(drawn, slow.sample((4,)))
    assert drawn.shape == (4, 2, 2, 3)


def test_single_precision_and_state_dict():
    network = CausalTransformer((3, 3), 1, **SMALL)
    law = Autoregressive(network, (3, 3), BernoulliElement())
    other = CausalTransformer((3, 3), 1, **SMALL)
    other.load_state_dict(network.state_dict())
    x = law.sample((5,))
    assert torch.equal(network(x.flatten(1)), other(x.flatten(1)))
    assert law.log_prob(x).dtype == torch.float32


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`tied` needs as many outputs as `values`; got 5 and 4"):
        CausalTransformer((4,), 5, values=4, tied=True)
    with pytest.raises(ValueError, match="one at a position; got 4, 3 channels"):
        CausalTransformer((4,), 4, values=4, channels=3)
    with pytest.raises(ValueError, match="'rotary'; got 'rotary' on"):
        CausalTransformer((2, 2), 4, positions="rotary")
    with pytest.raises(ValueError, match=r"a sequence \[M, F\]; got \(3,\)"):
        CausalTransformer((4,), 4, context_shape=(3,), cross_attention=True)
    with pytest.raises(ValueError, match="`depth` must be positive; got 0"):
        CausalTransformer((4,), 4, depth=0)
    with pytest.raises(ContextError, match="takes no context"):
        made("sequence")(torch.zeros(2, 5).double(), torch.zeros(2).double())
