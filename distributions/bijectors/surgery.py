"""Changes to a composition after it was built: other layers in it, other layers at rest, other memory.

A slice ``flow[2:5]`` shares its parameters with the flow, so the rest is short: ``inserted`` and ``Compose(*flow[:2],
*flow[3:])`` make new compositions of the same layers, ``freeze`` stops layers from learning, ``set_reversible`` trades time for
memory.
"""

from __future__ import annotations

from torch.distributions import Transform

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.compose import Compose
from probgen.distributions.bijectors.repeat import Repeat

__all__ = ["freeze", "inserted", "set_reversible"]


def inserted(flow: Compose, index: int, *parts: Transform) -> Compose:
    """A composition with more parts; those of ``flow`` are shared, ``flow`` itself stays as it is.

    Args:
        flow: A composition.
        index: In front of which part the new ones go, from 0 to ``len(flow)``; negative numbers count from the end.
        *parts: The new parts, at least one.

    Raises:
        IndexError: there is no such place.
        ValueError: no parts are given, or they do not fit their neighbors.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp, inserted
        >>> flow = Compose(Affine(0.0, 2.0), Exp())
        >>> inserted(flow, 1, Affine(1.0, 1.0))(torch.tensor(0.5))
        tensor(7.3891)
    """
    if not parts:
        raise ValueError("`parts` must hold at least one bijector; got none.")
    if not -len(flow) <= index <= len(flow):
        raise IndexError(f"`index` must lie between {-len(flow)} and {len(flow)}; got {index}.")
    own: list[Transform] = [flow[place] for place in range(len(flow))]
    own[index:index] = parts
    return Compose(*own, reversible=flow.reversible)


def freeze(bijector: Bijector, *, frozen: bool = True) -> Bijector:
    """Stop the parameters of a bijector (a slice of a flow, one layer) from learning, in place; gradients still pass through.

    Args:
        bijector: Any bijector.
        frozen: False to let them learn again.

    Returns:
        The bijector.

    Example:
        >>> from probgen.distributions.bijectors import Affine, Compose, freeze
        >>> flow = Compose(Affine(), Affine())
        >>> _ = freeze(flow[:1])
        >>> [parameter.requires_grad for parameter in flow.parameters()]
        [False, False, True, True]
    """
    for parameter in bijector.parameters():
        parameter.requires_grad_(not frozen)
    return bijector


def set_reversible(bijector: Bijector, *, reversible: bool = True) -> Bijector:
    """Let every composition and every repeated layer inside recompute activations when gradients are taken; see ``Compose``.

    Args:
        bijector: Any bijector, such as a multi-scale flow with a composition at every scale.
        reversible: False to keep activations again.

    Returns:
        The bijector.

    Example:
        >>> from probgen.distributions.bijectors import set_reversible
        >>> from probgen.flows import real_nvp
        >>> set_reversible(real_nvp(3, layers=2)).reversible
        True
    """
    for module in bijector.modules():
        if isinstance(module, Compose | Repeat):
            module.reversible = reversible
    return bijector
