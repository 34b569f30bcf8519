"""A network as a denoiser: what it is called with, transformations of torch, precision, arguments."""

import copy
import pickle

import pytest
import torch
import torch._dynamo
from torch import nn

from probgen.distributions import NetworkDenoiser
from probgen.distributions.chains import (
    LearnedVariance,
    Parameterization,
    TimeGrid,
    UnitPrior,
    cosine_schedule,
    edm_schedule,
    linear_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork


class Recorder(nn.Module):
    """Remembers what it was called with."""

    def __init__(self, context_shape=None, copies=1):
        super().__init__()
        self.context_shape, self.copies, self.seen = context_shape, copies, None

    def forward(self, x, log_snr, context=None):
        self.seen = (x, log_snr, context)
        return torch.cat([x] * self.copies, 1)


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_network_sees_one_batch_dimension_and_log_snr(batch):
    network = Recorder(context_shape=(4,))
    denoiser = NetworkDenoiser(network, cosine_schedule(), (1, 2, 2))
    t = torch.rand(batch) * 0.9
    assert denoiser(torch.randn(*batch, 1, 2, 2), t, torch.zeros(4)).mean.shape == (*batch, 1, 2, 2)
    x, log_snr, context = network.seen
    count = torch.Size(batch).numel()
    assert (x.shape, log_snr.shape, context.shape) == ((count, 1, 2, 2), (count,), (count, 4))
    assert torch.allclose(log_snr, cosine_schedule().log_snr(t).reshape(count).float())
    assert log_snr.dtype == torch.float32


def test_scalar_context_and_no_context():
    labelled, plain = Recorder(context_shape=()), Recorder()
    NetworkDenoiser(labelled, cosine_schedule(), (2,)).mean(torch.zeros(3, 2), 0.5, torch.tensor(7))
    assert labelled.seen[2].tolist() == [7, 7, 7]
    NetworkDenoiser(plain, cosine_schedule(), (2,)).mean(torch.zeros(3, 2), 0.5)
    assert plain.seen[2] is None


def test_inputs_are_scaled_to_unit_variance():
    network, x = Recorder(), torch.full((1, 2), 40.0)
    NetworkDenoiser(network, edm_schedule(80.0), (2,), data_std=0.5).mean(x, 1.0)
    assert torch.allclose(network.seen[0], x / (80.0**2 + 0.25) ** 0.5)
    NetworkDenoiser(network, cosine_schedule(), (2,)).mean(x, 1.0)
    assert torch.equal(network.seen[0], x)


def test_learned_spread_takes_the_second_half():
    denoiser = NetworkDenoiser(Recorder(copies=2), cosine_schedule(), (2,), parameterization="x0", spread=LearnedVariance())
    x = torch.tensor([[0.3, -0.7]])
    found, level = denoiser(x, 0.5), cosine_schedule().level(0.5)
    assert torch.allclose(found.mean, x)
    expected = 1 / (level.snr + torch.exp(-15 * torch.tanh(x / 15)))
    assert torch.allclose(found.variance, expected.float(), rtol=1e-5)
    with pytest.raises(ValueError, match=r"needs `network` to return shape \(1, 4\); it returned \(1, 2\)"):
        NetworkDenoiser(Recorder(), cosine_schedule(), (2,), spread=LearnedVariance())(x, 0.5)


@pytest.mark.parametrize("parameterization", Parameterization.__args__)
def test_gradients_reach_every_weight(parameterization):
    network = TinyDenoisingNetwork(2, 4)
    grid = TimeGrid(10) if parameterization == "mean" else None
    denoiser = NetworkDenoiser(
        network, linear_schedule(10), (2,), parameterization=parameterization, spread=LearnedVariance(), grid=grid
    )
    denoiser(torch.randn(5, 2), 0.5).log_prob(torch.randn(5, 2)).sum().backward()
    assert all(weight.grad is not None and bool(weight.grad.isfinite().all()) for weight in network.parameters())


@pytest.mark.parametrize("spread", [None, UnitPrior(), LearnedVariance()], ids=["point", "unit", "learned"])
def test_vmap_and_compile(spread):
    """With validation on: value checks switch themselves off inside transformations."""
    network = TinyDenoisingNetwork(2, 4 if isinstance(spread, LearnedVariance) else 2)
    denoiser = NetworkDenoiser(network, linear_schedule(10), (2,), parameterization="eps", spread=spread)
    x, t = torch.randn(6, 2), torch.rand(6) * 0.9 + 0.1
    expected = denoiser(x, t)
    mapped = torch.vmap(lambda a, b: denoiser(a, b).law.mean)(x, t)
    assert torch.allclose(mapped, expected.mean, atol=1e-5)
    torch._dynamo.reset()
    whole = torch.compile(
        lambda a, b: (denoiser(a, b).mean, denoiser(a, b).reverse(denoiser.schedule.level(b / 2)).variance),
        fullgraph=True,
        backend="aot_eager",
    )
    mean, variance = whole(x, t)
    assert torch.allclose(mean, expected.mean, atol=1e-5)
    assert torch.allclose(variance, expected.reverse(denoiser.schedule.level(t / 2)).variance, rtol=1e-4)


def test_forward_mode_and_jacobian_per_datum():
    denoiser, x = NetworkDenoiser(TinyDenoisingNetwork(2).double(), cosine_schedule(), (2,)), torch.randn(3, 2).double()
    jacobian = torch.vmap(torch.func.jacfwd(lambda y: denoiser.mean(y, 0.5)))(x)
    one = torch.autograd.functional.jacobian(lambda y: denoiser.mean(y, 0.5), x[0])
    assert torch.allclose(jacobian[0], one)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    """Coefficients come from float64, so a network in half precision loses its own digits and no others."""
    torch.manual_seed(1)
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2), linear_schedule(1000), (2,), parameterization="eps")
    x = torch.randn(4, 2)
    exact = denoiser.mean(x, 0.3)
    with torch.autocast("cpu", dtype=dtype):
        mixed = denoiser(x, 0.3)
        assert mixed.mean.dtype == torch.float32
        assert torch.allclose(mixed.mean, exact, atol=0.03)
    low = copy.deepcopy(denoiser).to(dtype)
    assert torch.equal(low.schedule.log_snr(0.3), denoiser.schedule.log_snr(0.3))
    assert low.mean(x.to(dtype), 0.3).dtype == dtype
    assert torch.allclose(low.mean(x.to(dtype), 0.3).float(), exact, atol=0.15)


def test_copies_and_state():
    denoiser, x = NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,)), torch.randn(3, 2)
    for twin in (copy.deepcopy(denoiser), pickle.loads(pickle.dumps(denoiser))):
        assert torch.equal(twin.mean(x, 0.5), denoiser.mean(x, 0.5))
    fresh = NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,))
    fresh.load_state_dict(denoiser.state_dict())
    assert torch.equal(fresh.mean(x, 0.5), denoiser.mean(x, 0.5))


def test_schedule_can_be_exchanged():
    """The network sees a log-SNR, so the same noise level of another schedule asks it the same question."""
    network, x = TinyDenoisingNetwork(2), torch.randn(3, 2)
    first = NetworkDenoiser(network, linear_schedule(), (2,))
    second = NetworkDenoiser(network, cosine_schedule(), (2,))
    t = second.schedule.t_of_log_snr(first.schedule.log_snr(0.4))
    assert torch.allclose(first.mean(x, 0.4), second.mean(x, t), atol=1e-5)


def test_one_datum_does_not_see_another():
    denoiser, x = NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,)), torch.randn(16, 2)
    assert torch.allclose(denoiser.mean(x, 0.5)[:1], denoiser.mean(x[:1], 0.5), atol=1e-6)


def test_arguments_are_checked():
    network, schedule = TinyDenoisingNetwork(2), cosine_schedule()
    with pytest.raises(ValueError, match="`parameterization` must be one of"):
        NetworkDenoiser(network, schedule, (2,), parameterization="noise")
    with pytest.raises(ValueError, match="`grid` must be given"):
        NetworkDenoiser(network, schedule, (2,), parameterization="mean")
    with pytest.raises(ValueError, match="`data_std` must be positive"):
        NetworkDenoiser(network, schedule, (2,), data_std=0.0)
