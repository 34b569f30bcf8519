r"""A law as a module: whatever it is made of, its parameters can be found, trained, moved and saved."""

from __future__ import annotations

from typing import cast

from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.distributions._parts import trainable_modules

__all__ = ["LawModule"]


class LawModule(nn.Module):
    """A module that returns a law: the law's own module, or one around a distribution that is made of modules.

    Args:
        law: A distribution, such as an ``ImplicitDistribution`` or a flow; or a module that returns one, called without
            arguments or with a context, such as an ``ImplicitLaw``.

    Raises:
        TypeError: it is neither.
        ValueError: the distribution is made of parameters that belong to no module.

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.infer.adversarial.law_module import LawModule
        >>> law = LawModule(ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 2), (2,)))
        >>> len(list(law.parameters())), law().event_shape
        (2, torch.Size([2]))
    """

    def __init__(self, law: Distribution | nn.Module) -> None:
        super().__init__()
        if isinstance(law, Distribution):
            self.law: Distribution | None = law
            self.parts = trainable_modules(law, "law")
        elif isinstance(law, nn.Module):
            self.law = None
            self.parts = nn.ModuleList([law])
        else:
            raise TypeError(f"`law` must be a distribution or a module that returns one; got {type(law).__name__}.")

    def forward(self, context: Tensor | None = None) -> TorchDistribution:
        """The law, given a context where it takes one.

        Args:
            context: Shape ``[*batch, *context_shape]``.

        Raises:
            TypeError: the module returned no distribution.
        """
        if self.law is None:
            found: object = self.parts[0]() if context is None else self.parts[0](context)
            if not isinstance(found, Distribution):
                raise TypeError(f"`law` must return a distribution; it returned {type(found).__name__}.")
            return cast(TorchDistribution, found)
        return cast(TorchDistribution, self.law if context is None else self.law.condition(context))  # type: ignore[attr-defined]
