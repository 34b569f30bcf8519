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
