"""A sampler is a pure function: no state, no changed inputs, no randomness it does not need, the same with a callback."""

import copy
import pickle
import threading

import pytest
import torch

from probgen.diffusion.samplers import Progress, SamplePath, Sampler, ancestral, ddim, dpm_solver, heun, uni_pc
from probgen.diffusion.samplers.sampler import StepsOf
from probgen.distributions._checks import ContextError
from probgen.distributions.chains import BetaTable, NetworkDenoiser, TimeGrid, linear_schedule
from tests.probgen.diffusion.samplers.networks import Tenth, exact, oracle

FACTORIES = {"ddim": ddim, "ancestral": ancestral, "heun": heun, "dpm_solver": dpm_solver, "uni_pc": uni_pc}
GRID = TimeGrid(1000).respaced(8)


@pytest.mark.parametrize("name", FACTORIES)
def test_a_pure_function(name):
    sampler = FACTORIES[name](exact(event_shape=(2,)), GRID)
    x = torch.randn(4, 2)
    kept = x.clone()

    def run(**options):
        return sampler(x, generator=torch.Generator().manual_seed(0), **options)

    first = run()
    assert torch.equal(x, kept)
    assert torch.equal(run(), first)
    assert torch.allclose(run(callback=lambda progress: None), first, atol=1e-6)
    assert not first.requires_grad
    path = sampler.path(x, generator=torch.Generator().manual_seed(0))
    assert isinstance(path, SamplePath)
    assert torch.allclose(path.states[:, 0], first, atol=1e-6)
    for other in (copy.deepcopy(sampler), pickle.loads(pickle.dumps(sampler))):
        assert torch.equal(other(x, generator=torch.Generator().manual_seed(0)), first)
        assert repr(other) == repr(sampler)


@pytest.mark.parametrize("name", FACTORIES)
def test_float32_follows_float64(name):
    x = torch.randn(5, 2).double()
    noise = torch.randn(5, 2).double()
    sampler = FACTORIES[name](exact(event_shape=(2,)), GRID)
    double, single = (sampler(x.to(d), noise=lambda like: noise.to(like)) for d in (torch.float64, torch.float32))
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), double, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", FACTORIES)
def test_gradients_through_all_steps(name):
    sampler = FACTORIES[name](exact(event_shape=(1,)), GRID)
    x = torch.tensor([[0.7]]).double().requires_grad_()
    noise = torch.randn(1, 1).double()
    (gradient,) = torch.autograd.grad(sampler(x, noise=lambda like: noise, differentiable=True).sum(), x)
    ends = [sampler(x.detach() + h, noise=lambda like: noise) for h in (-1e-4, 1e-4)]
    assert torch.allclose(gradient, (ends[1] - ends[0]) / 2e-4, rtol=1e-6)
    assert not sampler(x).requires_grad


def test_vmap_over_states():
    sampler = ddim(exact(event_shape=(2,)), GRID)
    x = torch.randn(3, 4, 2)
    assert torch.allclose(torch.func.vmap(sampler)(x), sampler(x), atol=1e-6)


@pytest.mark.parametrize("name", FACTORIES)
def test_a_network_that_returns_its_input_or_a_buffer_is_safe(name):
    """In-place sums must not overwrite what the network still holds."""

    class Sneaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.buffer = torch.zeros(3, 2)

        def forward(self, x, log_snr, context=None):
            if self.same:
                return x
            return self.buffer.copy_(0.1 * x)

    for same, plain in ((True, lambda x: 1.0 * x), (False, lambda x: 0.1 * x)):
        network = Sneaky()
        network.same = same
        honest = torch.nn.Module()
        honest.forward = lambda x, log_snr, context=None, plain=plain: plain(x)
        x, noise = torch.randn(3, 2), torch.randn(3, 2)
        found, expected = (
            FACTORIES[name](NetworkDenoiser(net, linear_schedule(), (2,), parameterization="x0"), GRID)(
                x, noise=lambda like, noise=noise: noise
            )
            for net in (network, honest)
        )
        assert torch.equal(found, expected)


def test_threads_share_a_sampler():
    sampler, x = uni_pc(exact(event_shape=(2,)), TimeGrid(1000).respaced(40)), torch.randn(4, 3, 2)
    expected, found = [sampler(row) for row in x], [None] * 4

    def work(index):
        found[index] = sampler(x[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_callback_sees_every_step():
    seen: list[Progress] = []
    sampler = ddim(exact(event_shape=(2,)), GRID)
    last = sampler(torch.randn(3, 2), callback=seen.append)
    assert [(p.t, p.s) for p in seen] == list(GRID)
    assert [p.step for p in seen] == list(range(8))
    assert torch.equal(seen[-1].x, last)
    assert torch.equal(seen[-1].mean, last)  # the last step goes to the mean


def test_progress_bar(capsys):
    ddim(exact(event_shape=(2,)), GRID)(torch.randn(3, 2), progress=True)
    assert "8/8" in capsys.readouterr().err


def test_from_a_middle_level():
    """Samples that share x_t: from the same state, at exactly that time, also where it lies between two times."""
    bed = oracle(schedule=linear_schedule())
    sampler = ddim(bed, TimeGrid(1000).respaced(100)).from_level(0.335)
    assert next(iter(sampler.grid)) == (0.335, 0.33)
    x = torch.tensor([[0.2]]).double()
    level = bed.schedule.level(0.335)
    total = float(level.alpha) ** 2 / 16 + float(level.sigma) ** 2
    assert float(sampler(x)) == pytest.approx(0.2 * 0.25 / total**0.5, rel=0.06)
    rows = ancestral(bed, TimeGrid(50)).from_level(0.4)(x.expand(64, 1))
    assert float(rows.std()) > 0.01


def test_with_another_denoiser():
    sampler = ddim(exact(event_shape=(2,)), GRID)
    other = exact(1.0, event_shape=(2,))
    x = torch.randn(3, 2)
    assert torch.equal(sampler.with_denoiser(other)(x), ddim(other, GRID)(x))


def test_context_goes_to_the_network():
    class Conditional(torch.nn.Module):
        context_shape = (2,)

        def forward(self, x, log_snr, context=None):
            return context

    denoiser = NetworkDenoiser(Conditional(), linear_schedule(), (2,), parameterization="x0")
    sampler = heun(denoiser, GRID)
    context = torch.tensor([3.0, -1.0])
    assert torch.allclose(sampler(torch.randn(5, 2), context), context.expand(5, 2), atol=1e-5)
    with pytest.raises(ContextError, match="needs a context"):
        sampler(torch.randn(5, 2))
    with pytest.raises(ContextError, match="takes no context"):
        ddim(exact(event_shape=(2,)), GRID)(torch.randn(5, 2), context)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"event shape \(2,\); got \(5, 3\)"):
        ddim(exact(event_shape=(2,)), GRID)(torch.randn(5, 3))


def test_learned_schedules_are_not_stale():
    """Coefficients follow a schedule that has parameters; those of a fixed one are worked out once."""

    class Learned(BetaTable):
        def __init__(self):
            super().__init__(torch.full((10,), 0.1))
            self.speed = torch.nn.Parameter(torch.ones(()))

        def _log_snr(self, t):
            return super()._log_snr(t) - 2 * torch.log(self.speed)

    denoiser = NetworkDenoiser(Tenth(), Learned(), (2,), parameterization="v")
    sampler, x = ddim(denoiser, TimeGrid(10)), torch.randn(3, 2)
    before = sampler(x)
    with torch.no_grad():
        denoiser.schedule.speed.mul_(3.0)
    assert torch.equal(sampler(x), ddim(denoiser, TimeGrid(10))(x))
    assert not torch.allclose(sampler(x), before)
    fixed = ddim(exact(), GRID)
    assert fixed.steps is fixed.steps


def test_any_callable_that_makes_steps_is_a_sampler():
    steps_of: StepsOf = lambda denoiser, grid: ddim(denoiser, grid).steps  # noqa: E731
    sampler = Sampler("mine", exact(), GRID, steps_of)
    assert repr(sampler) == "Sampler(mine, 8 steps from t=1 to t=0)"
    assert sampler.evaluations == 8
