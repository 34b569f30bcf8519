"""MADE with direct connections and dropout, and one set of weights in several orders: dependence, steps, sharing, mixtures."""

import copy

import pytest
import torch

from probgen.distributions import Autoregressive, Mixture
from probgen.distributions.elements import BernoulliElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.infer import MaximumLikelihood
from probgen.nn import FVSBN, MADE

GRAPH = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0]]).bool()
ORDER = (4, 2, 0, 1, 3)
BASES = {
    "two layers": {"hidden": (12, 9)},
    "residual": {"hidden": (12, 12, 12), "residual": True},
    "random masks, tanh": {"hidden": (16, 9), "seed": 2, "activation": torch.nn.Tanh},
    "codes, context, order": {"hidden": (12,), "num_inputs": 3, "context_features": (2, 2), "order": (1, 0, 4, 2, 3)},
    "many numbers": {"hidden": (12,), "num_outputs": 6},
}


def network(name, **options):
    torch.manual_seed(0)
    return MADE(5, **{"num_outputs": 2, **BASES[name], **options}).double()


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", BASES)
def test_other_orders_keep_all_laws(name, skip, seed):
    torch.manual_seed(1)
    made = network(name, skip=skip).reordered(ORDER, seed=seed)
    values = torch.randn(3, 5 * made.num_inputs).double()
    context = None if made.context_shape is None else torch.randn(3, *made.context_shape).double()
    assert made.levels == tuple((index,) for index in ORDER)
    incremental_matches_parallel(made, values, context, tolerance=1e-12)
    incremental_matches_parallel(made, values[0], None if context is None else context[0], tolerance=1e-12)
    levels_are_parallel(made, values, context)
    states_do_not_mix(made, values, values + 1, context)


def test_direct_connections_in_long_sequences_and_graphs():
    long = MADE(40, 2, hidden=(64, 50), skip=True).double()
    for made in (long, long.reordered(torch.randperm(40).tolist(), seed=1)):
        incremental_matches_parallel(made, torch.randn(3, 40).double(), tolerance=1e-12)
    made = MADE(4, 2, hidden=(24,), adjacency=GRAPH, skip=True).double()
    incremental_matches_parallel(made, torch.randn(3, 4).double(), tolerance=1e-12)
    with torch.no_grad():
        for layer in made.layers:
            layer.weight.zero_()
    jacobian = torch.autograd.functional.jacobian(made, torch.randn(4).double())
    assert torch.equal(jacobian != 0, GRAPH[:, None].expand(4, 2, 4))


def test_direct_connections_are_a_belief_network_added():
    plain, direct, linear = network("two layers"), network("two layers", skip=True), FVSBN(5, 2).double()
    direct.layers.load_state_dict(plain.layers.state_dict())
    with torch.no_grad():
        linear.linear.bias.zero_()
        linear.linear.weight.copy_(direct.skip.weight.unflatten(0, (2, 5)).transpose(0, 1).flatten(0, 1))  # P before D in MADE
    x = torch.randn(7, 5).double()
    torch.testing.assert_close(direct(x), plain(x) + linear(x))


def test_parameters_are_shared_and_the_first_order_stays():
    made, x = network("two layers"), torch.randn(3, 5).double()
    before, other = made(x), made.reordered(ORDER, seed=3)
    assert [id(p) for p in other.parameters()] == [id(p) for p in made.parameters()]
    assert torch.equal(made(x), before)
    other(x).sum().backward()
    assert made.layers[0].weight.grad.abs().sum() > 0
    assert torch.equal(other.reordered(range(5))(x), made.reordered(range(5), seed=3)(x))


def test_copies_of_other_orders_stand_alone():
    made, x = network("two layers", skip=True), torch.randn(3, 5).double()
    other = made.reordered(ORDER, seed=3)
    twin = copy.deepcopy(other)
    with torch.no_grad():
        made.layers[0].bias.add_(1.0)
    assert not torch.allclose(twin(x), other(x))
    twin.load_state_dict(other.state_dict())
    assert torch.equal(twin(x), other(x))


def test_drawn_masks_differ_and_seeds_fix_them():
    made, x = network("two layers"), torch.randn(3, 5).double()
    first, again, other = (made.reordered(range(5), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first.mask_0, other.mask_0)
    degrees = first.mask_0.sum(1)
    assert (degrees.diff() < 0).any()  # not sorted: any unit may see any number of coordinates
    one = MADE(1, 2, hidden=(4,)).reordered([0], seed=0)
    assert one(torch.zeros(3, 1)).shape == (3, 1, 2)


def test_a_mixture_of_orders_is_a_law_and_no_worse_than_its_members():
    torch.manual_seed(0)
    made = MADE(6, 1, hidden=(24, 24), skip=True).double()
    laws = [Autoregressive(made.reordered(torch.randperm(6).tolist(), seed=k), (2, 3), BernoulliElement()) for k in range(5)]
    states = laws[0].enumerate_support()
    mixture = Mixture(laws, torch.zeros(5).double())
    members = torch.stack([law.log_prob(states) for law in laws])
    torch.testing.assert_close(mixture.log_prob(states), members.logsumexp(0) - torch.tensor(5.0).double().log())
    assert mixture.log_prob(states).exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    assert (mixture.log_prob(states) >= members.mean(0)).all()
    assert (mixture.log_prob(states) > members.mean(0) + 1e-6).any()


def test_one_set_of_weights_learns_in_new_orders_and_masks():
    torch.manual_seed(0)
    x = (torch.rand(256, 1) < 0.5).float().expand(256, 6).clone()  # six copies of one bit: log 2 nats in any order
    made = MADE(6, 1, hidden=(64, 64))
    search = torch.optim.Adam(made.parameters(), lr=1e-2)
    for step in range(150):
        law = Autoregressive(made.reordered(torch.randperm(6).tolist(), seed=step), (6,), BernoulliElement())
        search.zero_grad()
        MaximumLikelihood(_Fixed(law))(x).backward()
        search.step()
    for order in (range(6), (5, 1, 3, 0, 4, 2)):
        law = Autoregressive(made.reordered(order, seed=1000), (6,), BernoulliElement())
        assert -law.log_prob(x).mean().item() < 1.0  # of 6 log 2 = 4.16 at the start


class _Fixed(torch.nn.Module):
    """A law as a module."""

    def __init__(self, law):
        super().__init__()
        self.law = law

    def forward(self):
        """The law."""
        return self.law


def test_units_are_dropped_in_training_only():
    made, x = network("two layers", dropout=0.5), torch.randn(3, 5).double()
    assert not torch.equal(made(x), made(x))
    assert torch.equal(made(x)[:, 0], made(x)[:, 0])  # the first coordinate has no hidden units
    made.eval()
    assert torch.equal(made(x), made(x))
    other = made.reordered(ORDER, seed=1)
    incremental_matches_parallel(made, x, tolerance=1e-12)
    incremental_matches_parallel(other, x, tolerance=1e-12)
    made.train()
    assert not torch.equal(other(x), other(x))  # one switch for all orders


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="permutation of 0 to 4; got"):
        network("two layers").reordered((0, 1, 2))
    with pytest.raises(ValueError, match="only the masks of an order"):
        MADE(4, 2, hidden=(8,), adjacency=GRAPH).reordered(range(4))
