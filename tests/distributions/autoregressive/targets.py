r"""Laws of sequences and images whose entropy is known: what a trained autoregressive law must approach, and from above.

.. math:: \mathbb E_p[-\log q(x)] = H(p) + \mathrm{KL}(p \,\|\, q) \ge H(p) .
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Target(NamedTuple):
    """A law over finitely many states: states ``[n, *event]`` and their log-probabilities ``[n]``, in float64."""

    states: Tensor
    log_prob: Tensor

    @property
    def entropy(self):
        return float(-(self.log_prob.exp() * self.log_prob).sum())

    def sample(self, count):
        levels = self.log_prob.exp().cumsum(0)
        return self.states[torch.searchsorted(levels, levels[-1] * torch.rand(count, dtype=torch.float64))]

    def cross_entropy(self, law):
        """The mean of -log q over the law, exactly."""
        with torch.no_grad():
            return float(-(self.log_prob.exp() * law.log_prob(self.states.to(torch.get_default_dtype())).double()).sum())


def bits(count):
    """All rows of so many bits, ``[2^count, count]``."""
    return torch.cartesian_prod(*[torch.arange(2.0)] * count).double()


def flip_chain(length, flip=0.1):
    """A fair first bit, and then each bit the one before or, with the given probability, the other."""
    states = bits(length)
    flips = (states[:, 1:] != states[:, :-1]).sum(-1).double()
    return Target(states, -math.log(2) + flips * math.log(flip) + (length - 1 - flips) * math.log1p(-flip))


def ising_energy(states):
    """Minus the number of equal neighbors plus that of unequal ones, of images of bits ``[n, L, L]`` with free boundaries."""
    spins = 2 * states - 1
    pairs = (spins[:, 1:] * spins[:, :-1]).sum((1, 2)) + (spins[..., 1:] * spins[..., :-1]).sum((1, 2))
    return -pairs


def ising(size, beta=0.4):
    """The Ising model on a square, every image listed: probability proportional to exp(-beta E)."""
    states = bits(size * size).reshape(-1, size, size)
    log_weight = -beta * ising_energy(states)
    return Target(states, log_weight - log_weight.logsumexp(0))


def gaussian_chain(count, length, rho=0.9):
    """Draws ``[count, length]`` of a stationary Gaussian chain of variance one whose neighbors correlate by ``rho``."""
    noise = torch.randn(count, length)
    columns = [noise[:, 0]]
    for step in range(1, length):
        columns.append(rho * columns[-1] + math.sqrt(1 - rho**2) * noise[:, step])
    return torch.stack(columns, -1)


def fitted(model, draw, steps, rate=1e-2):
    """Maximum likelihood on fresh draws of the target, the rate falling to zero."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (-model().log_prob(draw()).mean()).backward()
        optimizer.step()
        schedule.step()
    return model()
