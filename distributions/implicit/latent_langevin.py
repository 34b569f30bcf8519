r"""Corrected laws by Langevin dynamics in a generator's noise.

If :math:`x = g(z)` and the noise has the density

.. math:: f(z) \propto p_0(z)\, e^{r(g(z))} = e^{-E(z)}, \qquad E(z) = -\log p_0(z) - r(g(z)),

then :math:`x` has the law :math:`q e^r / Z`, where :math:`q` is the generator's own. A chain in :math:`z` has a density to go
by, and gradients. A step of size :math:`\epsilon`,

.. math:: z' = z - \tfrac{\epsilon^2}{2} \nabla E(z) + \epsilon\, \xi, \qquad \xi \sim \mathcal N(0, I),

is one leapfrog step of Hamiltonian dynamics with fresh momentum; accepted or not by Metropolis' rule it leaves :math:`f`
invariant whatever its size, and without that rule (as the paper has it) it is exact only as :math:`\epsilon \to 0`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions._checks import values_readable
from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.constraints import is_real
from probgen.distributions.estimate import DensityUnavailable
from probgen.distributions.events import scored
from probgen.distributions.implicit.corrected import CorrectedDistribution
from probgen.distributions.implicit.distribution import ImplicitDistribution
from probgen.distributions.implicit.independence_metropolis import ChainDraws
from probgen.distributions.latent.hamiltonian import hamiltonian_move

__all__ = ["LatentLangevin"]


class LatentLangevin(CorrectedDistribution):
    r"""A law corrected by Langevin dynamics in the noise (DDLS); every draw has its own chain, which starts at the noise's law.

    Args:
        law: The implicit law that is corrected; its noise has a density on all reals. Generator and log-ratio are
            differentiable.
        log_ratio: From events ``[*sample, *batch, *event]`` to log-ratios ``[*sample, *batch]``: a ``DensityRatio``, say.
        num_steps: Steps of the chain; with 0 the draws are those of the law.
        step_size: :math:`\epsilon`, in units of the noise.
        metropolis: Whether steps are accepted by Metropolis' rule, which makes the limit exact for every step size.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``law`` is not an ``ImplicitDistribution``.
        ValueError: ``num_steps`` is negative, ``step_size`` is not positive, or the noise is not on all reals.
        DensityUnavailable: the noise has no density.

    References:
        Che et al. (2020). Your GAN is secretly an energy-based model and you should use discriminator driven latent sampling.
        https://arxiv.org/abs/2003.06060

        Roberts, Tweedie (1996). Exponential convergence of Langevin distributions and their discrete approximations.
        https://doi.org/10.2307/3318418

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.distributions.implicit import LatentLangevin
        >>> _ = torch.manual_seed(0)
        >>> q = ImplicitDistribution(standard_normal(1), lambda z: 1 + z, (1,))  # N(1, 1)
        >>> law = LatentLangevin(q, lambda x: 0.5 - x[..., 0], num_steps=30, step_size=0.8)  # N(0, 1)
        >>> x = law.sample((4000,))
        >>> bool(x.mean().abs() < 0.1), bool((x.var() - 1).abs() < 0.1)
        (True, True)
    """

    def __init__(
        self,
        law: ImplicitDistribution,
        log_ratio: Callable[[Tensor], Tensor],
        num_steps: int = 100,
        step_size: float = 0.1,
        *,
        metropolis: bool = True,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(law, ImplicitDistribution):
            raise TypeError(f"`law` must be an ImplicitDistribution; got {type(law).__name__}.")
        if num_steps < 0 or not step_size > 0:
            raise ValueError(f"`num_steps` must not be negative and `step_size` be positive; got {num_steps} and {step_size}.")
        if log_prob_kind_of(law.base_dist) != "exact":
            raise DensityUnavailable(type(self).__name__, "the noise has none", "`IndependenceMetropolis`")
        if not is_real(cast(Any, law.base_dist.support)):
            raise ValueError(f"`law` must have noise on all reals; its support is {law.base_dist.support}.")
        self.num_steps = num_steps
        self.step_size = step_size
        self.metropolis = metropolis
        super().__init__(law, log_ratio, validate_args=validate_args)

    @property
    def law(self) -> ImplicitDistribution:
        """The law that is corrected."""
        return cast(ImplicitDistribution, self.proposal)

    def noise_chain(self, sample_shape: tuple[int, ...] = (), start: Tensor | None = None) -> ChainDraws:
        """Run independent chains in the noise; their states are ``[*sample_shape, *batch, *base_event]``; without gradients.

        Args:
            sample_shape: Shape of the draws, where ``start`` is not given.
            start: Where chains begin; draws of the noise by default.

        Raises:
            ValueError: the log-ratio is NaN where a chain begins.
        """
        base = self.law.base_dist
        rank = len(base.event_shape)
        # Nothing made in inference mode can be differentiated, so the chain runs outside of it.
        with torch.inference_mode(mode=False), torch.no_grad():
            z = base.sample(torch.Size(sample_shape)) if start is None else start.clone()
            wrong = self.log_density(z).isnan()
            if values_readable(wrong) and bool(wrong.any()):
                raise ValueError("`log_ratio` must not be NaN where a chain begins; it is for some.")
            size = torch.as_tensor(self.step_size, dtype=z.dtype, device=z.device)
            total = z.new_zeros(z.shape[: z.dim() - rank])
            for _ in range(self.num_steps):
                if self.metropolis:
                    z, acceptance = hamiltonian_move(z, self.log_density, size, event_dim=rank, num_leapfrog=1)
                else:
                    z, acceptance = self._unadjusted(z), torch.ones_like(total)
                total = total + acceptance
            return ChainDraws(z, total / max(self.num_steps, 1))

    def log_density(self, z: Tensor) -> Tensor:
        r"""Minus the energy, :math:`\log p_0(z) + r(g(z))` in nats, of noise ``[*sample, *batch, *base_event]``."""
        return scored(cast(TorchDistribution, self.law.base_dist), z) + self._ratio_at(self.law.generate(z))

    def _unadjusted(self, z: Tensor) -> Tensor:
        with torch.enable_grad():
            at = z.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.log_density(at).sum() + 0 * at.sum(), at)
        return z + 0.5 * self.step_size**2 * gradient + self.step_size * torch.randn_like(z)

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.law.generate(self.noise_chain(shape).value)
