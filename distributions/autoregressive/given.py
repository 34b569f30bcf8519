"""Which positions are observed, and what law of the rest follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.autoregressive.completion import Completion
from probgen.distributions.autoregressive.exact_completion import ExactCompletion, is_prefix
from probgen.distributions.autoregressive.particle_completion import ParticleCompletion
from probgen.distributions.autoregressive.particles import LookAhead

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive

__all__ = ["complete", "observed_positions"]


def complete(
    law: Autoregressive,
    x: Tensor,
    observed: Tensor | int | None = None,
    *,
    num_particles: int = 64,
    look_ahead: LookAhead | None = None,
    threshold: float = 0.5,
) -> Completion:
    """The law of events of which some positions are known; see ``Autoregressive.given``.

    Args:
        law: The law of whole events.
        x: Values ``[*batch, *event]``.
        observed: True where a position is observed, a number of first positions, or None: where ``x`` is not NaN.
        num_particles: Particles of a run of sequential Monte Carlo.
        look_ahead: A twist of the particles.
        threshold: Where particles are resampled.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.given import complete
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(3, 1, hidden=(4,)), (3,), BernoulliElement())
        >>> complete(p, torch.tensor([1.0, torch.nan, torch.nan])), complete(p, torch.tensor([torch.nan, torch.nan, 1.0]))
        (ExactCompletion(MADE, event_shape=(3,), batch_shape=()), ParticleCompletion(MADE, event_shape=(3,), batch_shape=()))
    """
    mask = observed_positions(law, x, observed)
    if is_prefix(law, mask):
        return ExactCompletion(law, x, mask, validate_args=law._validate_args)
    return ParticleCompletion(
        law,
        x,
        mask,
        num_particles=num_particles,
        look_ahead=look_ahead,
        threshold=threshold,
        validate_args=law._validate_args,
    )


def observed_positions(law: Autoregressive, x: Tensor, observed: Tensor | int | None) -> Tensor:
    """Which positions are observed, booleans ``[*batch, *grid]``.

    Args:
        law: The law.
        x: Values ``[*batch, *event]``.
        observed: Booleans ``[*batch, *grid]``; a number n: the first n positions in the order of the network; None: the
            positions where ``x`` is not NaN.

    Raises:
        TypeError: it is something else.
        ValueError: a number of positions that there is not, or an element of which some numbers are NaN and some are not.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.given import observed_positions
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(3, 1, hidden=(4,), order=(2, 0, 1)), (3,), BernoulliElement())
        >>> observed_positions(p, torch.zeros(3), 2)
        tensor([ True, False,  True])
    """
    law._check_shape(x)
    positions = law.positions
    if isinstance(observed, Tensor):
        return observed
    if observed is None:
        known = ~positions.rows(x).isnan()
        if positions.element:
            known = known.flatten(known.dim() - len(positions.element))
            if not torch.equal(known.any(-1), known.all(-1)):
                raise ValueError("`x` must hold all numbers of an element or none; some elements are NaN in part.")
            known = known.all(-1)
        return known.reshape(*known.shape[:-1], *positions.grid)
    if isinstance(observed, bool) or not isinstance(observed, int):
        raise TypeError(f"`observed` must be a tensor, a number of positions or None; got {type(observed).__name__}.")
    if not 0 <= observed <= positions.number:
        raise ValueError(f"`observed` must be a number of positions, 0 to {positions.number}; got {observed}.")
    mask = torch.zeros(positions.number, dtype=torch.bool, device=x.device)
    mask[positions.order[:observed]] = True
    return mask.reshape(positions.grid)
