r"""What bounds that average importance weights have in common: weights from reparameterized draws, a bound for every datum.

A bound here is a function of the log-weights :math:`\log w_1, \dots, \log w_K` of one datum
(:mod:`probgen.infer.log_weights`); the loss is minus the sum of the bounds, scaled by N/B.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from probgen.infer.log_weights import LogWeights, log_weights
from probgen.infer.pyro_modules import module_parameters_only
from probgen.infer.variational import VariationalObjective, require_reparameterized

__all__ = ["ImportanceWeightedObjective"]


class ImportanceWeightedObjective(VariationalObjective):
    """Minus a bound made of importance weights, summed over the data (abstract); a subclass writes ``_bound``.

    Args:
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program, or None.
        particles: How many draws for every datum.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, a guide site has parameters but is not
            reparameterized, a scale would stand inside the logarithm, or a ``pyro.param`` statement is used.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.infer.importance_weighted import ImportanceWeightedObjective
        >>> from probgen.infer.variational import Particles
        >>> class Largest(ImportanceWeightedObjective):
        ...     def _bound(self, log_weights):
        ...         return log_weights.amax(0)
        >>> program = lambda: pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> loss = Largest(program, program, Particles(3))
        >>> loss().abs().item(), loss.log_weights().numel()
        (0.0, 3)
    """

    def _bound(self, log_weights: Tensor) -> Tensor:
        """The bound of every datum ``[*aligned]`` from its log-weights ``[K, *aligned]``, in nats."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_bound`.")

    def log_weights(self, *args: Any, **kwargs: Any) -> Tensor:
        """The log-weights ``[K, *data]`` of one draw of all particles, in nats, without the scale N/B."""
        with module_parameters_only(self):
            return self._weights(args, kwargs).per_datum()

    def _loss(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        weights = self._weights(args, kwargs)
        return -weights.total(self._bound(weights.value))

    def _weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LogWeights:
        with self.particles.plate():
            return LogWeights.stacked([self._pass(args, kwargs) for _ in range(self.particles.passes)])

    def _pass(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LogWeights:
        """The weights of one pass."""
        guide_sites, draws = self._draw(args, kwargs)
        require_reparameterized(guide_sites)
        return log_weights(self._score(args, kwargs, guide_sites, draws), guide_sites, self.particles)
