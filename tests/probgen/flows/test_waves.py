"""WaveGlow: length, early outputs, spectrograms as context, other lengths with the same parameters, errors."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import SplitCoupling
from probgen.flows import wave_glow


def _flow(length=64, **options):
    torch.manual_seed(0)
    flow = wave_glow(length, **{"steps": 5, "early_every": 2, "channels": 8, "layers": 2, "features": 6} | options)
    for module in flow.modules():
        if isinstance(module, SplitCoupling):
            torch.nn.init.normal_(module.conditioner.output.weight, std=0.05)
    return flow


def test_early_channels_leave_the_flow():
    widths = [sum(module.sizes) for module in _flow().modules() if isinstance(module, SplitCoupling)]
    assert sorted(widths) == [4, 6, 6, 8, 8]


@pytest.mark.parametrize("context_shape", [None, (5,), (5, 4)])
def test_inverts_and_scores(context_shape):
    flow = _flow(context_shape=context_shape)
    wave = torch.randn(3, 64)
    context = None if context_shape is None else torch.randn(3, *context_shape)
    z, log_det = flow.inverse_and_log_det(wave, context)
    torch.testing.assert_close(flow(z, context), wave, atol=1e-5, rtol=1e-5)
    one = None if context is None else context[0]
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.inverse(x, one), wave[0])
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian)[1], atol=1e-3, rtol=1e-4)


def test_parameters_serve_every_length():
    short, long = _flow(64, context_shape=(5, 4)), _flow(128, context_shape=(5, 8))
    long.load_state_dict(short.state_dict())
    assert long(torch.zeros(2, 128), torch.zeros(2, 5, 8)).shape == (2, 128)


def test_starts_at_the_scale_of_the_data():
    flow, data = wave_glow(64, steps=2, channels=4, layers=1), 0.01 * torch.randn(50, 64)
    flow.initialize_from(data)
    assert (flow.inverse(data).std() - 1).abs() < 0.02
    assert TransformedDistribution(standard_normal(64), flow).log_prob(data).mean() > 64 * 3


@pytest.mark.parametrize("options", [{"length": 63}, {"group": 4, "steps": 12}, {"steps": 0}, {"early_every": 0}])
def test_refuses_sizes_that_do_not_fit(options):
    with pytest.raises(ValueError, match="multiple of `group`"):
        wave_glow(**{"length": 64} | options)
    with pytest.raises(ValueError, match="number of frames"):
        wave_glow(64, context_shape=(5, 3))


def test_any_number_of_groups_may_stand_for_a_frame():
    torch.manual_seed(0)
    flow = wave_glow(24, group=4, steps=2, channels=4, layers=2, features=3, context_shape=(5, 2))  # three groups a frame
    x, frames = torch.randn(3, 24), torch.randn(3, 5, 2)
    z, log_det = flow.inverse_and_log_det(x, frames)
    torch.testing.assert_close(flow(z, frames), x, rtol=1e-4, atol=1e-4)
    assert log_det.shape == (3,)
    with pytest.raises(ValueError, match="number of frames; got 6 groups, 0"):
        wave_glow(24, group=4, steps=2, context_shape=(5, 0))
