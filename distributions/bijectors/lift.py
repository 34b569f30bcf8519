"""Torch's and Pyro's transforms as bijectors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform, transforms
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector

__all__ = ["Lift", "as_bijector"]

_HOLDERS = (Transform, Distribution, Constraint)


def as_bijector(transform: Transform) -> Bijector:
    """Turn any transform into a bijector; a bijector is returned as it is.

    Torch's containers become ours, so their parts are evaluated once for value and log-determinant and may be bijectors:
    ``ComposeTransform`` becomes ``Compose``, ``IndependentTransform`` ``Independent``, an inverse ``Inverse``,
    ``StackTransform`` and ``CatTransform`` along an axis of the event ``Stack`` and ``Concat``. Everything else is held by
    ``Lift``.

    Args:
        transform: A bijective transform.

    Raises:
        TypeError: ``transform`` is not a transform.
        ValueError: the transform is not bijective.

    Example:
        >>> from torch.distributions import transforms
        >>> from probgen.distributions.bijectors import as_bijector
        >>> type(as_bijector(transforms.IndependentTransform(transforms.ExpTransform(), 1))).__name__
        'Independent'
    """
    from probgen.distributions.bijectors.compose import Compose
    from probgen.distributions.bijectors.concat import Concat, Stack
    from probgen.distributions.bijectors.independent import Independent

    if isinstance(transform, Bijector):
        return transform
    if not isinstance(transform, Transform):
        raise TypeError(f"a part must be a bijector or a torch Transform; got {type(transform).__name__}.")
    if isinstance(transform, transforms.ComposeTransform) and transform.parts:
        return Compose(*transform.parts)
    if isinstance(transform, transforms.IndependentTransform):
        return Independent(transform.base_transform, transform.reinterpreted_batch_ndims)
    if isinstance(transform, transforms._InverseTransform) and transform._inv is not None:
        return as_bijector(transform._inv).inv
    if isinstance(transform, transforms.StackTransform) and transform.dim < 0:
        return Stack(*transform.transforms, dim=transform.dim)
    if isinstance(transform, transforms.CatTransform) and transform.dim < 0 and transform.event_dim >= -transform.dim:
        return Concat(*transform.transforms, sizes=transform.lengths, dim=transform.dim)
    return Lift(transform)


class Lift(Bijector):
    r"""A foreign transform, for example ``biject_to(constraint)`` or a Pyro flow, as a bijector.

    Value and log-determinant are those of the transform. A transform that is an ``nn.Module`` is shared, with its parameters.
    Of any other the structure is copied: its caches are switched off, and the tensors that it holds, in whatever depth, move
    with ``.to()`` and are copied by ``deepcopy`` (also if they are results of a computation, without its history).

    Args:
        transform: A bijective ``torch.distributions.Transform``.

    Raises:
        ValueError: the transform is not bijective.

    Example:
        >>> import torch
        >>> from torch.distributions import biject_to, constraints
        >>> from probgen.distributions.bijectors import Lift
        >>> f = Lift(biject_to(constraints.simplex))
        >>> f(torch.zeros(2))
        tensor([0.3333, 0.3333, 0.3333])
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        if not transform.bijective:
            raise ValueError(f"`transform` must be bijective; {type(transform).__name__} is not.")
        self.transform = _own_structure(transform)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """As that of the transform."""
        return self.transform.domain  # type: ignore[no-any-return]

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As that of the transform."""
        return self.transform.codomain  # type: ignore[no-any-return]

    @property
    def sign(self) -> int:
        """As that of the transform."""
        return int(self.transform.sign)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of the transform."""
        return torch.Size(self.transform.forward_shape(shape))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of the transform."""
        return torch.Size(self.transform.inverse_shape(shape))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = _unknown(x)
        y = self.transform(x)
        return y, self.transform.log_abs_det_jacobian(x, y)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = _unknown(y)
        x = self.transform.inv(y)
        return x, -self.transform.log_abs_det_jacobian(x, y)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.transform(_unknown(x))  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.transform.inv(_unknown(y))  # type: ignore[no-any-return]

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002
        if not isinstance(self.transform, nn.Module):
            self.transform = _mapped_tensors(self.transform, fn)
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        for value in _computed_tensors(self.transform):
            memo[id(value)] = value.detach().clone()
            memo.setdefault(id(memo), []).append(value)  # keeps the key's owner alive, as the copy module does
        return super().__deepcopy__(memo)


def _unknown(value: Tensor) -> Tensor:
    """The same numbers as a tensor that no cache has seen: Pyro's modules answer a known one without looking at parameters."""
    return value.view_as(value)


def _own_structure(held: Any) -> Any:
    """A copy of nested transforms, distributions and constraints that shares their tensors and modules and caches nothing."""
    return _mapped_tensors(held, lambda tensor: tensor)


def _mapped_tensors(held: Any, fn: Callable[[Tensor], Tensor]) -> Any:
    """A copy of the structure with ``fn`` applied to every tensor outside modules."""
    if isinstance(held, Tensor):
        return fn(held)
    if isinstance(held, list | tuple) and type(held) in (list, tuple):
        return type(held)(_mapped_tensors(item, fn) for item in held)
    if not isinstance(held, _HOLDERS) or isinstance(held, nn.Module):
        return held
    result: Any = copy.copy(held)
    for name, value in _held(held):
        vars(result)[name] = _mapped_tensors(value, fn)
    if isinstance(held, Transform):
        result._cache_size = 0
        if hasattr(held, "_cached_x_y"):
            result._cached_x_y = (None, None)
        if not isinstance(held, transforms._InverseTransform):
            result._inv = None
    return result


def _held(holder: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a transform, distribution or constraint, without a transform's reference to its own inverse."""
    back = isinstance(holder, Transform) and not isinstance(holder, transforms._InverseTransform)
    return ((name, value) for name, value in vars(holder).items() if not (back and name == "_inv"))


def _computed_tensors(held: Any) -> Iterator[Tensor]:
    """Tensors with a history, which ``deepcopy`` refuses to copy: caches of Pyro's modules, or values from a network."""
    todo, seen = [held], set()
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            if item.grad_fn is not None:
                yield item
        elif isinstance(item, list | tuple):
            todo.extend(item)
        elif isinstance(item, (nn.Module, *_HOLDERS)):
            todo.extend(vars(item).values())
            todo.extend(item.children() if isinstance(item, nn.Module) else ())
