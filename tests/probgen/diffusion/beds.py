"""Gaussian test-beds in float64: the exact posterior mean with any spread, and the expected bound in closed form."""

import torch

import probgen as pg
from probgen.distributions.chains import Denoiser, GaussianDenoiser, posterior_coefficients


class WithSpread(Denoiser):
    """An oracle's mean, with the spread of a network denoiser around it."""

    def __init__(self, oracle, spread, raw=None):
        super().__init__(oracle.schedule, oracle.event_shape)
        self.oracle, self.spread, self.raw = oracle, spread, raw

    def predict(self, x_t, level, context=None):
        return self.oracle.predict(x_t, level)

    def posterior(self, x_t, level, context=None):
        mean = self.oracle.predict(x_t, level)
        raw = None if self.raw is None else torch.full_like(mean, self.raw)
        return self.spread.law(x_t, level, mean, raw, lambda x: self.oracle.predict(x, level), self.event_dim)


class Constant(Denoiser):
    """Always predicts one number."""

    def predict(self, x_t, level, context=None):
        return torch.full_like(x_t, 0.3)


def bed(variance=1 / 16, schedule=None, grid=1000, spread=None, raw=None, decoder=None, dims=1):
    """A model whose mean is exact for Gaussian data, and the oracle."""
    schedule = pg.diffusion.linear_schedule(1000) if schedule is None else schedule
    oracle = GaussianDenoiser(schedule, torch.zeros(dims).double(), torch.tensor(variance).double())
    denoiser = oracle if spread is None else WithSpread(oracle, spread, raw)
    return pg.diffusion.Diffusion(denoiser, schedule, (dims,), grid, decoder=decoder), oracle


def expected_gap(variance, schedule, grid, model_variance, decoder_variance):
    """E[-ELBO] - H(x_0) in nats for one coordinate: sum of (r - 1 - log r) / 2 with r = true / model variance of a step."""
    times = grid.times
    t, s = schedule.level(times[2:]), schedule.level(times[1:-1])
    data, _, small = posterior_coefficients(s, t)
    posterior = variance * t.sigma**2 / (t.alpha**2 * variance + t.sigma**2)
    ratio = (small + data**2 * posterior) / (small + data**2 * model_variance(t))
    first, last = schedule.level(times[1]), schedule.level(times[-1])
    ratio_0 = variance * first.sigma**2 / (first.alpha**2 * variance + first.sigma**2) / decoder_variance(first)
    ratio = torch.cat([ratio_0.reshape(1), ratio])
    end = last.alpha**2 * variance + last.sigma**2
    return float((ratio - 1 - ratio.log()).sum() / 2 + (end - 1 - end.log()) / 2)
