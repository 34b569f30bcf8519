"""Small games that several tests share."""

import torch
from torch import nn
from torch.distributions import constraints

from probgen.distributions import ImplicitLaw, standard_normal
from probgen.distributions.base import Distribution
from probgen.infer import R1, Adversarial, NonSaturating


class Grid(Distribution):
    """A standard normal law whose n draws are the midpoint quantiles: means over draws are integrals."""

    arg_constraints = {}
    has_rsample = True

    def __init__(self):
        super().__init__(torch.Size(), torch.Size((1,)), validate_args=False)

    @property
    def support(self):
        return constraints.real_vector

    def expand(self, batch_shape, _instance=None):
        return self

    def rsample(self, sample_shape=(1,)):
        number = torch.Size(sample_shape).numel()
        share = (torch.arange(number, dtype=torch.float64) + 0.5) / number
        return torch.special.ndtri(share)[:, None]


class Shift(nn.Module):
    """x = z + theta."""

    def __init__(self, theta=1.0):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta, dtype=torch.float64))

    def forward(self, z):
        return z + self.theta


class Joined(nn.Module):
    """A network of its arguments side by side; a context of labels counts as one number."""

    def __init__(self, inputs, outputs, hidden=8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))

    def forward(self, *parts):
        return self.net(torch.cat([part[:, None].float() if part.dim() == 1 else part for part in parts], 1))


def plane_law(context_shape=None):
    """A law on the plane with two numbers of noise."""
    width = 0 if context_shape is None else (context_shape[0] if context_shape else 1)
    return ImplicitLaw(standard_normal(2), Joined(2 + width, 2), (2,), context_shape=context_shape)


def plane_game(method=None):
    """A law on the plane against a small critic."""
    method = Adversarial(NonSaturating(), penalties=[R1(0.1)]) if method is None else method
    return method(plane_law(), Joined(2 * method.packing, 1))


def gradients(loss, player, *batch):
    """The gradient of every parameter, None where there is none."""
    loss.zero_grad()
    loss(*batch, player=player).backward()
    return {name: parameter.grad for name, parameter in loss.named_parameters()}
