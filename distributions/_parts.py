"""What a distribution is made of, through the distributions inside it."""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.distributions import Distribution

__all__ = ["parts_of", "trainable_modules"]

_Part = TypeVar("_Part")


def parts_of(law: object, kind: type[_Part]) -> list[_Part]:
    """The outermost parts of a kind, each once, in the order of the attributes.

    Args:
        law: A distribution, or a list of them; what is of the kind itself is its only part.
        kind: A class.

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.distributions._parts import parts_of
        >>> parts_of(ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 2), (2,)), torch.nn.Module)
        [Linear(in_features=4, out_features=2, bias=True)]
    """
    if isinstance(law, kind):
        return [law]
    if not isinstance(law, Distribution | list | tuple):
        return []
    inside = vars(law).values() if isinstance(law, Distribution) else law
    found = {id(part): part for value in inside for part in parts_of(value, kind)}
    return list(found.values())


def trainable_modules(law: Distribution, name: str) -> nn.ModuleList:
    """The modules a distribution is made of: with them whoever holds it trains, moves and saves all of it.

    Args:
        law: The distribution.
        name: What the user calls it, for the error.

    Raises:
        ValueError: it is made of parameters that belong to no module, which would not be trained.

    Example:
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions._parts import trainable_modules
        >>> trainable_modules(standard_normal(4), "prior")
        ModuleList()
    """
    modules = nn.ModuleList(parts_of(law, nn.Module))
    trained = {id(parameter) for parameter in modules.parameters()}
    if any(id(parameter) not in trained for parameter in parts_of(law, nn.Parameter)):
        raise ValueError(
            f"`{name}` ({type(law).__name__}) is made of parameters that belong to no module, so they would not be trained; "
            "give a module that returns it, such as `MixturePrior` or `ImplicitLaw`."
        )
    return modules
