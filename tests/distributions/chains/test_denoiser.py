"""The contract of a denoiser: what it checks, what it derives from a prediction, where its data live."""

import pytest
import torch
from torch import nn

from probgen.distributions import Denoiser
from probgen.distributions._checks import ContextError
from probgen.distributions.chains import (
    FittedVariance,
    GaussianDenoiser,
    NetworkDenoiser,
    cosine_schedule,
    linear_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork


def plain():
    return NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,))


def conditional():
    return NetworkDenoiser(TinyDenoisingNetwork(2, context_shape=(3,)), cosine_schedule(), (2,))


class Constant(Denoiser):
    """Predicts one half everywhere, as a number of its own coordinates."""

    def predict(self, x_t, level, context=None):
        return torch.full_like(x_t, 0.5)

    def coefficients(self, level):
        return level.alpha, level.sigma


def test_mean_is_linear_in_the_prediction():
    denoiser, x = Constant(cosine_schedule(), (2,)), torch.randn(4, 2, dtype=torch.float64)
    level = denoiser.schedule.level(0.3)
    expected = level.alpha * x + level.sigma * 0.5
    assert torch.allclose(denoiser.mean(x, 0.3), expected)
    assert torch.allclose(denoiser(x, 0.3).mean, expected)
    assert denoiser(x, 0.3).variance.abs().max().item() == 0.0
    assert denoiser.process.event_shape == (2,)


@pytest.mark.parametrize("shape", [(3,), (4, 3), ()])
def test_wrong_event_shapes(shape):
    with pytest.raises(ValueError, match=r"`x_t` of NetworkDenoiser must have event shape \(2,\)"):
        plain()(torch.zeros(shape), 0.5)


@pytest.mark.parametrize("shape", [(3,), (5, 1), (4, 2)])
def test_times_that_do_not_broadcast(shape):
    with pytest.raises(ValueError, match=r"`t` must broadcast to the batch \(4,\) of `x_t`"):
        plain()(torch.zeros(4, 2), torch.full(shape, 0.5))


@pytest.mark.parametrize("t", [1.5, -0.2, torch.tensor([0.1, 0.2, 0.3, 1.2])])
def test_times_outside_the_unit_interval(t):
    with pytest.raises(ValueError, match=r"`t` must lie in \[0, 1\]"):
        plain()(torch.zeros(4, 2), t)


def test_times_that_broadcast():
    denoiser, x = plain(), torch.randn(3, 4, 2)
    for t in (0.5, torch.tensor(0.5), torch.full((4,), 0.5), torch.full((3, 1), 0.5)):
        assert torch.allclose(denoiser.mean(x, t), denoiser.mean(x, 0.5), atol=1e-6)


def test_unused_context():
    with pytest.raises(ContextError, match="NetworkDenoiser takes no context; got one of shape"):
        plain()(torch.zeros(4, 2), 0.5, torch.zeros(4, 3))


def test_missing_context():
    with pytest.raises(ContextError, match=r"NetworkDenoiser needs a context with trailing shape \(3,\); got None"):
        conditional()(torch.zeros(4, 2), 0.5)


@pytest.mark.parametrize("shape", [(4, 2), (), (3, 4)])
def test_mis_sized_context(shape):
    with pytest.raises(ContextError, match=r"NetworkDenoiser needs a context with trailing shape \(3,\); got shape"):
        conditional()(torch.zeros(4, 2), 0.5, torch.zeros(shape))


@pytest.mark.parametrize("shape", [(5, 3), (4, 1, 3), (2, 4, 3)])
def test_context_for_another_batch(shape):
    with pytest.raises(ContextError, match="of `context` must broadcast to that of `x_t`"):
        conditional()(torch.zeros(4, 2), 0.5, torch.zeros(shape))


def test_context_broadcasts():
    denoiser, x = conditional(), torch.randn(2, 4, 2)
    single = torch.randn(3)
    assert torch.allclose(denoiser.mean(x, 0.5, single), denoiser.mean(x, 0.5, single.expand(2, 4, 3)))
    assert denoiser.context_shape == (3,)
    assert denoiser.null_context.shape == (3,)
    assert plain().null_context is None


def test_check_alone():
    plain().check(torch.zeros(4, 2))
    with pytest.raises(ContextError, match="takes no context"):
        plain().check(torch.zeros(4, 2), torch.zeros(3))


def test_reference_is_where_the_data_live():
    """Not the schedule's table, which is float64, nor the spread's; also through a denoiser inside a denoiser."""
    spread = FittedVariance(torch.tensor([-1.0, 1.0]).double(), torch.zeros(2).double())

    class Around(Denoiser):
        def __init__(self, inner):
            super().__init__(inner.schedule, inner.event_shape)
            self.inner = inner

    inner = NetworkDenoiser(TinyDenoisingNetwork(2), linear_schedule(), (2,), spread=spread)
    assert inner.reference.dtype == Around(inner).reference.dtype == torch.float32
    assert inner.double().reference.dtype == torch.float64
    assert NetworkDenoiser(nn.Identity(), linear_schedule(), (2,), spread=spread).reference.dtype == torch.float32
    assert GaussianDenoiser(linear_schedule(), torch.zeros(2).double(), torch.ones(2)).reference.dtype == torch.float64


def test_subclass_must_predict():
    with pytest.raises(NotImplementedError, match="Denoiser does not define `predict`"):
        Denoiser(cosine_schedule(), (2,))(torch.zeros(2), 0.5)
