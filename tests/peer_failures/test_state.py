"""Stale values, and state that is lost, left behind or kept too long."""

import copy
import gc
import io
import pickle
import weakref

import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ActNorm, Compose, Exp, LULinear, Permutation, Planar, Scale, Tanh
from tests.peer_failures.flows import KINDS, flow, law, step

KIND = pytest.mark.parametrize("kind", KINDS)


def stored_size(module):
    """Bytes that ``torch.save`` writes."""
    buffer = io.BytesIO()
    torch.save(module, buffer)
    return buffer.tell()


def mixed_flow():
    """Couplings with permutations and linear maps in between; every call makes other ones."""
    parts = [flow("spline coupling", layers=2), Permutation.random(4), flow("spline coupling", layers=2)]
    return Compose(*parts, LULinear(4, start="rotation"), Permutation.random(4))


@KIND
def test_a_step_of_the_optimizer_changes_the_density_of_the_same_tensor(kind):
    """Pyro caches x, y and ladj on the module: log_prob of the same tensor after a step is stale by up to 25 nats."""
    f, x = flow(kind), torch.randn(32, 4)
    before = law(f).log_prob(x)
    f.inverse(f(x))
    step(f, x)
    fresh = flow(kind)
    fresh.load_state_dict(f.state_dict())
    after = law(f).log_prob(x)
    assert torch.equal(after, law(fresh).log_prob(x.clone()))
    assert (after - before).abs().max() > 1e-3


@KIND
def test_a_second_backward_runs(kind):
    """Pyro: the second `backward` on the same tensor goes through the graph of the first, and raises."""
    f, x = flow(kind), torch.randn(8, 4)
    for _ in range(2):
        law(f).log_prob(x).sum().backward()
        f(x).sum().backward()


@KIND
def test_a_used_flow_is_copied(kind):
    """Pyro: `deepcopy` of a flow after `backward` raises; tfp#1609: of a TransformedDistribution."""
    f, x = flow(kind), torch.randn(8, 4)
    p = law(f)
    p.log_prob(x).sum().backward()
    p.rsample_and_log_prob((3,))[1].sum().backward()
    for twin in (law(copy.deepcopy(f)), copy.deepcopy(p)):
        assert torch.equal(twin.log_prob(x), p.log_prob(x))


@KIND
def test_a_stored_flow_does_not_grow_with_use(kind):
    """Pyro: a layer of 1 kB that was used once on 200 000 points is stored as 8 MB (here 20 000 points)."""
    f = flow(kind, 2, layers=1, hidden=(4,))
    before = stored_size(f)
    with torch.no_grad():
        f.inverse(f(torch.randn(20_000, 2)))
    assert abs(stored_size(f) - before) < 100


@KIND
def test_whole_flows_and_their_inverses_are_pickled(kind):
    """torch#191197: `t.inv` comes back as Inverse(None); FrEIA and survae's MAF cannot be stored for a lambda in them."""
    f, x = flow(kind), torch.randn(8, 4)
    for g in (f, f.inv, f.inv.inv, Compose(f.inv, Tanh()), Exp().inv):
        again = pickle.loads(pickle.dumps(g))
        value = x.exp() if g.domain.check(-torch.ones(4)).logical_not().any() else x
        torch.testing.assert_close(again(value), g(value), rtol=0, atol=0)
        torch.testing.assert_close(again.forward_log_det_jacobian(value), g.forward_log_det_jacobian(value), rtol=0, atol=0)


def test_a_strictly_loaded_flow_is_the_same_flow():
    """Pyro: a Permute is no module; a strict load of [coupling, permute, coupling] passes, and log_prob differs by 6.7 nats."""
    f, other, x = mixed_flow(), mixed_flow(), torch.randn(16, 4)
    different = (law(f).log_prob(x) - law(other).log_prob(x)).abs().max()
    other.load_state_dict(f.state_dict(), strict=True)
    assert different > 0.1
    assert torch.equal(law(f).log_prob(x), law(other).log_prob(x))


@KIND
def test_every_tensor_is_a_parameter_or_a_buffer(kind):
    """Plain tensors, which `.to` and `state_dict` miss: torchflows 32, Pyro 24 after a call, nflows' MAF 5; pyro#2761."""
    f = Compose(flow(kind), Permutation.random(4), LULinear(4), ActNorm((4,)))
    with torch.no_grad():
        f.inverse(f(torch.randn(5, 4)))
    loose = [
        f"{path}.{name}"
        for path, module in f.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, torch.Tensor) or (isinstance(value, (list, tuple)) and any(map(torch.is_tensor, value)))
    ]
    assert not loose


@KIND
def test_no_buffer_is_double(kind):
    """nflows keeps a float64 buffer, so that no flow runs on Apple's processors (sbi#912)."""
    f = Compose(flow(kind), Permutation.random(4), LULinear(4), ActNorm((4,)))
    assert {tensor.dtype for tensor in f.state_dict().values() if tensor.is_floating_point()} == {torch.float32}


@KIND
def test_a_doubled_flow_samples_and_inverts(kind):
    """After `.double()`: Pyro's MAF cannot invert (float32 zeros), nflows' `sample` raises, normflows' base stays float32."""
    f = flow(kind).double()
    x, log_prob = law(f).rsample_and_log_prob((6,))
    assert x.dtype == log_prob.dtype == torch.float64
    torch.testing.assert_close(law(f).log_prob(x.detach().clone()), log_prob)


def test_nothing_is_kept_after_use():
    """tfp#493, tfp#647 and torch's one slot: a cache keeps the last tensors, and with them their graph, alive."""
    f = mixed_flow()
    x = torch.randn(10, 4, requires_grad=True)
    y, log_prob = f(x), law(f).log_prob(x)
    watched = [weakref.ref(tensor) for tensor in (x, y, log_prob)]
    del x, y, log_prob
    gc.collect()
    assert [reference() for reference in watched] == [None, None, None]


def test_a_loaded_normalization_is_not_started_again():
    """nflows PR #5, normflows PR #2: the flag "initialized" is not in the state, so a loaded ActNorm forgets its training."""
    f, x = ActNorm((3, 1)), 5.0 + 2.0 * torch.randn(16, 3, 7)
    f.initialize_from(x)
    with torch.no_grad():
        f.loc.add_(1.0)  # training
    trained = f.inverse(x)
    other = ActNorm((3, 1))
    other.load_state_dict(f.state_dict())
    for module in (f, other):
        module.train()
        for value in (x, 100.0 * x):
            module.inverse(value)
            module(value)
    assert torch.equal(f.inverse(x), trained)
    assert torch.equal(other.inverse(x), trained)
    assert trained.mean() < -0.4  # a fresh start would have mean 0


def test_a_poisoned_value_is_not_replaced_by_the_remembered_one():
    """tfp#1683: the cache returns the input from before the NaN, which hides it."""
    f = mixed_flow()
    with torch.no_grad():
        y = f(torch.randn(2, 4))
        y[0].fill_(torch.nan)
    with torch.no_grad(), pytest.raises(ValueError, match="NaN"):
        f.inverse(y)
    torch.distributions.Distribution.set_default_validate_args(False)
    with torch.no_grad():
        assert bool(f.inverse(y)[0].isnan().all())


def test_the_gradient_does_not_depend_on_what_was_drawn_before():
    """torch#59822: the gradient of log_prob at an own draw is -0.500 with a cache and 0.687 without."""
    scale = nn.Parameter(torch.tensor([1.5]))

    def score(*, fresh):
        torch.manual_seed(3)
        p = TransformedDistribution(standard_normal(1), Scale(scale) >> Exp())
        x = p.rsample()
        y = x.detach()
        return torch.autograd.grad(p.log_prob(y.clone() if fresh else y).sum(), scale)[0]

    torch.testing.assert_close(score(fresh=False), score(fresh=True))
    assert score(fresh=True).abs() > 1e-3


@KIND
def test_the_score_of_an_own_draw_has_all_its_gradients(kind):
    """tfp#1190: gradients are None, since the cache hands out the base's draw; survae draws without any gradient."""
    f = flow(kind)
    p = law(f)
    x = p.rsample((7,))
    for loss in (x.square().sum(), p.log_prob(x).sum()):
        gradients = torch.autograd.grad(loss, list(f.parameters()), retain_graph=True, allow_unused=True)
        assert sum(gradient is None for gradient in gradients) == 0
        assert any(bool((gradient != 0).any()) for gradient in gradients)


def test_an_expanded_law_shares_its_parameters():
    """`expand` must not copy: an expanded law follows the optimizer, and its density is that of the first."""
    f, x = flow("spline coupling"), torch.randn(3, 4)
    p = law(f)
    wide = p.expand((5, 3))
    step(f, x)
    assert wide.batch_shape == (5, 3)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x).expand(5, 3))


@pytest.mark.parametrize("cached", [False, True])
def test_a_layer_with_a_searched_inverse_scores_other_peoples_data(cached):
    """pyro#2718, #2076: planar, radial and Sylvester flows know no inverse but that of their last output (KeyError)."""
    f, x = Planar(3), torch.randn(5, 3)
    p = TransformedDistribution(dist.Normal(torch.zeros(3), 1.0).to_event(1), f >> Tanh())
    if cached:
        p.sample((5,))
    assert bool(p.log_prob(x.tanh()).isfinite().all())
