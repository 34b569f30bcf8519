"""The combination of sigmoids that mixture cdfs and deep sigmoidal maps are made of."""

import torch

from probgen.distributions.bijectors._sigmoid_mixture import floored, sigmoid_mixture


def test_a_mixture_stays_inside_its_envelope_and_keeps_both_tails():
    s = torch.tensor([[-1e4, 1e4], [300.0, 310.0], [-310.0, -300.0]])
    logit, log_slope = sigmoid_mixture(s, torch.zeros(2), torch.tensor([0.5, 0.5]).log())
    assert bool(((logit >= s.amin(-1)) & (logit <= s.amax(-1))).all())
    assert log_slope[1:].abs().max() < 1e-3  # slope one in the tails, where sigmoids have underflowed
    assert log_slope[0] < -5e3  # the plateau between two distant steps


def test_large_logarithms_are_not_subtracted():
    """Components of one slope have it together, far out as well: numbers of this size are 2e-3 apart."""
    s, own = torch.tensor([[30_001.1, 30_010.3], [-30_010.3, -30_001.1]]), torch.tensor(0.3)
    _, log_slope = sigmoid_mixture(s, own.expand(2), torch.tensor([0.3, 0.7]).log())
    assert (log_slope - own).abs().max() < 1e-6


def test_the_slopes_are_those_of_autograd():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(100, dtype=torch.float64, generator=generator).mul(3).requires_grad_()
    scale, shift, raw = torch.randn(3, 5, dtype=torch.float64, generator=generator)
    scale, log_weights = scale.exp(), raw.log_softmax(-1)
    g, log_slope = sigmoid_mixture(scale * x[:, None] + shift, scale.log(), log_weights)
    torch.testing.assert_close(torch.autograd.grad(g.sum(), x, retain_graph=True)[0].log(), log_slope)
    y, log_slope = floored(g, log_slope, x, 0.0, 0.1)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0].log(), log_slope)
