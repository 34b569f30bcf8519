r"""The vector that a context becomes in generators and critics, and how a critic judges whether an image fits it.

A critic of pairs has by Bayes' rule the best logit

.. math:: \log \frac{p(x, c)}{q(x, c)} = \log \frac{p(c \mid x)}{q(c \mid x)} + \log \frac{p(x)}{q(x)},

and where both :math:`p(c \mid x)` and :math:`q(c \mid x)` are log-linear in features :math:`h(x)`, the first difference is an
inner product: the *projection* critic :math:`v(x, c) = w^\top h(x) + b + e(c)^\top h(x)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.adversarial._pyramid import require_events
from probgen.nn.conditioning import Conditioning

__all__ = ["ConditionVector", "ConditionedNetwork", "ProjectionOutput", "initialized_around_condition"]


class ConditionVector(nn.Module):
    """The vector of a conditioning, ``[N, features]``; None for a network without context.

    Args:
        conditioning: What turns a context into a vector; None: there is no context.

    Raises:
        TypeError: ``conditioning`` is none.
        ValueError: it gives no vector.

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning
        >>> from probgen.nn.adversarial import ConditionVector
        >>> vector = ConditionVector(ClassConditioning(10, features=16))
        >>> vector(torch.tensor(3), "a network", (5,)).shape, vector.context_shape
        (torch.Size([5, 16]), ())
    """

    def __init__(self, conditioning: Conditioning | None) -> None:
        super().__init__()
        if not (conditioning is None or isinstance(conditioning, Conditioning)):
            raise TypeError(f"`conditioning` must be a Conditioning, such as ClassConditioning(10); got {conditioning!r}.")
        if conditioning is not None and not conditioning.vector_features:
            raise ValueError(f"`conditioning` must give a vector; {type(conditioning).__name__} gives none.")
        self.conditioning = conditioning

    @property
    def features(self) -> int:
        """Width of the vector, 0 without one."""
        return 0 if self.conditioning is None else self.conditioning.vector_features

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context, or None: there is none."""
        return None if self.conditioning is None else self.conditioning.context_shape

    def forward(self, context: Tensor | None, owner: str, batch: Sequence[int]) -> Tensor | None:
        """The vectors of a context that broadcasts to ``batch`` ``(N,)``; a missing or mis-sized one is an error.

        Raises:
            ContextError: the context is missing, not wanted, or has another shape.
        """
        require_context(owner, context, self.context_shape, batch)
        if self.conditioning is None or context is None:
            return None
        vector: Tensor | None = self.conditioning(context.expand(*batch, *self.conditioning.context_shape)).vector
        return vector


class ConditionedNetwork(nn.Module):
    """A generator or critic that takes a context as a vector, or none (abstract).

    Args:
        conditioning: What turns a context into a vector; None: the network takes no context.

    Raises:
        TypeError: ``conditioning`` is none.
        ValueError: it gives no vector.

    Example:
        >>> from probgen.nn import ClassConditioning, DCGANCritic
        >>> from probgen.nn.adversarial import ConditionedNetwork
        >>> critic = DCGANCritic((1, 8, 8), channels=4, conditioning=ClassConditioning(10))
        >>> isinstance(critic, ConditionedNetwork), critic.context_shape
        (True, ())
    """

    def __init__(self, conditioning: Conditioning | None) -> None:
        super().__init__()
        self.condition = ConditionVector(conditioning)

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context, or None: the network takes none."""
        return self.condition.context_shape

    def _condition_of(self, name: str, x: Tensor, event_shape: Sequence[int], context: Tensor | None) -> Tensor | None:
        """The vectors ``[N, features]`` of the context, or None; after checking that ``x`` is ``[N, *event_shape]``."""
        owner = type(self).__name__
        require_events(owner, name, x, event_shape)
        vectors: Tensor | None = self.condition(context, owner, x.shape[:1])
        return vectors


class ProjectionOutput(nn.Module):
    r"""The last layer of a critic: :math:`w^\top h + b`, plus :math:`(V c)^\top \bar h` where there is a context.

    Args:
        features: Width of the features h that the linear layer sees.
        condition_features: Width of the vector of the context, 0 for none.
        projected: Width of the features :math:`\bar h` that are compared with the context; ``features`` if None.
        linear: Makes the linear layers.

    References:
        Miyato, Koyama (2018). cGANs with projection discriminator. https://arxiv.org/abs/1802.05637

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import ProjectionOutput
        >>> ProjectionOutput(8, 3)(torch.zeros(5, 8), torch.zeros(5, 3)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        features: int,
        condition_features: int = 0,
        *,
        projected: int | None = None,
        linear: Callable[..., nn.Module] = nn.Linear,
    ) -> None:
        super().__init__()
        self.linear = linear(features, 1)
        width = features if projected is None else projected
        self.embedding = linear(condition_features, width, bias=False) if condition_features else None

    def forward(self, h: Tensor, condition: Tensor | None = None, pooled: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1]`` of ``h`` ``[N, features]``, a condition ``[N, F]`` and ``pooled`` (``h`` if None)."""
        output: Tensor = self.linear(h)
        if self.embedding is None or condition is None:
            return output
        compared = h if pooled is None else pooled
        return output + torch.sum(self.embedding(condition) * compared, dim=1, keepdim=True)


def initialized_around_condition(network: nn.Module, initialize: Callable[[nn.Module], None]) -> None:
    """Start all parts of a network but its ``ConditionVector``, which keeps the start of the conditioning.

    Args:
        network: The network, changed in place.
        initialize: Starts a module, in place.

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning
        >>> from probgen.nn.adversarial import ConditionVector
        >>> from probgen.nn.adversarial.condition_vector import initialized_around_condition
        >>> network = torch.nn.ModuleDict({"first": torch.nn.Linear(2, 2), "condition": ConditionVector(ClassConditioning(3))})
        >>> initialized_around_condition(network, lambda part: torch.nn.init.zeros_(part.weight))
        >>> network["first"].weight.abs().max().item()
        0.0
    """
    for part in network.children():
        if not isinstance(part, ConditionVector):
            initialize(part)
