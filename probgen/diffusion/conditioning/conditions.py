"""One interface to every way of conditioning a diffusion model on a linear observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from probgen.diffusion.conditioning.conditional import Conditional
from probgen.diffusion.conditioning.exact_conditional import ExactConditional
from probgen.diffusion.conditioning.linear_observation import LinearObservation, observe_known
from probgen.diffusion.conditioning.moment_matched import MomentMatched
from probgen.diffusion.conditioning.null_space import NullSpace
from probgen.diffusion.conditioning.posterior_sampling import DiffusionPosteriorSampling
from probgen.diffusion.conditioning.repaint import RePaint, Replacement
from probgen.diffusion.conditioning.twisted import TwistedMonteCarlo
from probgen.distributions.chains import GaussianChain

__all__ = ["CONDITIONING_METHODS", "condition"]

CONDITIONING_METHODS: dict[str, type[Conditional]] = {
    "exact": ExactConditional,
    "smc": TwistedMonteCarlo,
    "moment matching": MomentMatched,
    "null space": NullSpace,
    "repaint": RePaint,
    "replacement": Replacement,
    "posterior sampling": DiffusionPosteriorSampling,
}
"""Name of a method to its law; the class attribute ``bias`` of each says what it is worth."""


def condition(
    chain: GaussianChain,
    observation: LinearObservation | Tensor | Mapping[str, Tensor],
    method: str = "smc",
    **options: Any,
) -> Conditional:
    """Condition a diffusion model on what was seen of its data.

    Args:
        chain: The generative chain, as of ``Diffusion.chain``.
        observation: A linear observation; or data ``[*batch, *event]`` with NaN for what is not known; or, in the words of
            ``pyro.condition``, ``{"x_0": data}`` with such data.
        method: "smc" (exact in the limit of particles), "exact" (known data only), or, biased, "moment matching", "null space",
            "repaint", "replacement", "posterior sampling".
        options: Those of the method's class.

    Returns:
        A law to draw from, with a label ``bias``.

    Raises:
        ValueError: there is no such method, or a mapping names another site than "x_0".

    Example:
        >>> import math, torch
        >>> from probgen.diffusion.conditioning import condition
        >>> from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule
        >>> chain = GaussianChain(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(1.0)), TimeGrid(20))
        >>> known = torch.tensor([1.0, math.nan])
        >>> condition(chain, {"x_0": known}, particles=50).sample((4,))[:, 0]
        tensor([1., 1., 1., 1.])
        >>> print(condition(chain, known, method="replacement").bias[:36])
        biased: 2-D Gaussian mean 0.625 (exa
    """
    if method not in CONDITIONING_METHODS:
        raise ValueError(f"`method` must be one of {list(CONDITIONING_METHODS)}; got {method!r}.")
    if isinstance(observation, Mapping):
        if set(observation) != {"x_0"}:
            raise ValueError(f"`observation` may name only the site 'x_0', the data; got {sorted(observation)}.")
        observation = observation["x_0"]
    if isinstance(observation, Tensor):
        observation = observe_known(observation, len(chain.process.event_shape))
    return CONDITIONING_METHODS[method](chain, observation, **options)
