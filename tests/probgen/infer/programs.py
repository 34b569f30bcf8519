"""Small programs that several tests share."""

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule, PyroParam
from torch import nn
from torch.distributions import constraints

from probgen.infer import Objective, Player


class Decoder(PyroModule):
    """p(z) p(x | z) on five coordinates with two latents, in a plate of `size` data."""

    def __init__(self, size=None):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 5))
        self.scale = PyroParam(torch.tensor(0.7), constraints.positive)
        self.size = size

    def forward(self, x):
        size = len(x) if self.size is None else self.size
        with pyro.plate("data", size, subsample=torch.arange(len(x))):
            z = pyro.sample("z", dist.Normal(x.new_zeros(2), 1.0).to_event(1))
            return pyro.sample("x", dist.Normal(self.net(z), self.scale).to_event(1), obs=x)


class Encoder(PyroModule):
    """q(z | x), a diagonal Gaussian."""

    def __init__(self, size=None):
        super().__init__()
        self.net = nn.Linear(5, 4)
        self.size = size

    def forward(self, x):
        loc, log_scale = self.net(x).chunk(2, -1)
        size = len(x) if self.size is None else self.size
        with pyro.plate("data", size, subsample=torch.arange(len(x))):
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


class Gaussian(PyroModule):
    """Independent normal data, maximum likelihood."""

    def __init__(self, size=None):
        super().__init__()
        self.loc = nn.Parameter(torch.tensor([0.3, -0.2, 0.0]))
        self.log_scale = nn.Parameter(torch.zeros(3))
        self.size = size

    def forward(self, x):
        size = len(x) if self.size is None else self.size
        with pyro.plate("data", size, subsample=torch.arange(len(x))):
            pyro.sample("x", dist.Normal(self.loc, self.log_scale.exp()).to_event(1), obs=x)


class Game(Objective):
    """A two-player game on the plane: a linear critic against a shifted sample, with a quadratic penalty."""

    def __init__(self, critic_steps=2):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([1.0, -1.0]))
        self.critic = nn.Linear(2, 1)
        self.critic_steps = critic_steps

    @property
    def players(self):
        return {"critic": Player(tuple(self.critic.parameters()), self.critic_steps), "model": Player((self.shift,))}

    def forward(self, x, player):
        fake = x + self.shift
        gap = self.critic(x).mean() - self.critic(fake).mean()
        if player == "critic":
            return -gap + self.critic.weight.square().sum()
        return gap + 0.0 * self.shift.sum()


class ScalarModel(PyroModule):
    """z ~ N(0, 1), x | z ~ N(z + shift, 1): the evidence is N(shift, 2), the posterior N((x - shift) / 2, 1/2)."""

    def __init__(self, size=None):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))
        self.size = size

    def forward(self, x):
        with pyro.plate("data", len(x) if self.size is None else self.size, subsample=torch.arange(len(x))):
            z = pyro.sample("z", dist.Normal(torch.zeros_like(x), 1.0))
            return pyro.sample("x", dist.Normal(z + self.shift, 1.0), obs=x)


class ScalarGuide(PyroModule):
    """q(z) = N(loc, scale^2), with parameters for every datum or for all."""

    def __init__(self, loc=0.3, scale=0.9, size=None):
        super().__init__()
        self.loc = nn.Parameter(torch.as_tensor(loc))
        self.log_scale = nn.Parameter(torch.as_tensor(scale).log())
        self.size = size

    def forward(self, x):
        with pyro.plate("data", len(x) if self.size is None else self.size, subsample=torch.arange(len(x))):
            return pyro.sample("z", dist.Normal(self.loc, self.log_scale.exp()))


def exact_iwae(x, particles, loc=0.3, scale=0.9):
    """The importance-weighted bound of one datum under ScalarModel and ScalarGuide, by quadrature in float64.

    With log S = int_0^inf (e^-t - e^-tS) / t dt, the expectation of the log of a sum of K independent weights needs only the
    one-dimensional E e^{-tw / K}, to the power K.
    """
    z = torch.linspace(loc - 10 * scale, loc + 10 * scale, 4001, dtype=torch.float64)
    q = dist.Normal(torch.tensor(loc, dtype=torch.float64), scale)
    x = torch.tensor(x, dtype=torch.float64)
    log_evidence = dist.Normal(torch.zeros_like(x), 2**0.5).log_prob(x)
    log_q = q.log_prob(z)
    log_w = dist.Normal(0.0, 1.0).log_prob(z) + dist.Normal(z, 1.0).log_prob(x) - log_q - log_evidence
    u = torch.linspace(-40.0, 12.0, 1301, dtype=torch.float64)
    t = u.exp()
    laplace = (log_q.exp() * torch.exp(-t[:, None] * log_w.exp() / particles)).sum(1) * (z[1] - z[0])
    return (log_evidence + (torch.exp(-t) - laplace**particles).sum() * (u[1] - u[0])).item()
