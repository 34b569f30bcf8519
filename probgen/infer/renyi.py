r"""The variational Rényi bound as a module.

.. math::

    \mathcal L_{\alpha}(x) = \frac{1}{1 - \alpha} \log \mathbb E_{q}\bigl[w^{1 - \alpha}\bigr] = \log p_\theta(x) -
    D_\alpha\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\bigr), \qquad w = \frac{p_\theta(x, z)}{q_\phi(z \mid x)},

falls with :math:`\alpha`: it is :math:`\log p_\theta(x)` at :math:`\alpha = 0`, the ELBO for :math:`\alpha \to 1`. With
K draws the expectation is replaced by their average, whose logarithm is biased downward: :math:`\alpha = 0` is then the
importance-weighted bound. For :math:`\alpha < 0` the exact quantity is an *upper* bound of the evidence, but the
estimate, biased downward too, is neither a lower nor an upper bound; it only leans upward as K grows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.infer.importance_weighted import ImportanceWeightedObjective
from probgen.infer.variational import Particles, Program

__all__ = ["Renyi", "RenyiLoss"]


class Renyi:
    r"""How to estimate a Rényi bound; call it with the programs to get the loss.

    Args:
        alpha: The order :math:`\alpha`: 1 is the ELBO, 0 the importance-weighted bound, in between a compromise; above 1 a
            looser bound, whose guide seeks one mode; below 0 no bound.
        particles: Number K of draws for every datum.
        vectorize: Draw the particles in one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of batch dimensions in the programs.

    Raises:
        ValueError: ``alpha`` is not finite, or ``particles`` is not positive.

    References:
        Li, Turner (2016). Rényi divergence variational inference. https://arxiv.org/abs/1602.02311

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.infer import Renyi
        >>> prior = lambda: pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> Renyi(0.5, 10)(prior, prior)()
        tensor(0.)
    """

    def __init__(self, alpha: float, particles: int, *, vectorize: bool = True, max_plate_nesting: int = 1) -> None:
        if not math.isfinite(alpha):
            raise ValueError(f"`alpha` must be finite; got {alpha}.")
        self.alpha = float(alpha)
        self.particles = Particles(particles, vectorize, max_plate_nesting)

    def __call__(self, model: Program, guide: Program | None = None) -> RenyiLoss:
        """Return the loss of a model and a guide as a module with their parameters."""
        return RenyiLoss(self, model, guide)


class RenyiLoss(ImportanceWeightedObjective):
    """The negative Rényi bound, summed over the data; built by :class:`Renyi`.

    Args:
        estimator: How to estimate.
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program, or None.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, a guide site has parameters but is not
            reparameterized, a scale would stand inside the logarithm, or a ``pyro.param`` statement is used.

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer import Renyi
        >>> guide = lambda: pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> def model():
        ...     pyro.sample("z", dist.Normal(0.0, 1.0))
        ...     pyro.factor("evidence", torch.tensor(-0.5))
        >>> Renyi(2.0, 3)(model, guide)()
        tensor(0.5000)
    """

    def __init__(self, estimator: Renyi, model: Program, guide: Program | None = None) -> None:
        super().__init__(model, guide, estimator.particles)
        self.estimator = estimator

    def _bound(self, log_weights: Tensor) -> Tensor:
        power = 1.0 - self.estimator.alpha
        if power == 0.0:
            return log_weights.mean(0)
        return (torch.logsumexp(power * log_weights, 0) - math.log(len(log_weights))) / power
