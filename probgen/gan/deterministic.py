r"""A function of a context as an implicit law: noise without dimensions.

.. math:: y = g(c)

A translator that adds nothing of its own is the limiting case of a conditional law; as such it stands where laws are expected.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from probgen.distributions import ImplicitLaw, standard_normal

__all__ = ["NoiseFree", "deterministic_law"]


class NoiseFree(nn.Module):
    """A generator that ignores its noise.

    Args:
        network: From contexts ``[N, *context_shape]`` to events ``[N, *event]``.

    Example:
        >>> import torch
        >>> from probgen.gan import NoiseFree
        >>> NoiseFree(torch.nn.Linear(3, 2))(torch.zeros(5, 0), torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, noise: Tensor, context: Tensor) -> Tensor:
        """The event ``[N, *event]`` of each context.

        Args:
            noise: Ignored.
            context: Shape ``[N, *context_shape]``.
        """
        return self.network(context)  # type: ignore[no-any-return]


def deterministic_law(network: nn.Module, event_shape: Sequence[int], context_shape: Sequence[int]) -> ImplicitLaw:
    """The law, without any noise, of a network's output.

    Args:
        network: From contexts ``[N, *context_shape]`` to events ``[N, *event_shape]``.
        event_shape: Shape of an event.
        context_shape: Shape of a context.

    Example:
        >>> import torch
        >>> from probgen.gan import deterministic_law
        >>> law = deterministic_law(torch.nn.Linear(3, 2), (2,), (3,))
        >>> c = torch.randn(5, 3)
        >>> torch.equal(law(c).sample(), law(c).sample())
        True
    """
    return ImplicitLaw(standard_normal(0), NoiseFree(network), event_shape, context_shape=context_shape)
