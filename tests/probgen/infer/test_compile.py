"""Recorded steps: equal to the objective, and never stale."""

import copy
import functools
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule
from torch import nn
from torch.distributions import Distribution

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import MaskedAutoregressive
from probgen.flows import inverse_autoregressive_flow
from probgen.infer import ELBO, Annealed, compile
from tests.probgen.infer.programs import Decoder, Encoder, Game


def step(loss, *args, **kwargs):
    torch.manual_seed(3)
    loss.zero_grad()
    value = loss(*args, **kwargs)
    value.backward()
    return value.detach(), [None if p.grad is None else p.grad.clone() for p in loss.parameters()], torch.rand(())


def assert_follows(slow, fast, *args, **kwargs):
    expected, expected_grads, expected_next = step(slow, *args, **kwargs)
    value, grads, next_draw = step(fast, *args, **kwargs)
    torch.testing.assert_close(value, expected)
    for a, b in zip(grads, expected_grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)
    assert next_draw == expected_next


class Toy(nn.Module):
    """A loss with everything that can go stale."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        self.weight = 1.0
        self.options = {"power": 2}
        self.beta = Annealed(1.0, 3.0, steps=4)
        self.fixed = torch.ones(3)

    def forward(self, x, factor=1.0):
        value = self.net(x * self.fixed).abs() ** self.options["power"]
        return value.mean() * self.weight * self.beta() * factor


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_same_seed_gives_the_objective_and_fresh_noise_comes_with_every_call(backend):
    slow = ELBO()(Decoder(), Encoder())
    fast = compile(slow, backend=backend)
    x = torch.randn(6, 5)
    assert_follows(slow, fast, x)
    assert fast(x) != fast(x)
    assert fast.recordings == 1
    assert [p for p in fast.parameters()] == [p for p in slow.parameters()]  # noqa: C416


def test_a_new_batch_size_dtype_and_gradient_mode_are_followed():
    slow = ELBO()(Decoder(), Encoder())
    fast = compile(slow, backend="eager")
    assert_follows(slow, fast, torch.randn(6, 5))
    assert_follows(slow, fast, torch.randn(3, 5))
    with torch.no_grad():
        torch.manual_seed(0)
        expected = slow(torch.ones(3, 5))
        torch.manual_seed(0)
        got = fast(torch.ones(3, 5))
    torch.testing.assert_close(got, expected)
    assert not got.requires_grad
    slow.double()
    assert_follows(slow, fast, torch.randn(3, 5, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore:8 steps of Toy")
def test_eval_attributes_containers_schedules_and_buffers_are_followed():
    slow = Toy()
    fast = compile(slow, backend="eager")
    x = torch.randn(8, 3)
    reference = copy.deepcopy(slow)

    def check():
        for target, source in zip(reference.buffers(), slow.buffers(), strict=True):
            target.data.copy_(source)
        assert_follows(reference, fast, x)
        for a, b in zip(reference.buffers(), slow.buffers(), strict=True):
            torch.testing.assert_close(a, b)

    def both(change):
        for module in (slow, reference):
            change(module)
        check()

    check()
    count = fast.recordings
    slow.beta.advance()
    check()
    assert fast.recordings == count  # a schedule's value is a tensor: nothing new to record
    both(lambda m: m.eval())
    both(lambda m: m.train())
    assert fast.recordings == count + 1
    both(lambda m: setattr(m, "weight", 0.5))
    both(lambda m: m.options.update(power=1))
    both(lambda m: setattr(m.net[2], "p", 0.0))
    both(lambda m: setattr(m, "fixed", torch.full((3,), 2.0)))
    both(lambda m: m.fixed.mul_(2.0))
    both(lambda m: m.net[0].weight.requires_grad_(False))


def test_numbers_in_the_call_are_followed():
    slow = Toy().eval()
    fast = compile(slow, backend="eager")
    x = torch.randn(8, 3)
    assert_follows(slow, fast, x, factor=3.0)
    assert_follows(slow, fast, x, factor=torch.tensor(2.0))
    assert fast.recordings == 2


def test_autocast_is_followed():
    slow = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0), _Mean())
    fast = compile(slow, backend="eager")
    x = torch.randn(8, 3)
    plain = fast(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, expected = fast(x), slow(x)
    assert low.dtype == expected.dtype
    torch.testing.assert_close(low, expected)
    assert fast.recordings == 2
    torch.testing.assert_close(fast(x), plain)


class _Mean(nn.Module):
    def forward(self, x):
        return x.mean()


def test_detach_no_grad_and_custom_derivatives_keep_their_meaning():
    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, grad):
            return 2.0 * grad

    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor([0.3, 1.2]))

        def forward(self, x):
            with torch.no_grad():
                constant = self.a * 5.0
            return (Straight.apply(self.a * x) + self.a.detach() * constant * x).sum()

    slow = Loss()
    assert_follows(slow, compile(slow, backend="aot_eager"), torch.tensor([2.0, 3.0]))


def test_players_share_one_module():
    game = Game()
    fast = compile(game, backend="eager")
    x = torch.randn(4, 2)
    for player in ("critic", "model"):
        assert_follows(game, fast, x, player=player)
    assert list(fast.players) == ["critic", "model"]


@pytest.mark.parametrize("setting", [True, False])
def test_validation_settings_survive(setting):
    with pyro.validation_enabled(setting):
        Distribution.set_default_validate_args(setting)
        loss = compile(ELBO()(Decoder(), Encoder()), backend="eager")
        loss(torch.randn(2, 5)).backward()
        assert Distribution._validate_args is setting
        assert pyro.infer.util.is_validation_enabled() is setting


def test_random_state_is_not_consumed_by_recording_and_buffers_change_once():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Flatten(0), _Mean())
    x = torch.randn(5, 3)
    compile(net, backend="eager")(x)
    torch.testing.assert_close(net[0].running_mean, 0.1 * x.mean(0))
    assert net[0].num_batches_tracked == 1


def test_copies_and_pickles_are_independent():
    fast = compile(Toy(), backend="eager")
    x = torch.randn(8, 3)
    fast(x).backward()
    twin = copy.deepcopy(fast)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert twin(x) == 0
    assert fast(x) != 0
    assert pickle.loads(pickle.dumps(fast))(x).isfinite()


def test_many_recordings_warn_and_non_scalars_are_refused():
    fast = compile(Toy(), backend="eager")
    x = torch.randn(8, 3)
    with pytest.warns(UserWarning, match="8 steps of Toy have been recorded"):
        [fast(x, factor=float(k)) for k in range(8)]
    with pytest.raises(ValueError, match=r"must return one scalar tensor; got \(8, 3\)"):
        compile(nn.Identity(), backend="eager")(x)


def test_second_backward_is_refused():
    fast = compile(Toy(), backend="eager")
    loss = fast(torch.randn(8, 3))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="can be taken once"):
        loss.backward()


class Counting(nn.Module):
    """A loss whose call puts a new tensor in the place of a buffer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count = self.count + 1
        return (self.weight * x).sum() * self.count


def test_a_replaced_buffer_is_kept():
    slow, fast = Counting(), compile(Counting(), backend="aot_eager")
    x = torch.ones(3)
    for _ in range(3):
        assert_follows(slow, fast, x)
    assert slow.count == fast.objective.count == 3
    assert fast.recordings == 1


def test_what_a_function_captures_is_followed():
    scale, weight = 1.0, [1.0]

    def model(x, *, spread):
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(weight[0], scale * spread), obs=x)

    program = functools.partial(model, spread=1.0)
    slow = ELBO()(program)
    fast = compile(slow, backend="eager")
    x = torch.zeros(3)
    values = [fast(x)]
    for change in (lambda: weight.__setitem__(0, 2.0), lambda: program.keywords.update(spread=3.0)):
        change()
        torch.testing.assert_close(fast(x), slow(x))
        values.append(fast(x))
    scale = 5.0
    torch.testing.assert_close(fast(x), slow(x))
    assert len({value.item() for value in values}) == 3


class Owner:
    spread = 1.0

    def model(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(0.0, self.spread), obs=x)


class Classy(nn.Linear):
    power = 1

    def forward(self, x):
        return super().forward(x).square().sum() ** self.power


def test_attributes_of_a_method_s_object_and_of_a_class_are_followed(monkeypatch):
    owner, classy = Owner(), Classy(3, 1)
    for slow, holder, name in ((ELBO()(owner.model), owner, "spread"), (classy, Classy, "power")):
        fast = compile(slow, backend="eager")
        x = torch.ones(3)
        before = fast(x)
        monkeypatch.setattr(holder, name, 2)
        torch.testing.assert_close(fast(x), slow(x))
        assert fast(x) != before


def test_handlers_around_the_call_are_heard():
    slow = ELBO()(Owner().model)
    fast = compile(slow, backend="eager")
    x = torch.ones(3)
    plain = fast(x)
    with pyro.poutine.scale(scale=2.0):
        torch.testing.assert_close(fast(x), 2.0 * plain)
    torch.testing.assert_close(fast(x), plain)


class Posterior(PyroModule):
    """A guide whose inverse runs coordinate by coordinate."""

    def __init__(self):
        super().__init__()
        self.flow = inverse_autoregressive_flow(3, layers=1, hidden=(8,))

    def forward(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("z", TransformedDistribution(standard_normal(3), self.flow))


def test_a_recorded_draw_is_scored_without_an_inverse(monkeypatch):
    def model(x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", standard_normal(3))
            pyro.sample("x", dist.Normal(z, 1.0).to_event(1), obs=x)

    calls = []
    inverse = MaskedAutoregressive._in_order
    monkeypatch.setattr(MaskedAutoregressive, "_in_order", lambda self, *args: [calls.append(1), inverse(self, *args)][1])
    slow = ELBO()(model, Posterior())
    assert_follows(slow, compile(slow, backend="aot_eager"), torch.randn(4, 3))
    assert not calls


class Twice(nn.Module):
    """A module that can be reached by two paths."""

    def __init__(self, *, readable: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.also = nn.ModuleList([self.layer])
        self.readable = readable

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = (self.layer(x) + self.also[0](x)).mean()
        return value if self.readable else value * float(value)


@pytest.mark.parametrize("readable", [True, False])
def test_recording_gives_back_the_weights_of_a_module_with_two_paths(readable: bool) -> None:
    objective, x = Twice(readable=readable), torch.ones(3, 2)
    before = {name: parameter.detach().clone() for name, parameter in objective.named_parameters()}
    compiled = compile(objective, backend="aot_eager")
    if readable:
        torch.testing.assert_close(compiled(x), objective(x))
    else:
        with pytest.raises(RuntimeError, match="data-dependent"):
            compiled(x)
    for name, parameter in objective.named_parameters():
        assert type(parameter) is nn.Parameter
        assert torch.equal(parameter, before[name])
