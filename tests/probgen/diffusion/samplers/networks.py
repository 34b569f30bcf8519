"""Networks that are exact for Gaussian data, in any parameterization, and data-free ones."""

import torch
from torch import nn

from probgen.distributions.chains import GaussianDenoiser, NetworkDenoiser, linear_schedule, variance_preserving_schedule


class ExactNetwork(nn.Module):
    """What a variance-preserving network predicts for N(0, v) data, computed from the log-SNR it is given."""

    def __init__(self, variance, parameterization):
        super().__init__()
        self.variance, self.parameterization = variance, parameterization

    def forward(self, x, log_snr, context=None):
        shape = (-1, *(1,) * (x.dim() - 1))
        alpha2, sigma2 = log_snr.sigmoid().reshape(shape), (-log_snr).sigmoid().reshape(shape)
        alpha, sigma = alpha2.sqrt(), sigma2.sqrt()
        x0 = alpha * self.variance / (alpha2 * self.variance + sigma2) * x
        eps = (x - alpha * x0) / sigma
        return {"x0": x0, "eps": eps, "v": alpha * eps - sigma * x0, "score": -eps / sigma}[self.parameterization]


class Tenth(nn.Module):
    """A network that does nothing sensible: a tenth of its input."""

    def forward(self, x, log_snr, context=None):
        return 0.1 * x


def exact(variance=1 / 16, parameterization="eps", schedule=None, event_shape=(1,), spread=None):
    schedule = linear_schedule() if schedule is None else schedule
    network = ExactNetwork(variance, parameterization)
    return NetworkDenoiser(network, schedule, event_shape, parameterization=parameterization, spread=spread)


def oracle(variance=1 / 16, mean=0.0, schedule=None):
    """Exact, in float64, with data whose variance is not one."""
    variance = torch.tensor(variance).double() if not isinstance(variance, torch.Tensor) else variance
    schedule = variance_preserving_schedule() if schedule is None else schedule
    return GaussianDenoiser(schedule, torch.full(variance.shape or (1,), mean).double(), variance)
