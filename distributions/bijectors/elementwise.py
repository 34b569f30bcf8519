r"""Elementwise bijectors: :math:`y_i = f(x_i; \theta_i)`, one scalar map a coordinate.

The Jacobian is diagonal, so the log-determinant over an event is the sum of :math:`\log|\partial y_i / \partial x_i|`. The
parameters are declared (see ``parameters.py``) and come from one of three places:

* *given*: ``Affine(loc=1.0, scale=2.0)``, values that are stored as they are (a ``nn.Parameter`` stays learnable);
* *free*: ``Affine(shape=(3,))``, learned, stored unconstrained as ``raw_<name>`` and started at the identity;
* *emitted* by a conditioner, in ``Coupling``, ``MaskedAutoregressive`` and ``ConditionalElementwise``, which take any
  elementwise bijector and let a network produce its free parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions._checks import value_checks_active
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Elementwise", "numbers_of"]


class Elementwise(Bijector):
    r"""A scalar map applied to every coordinate, with declared parameters (abstract).

    A subclass sets ``domain``, ``codomain`` and, if it has parameters, ``declared_parameters``; it writes
    ``_element_forward(x, values)`` and ``_element_inverse(y, values)``, which return the value and
    :math:`\log|\partial y_i / \partial x_i|` (or of the inverse) of the same shape, without summing. ``values`` holds the
    parameters in declared order, each of shape ``[*batch, *parameter.shape]``, broadcastable with ``x``.

    Args:
        shape: Batch shape of the free parameters; it broadcasts with that of ``x``.
        **given: Values for some of the declared parameters (None: free).

    Raises:
        TypeError: a given name is not a declared parameter.
        ValueError: a given value has a wrong trailing shape, violates the parameter's constraint, or its batch shape does not
            broadcast with those of the others.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> f = Affine(shape=(3,))
        >>> [name for name, _ in f.named_parameters()], f(torch.ones(3))
        (['raw_loc', 'raw_scale'], tensor([1., 1., 1.], grad_fn=<AddBackward0>))
    """

    domain: constraints.Constraint = constraints.real
    codomain: constraints.Constraint = constraints.real

    def __init__(self, shape: Sequence[int] = (), **given: Tensor | float | None) -> None:
        super().__init__()
        declared = {parameter.name: parameter for parameter in self.declared_parameters}
        unknown = sorted(given.keys() - declared.keys())
        if unknown:
            raise TypeError(f"{type(self).__name__} declares the parameters {sorted(declared)}; got {unknown}.")
        self._given = tuple(name for name in declared if given.get(name) is not None)
        for name, parameter in declared.items():
            value = given.get(name)
            if value is None:
                self.register_parameter(f"raw_{name}", nn.Parameter(torch.zeros((*shape, *parameter.shape))))
            else:
                self._store(parameter, value)
        self._require_one_batch()

    # ------------------------------------------------------------------------------------------------ what an author writes

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in the order in which ``values`` holds them. Read before ``__init__`` of the base returns."""
        return ()

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `_element_forward`.")

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        raise NotImplementedError(f"{type(self).__name__} does not define `_element_inverse`.")

    def _element_forward_value(self, x: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        """The value alone; override where it is cheaper."""
        return self._element_forward(x, values)[0]

    def _element_inverse_value(self, y: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        """The inverse alone; override where it is cheaper."""
        return self._element_inverse(y, values)[0]

    # ----------------------------------------------------------------------------------------------- for conditioners' owners

    @property
    def free_parameters(self) -> tuple[Parameter, ...]:
        """The declared parameters that were not given: those that a conditioner emits."""
        return tuple(parameter for parameter in self.declared_parameters if parameter.name not in self._given)

    @property
    def num_free(self) -> int:
        """How many unconstrained numbers a conditioner emits for one coordinate."""
        return sum(parameter.numel for parameter in self.free_parameters)

    def as_element(self) -> Elementwise:
        """A copy without own free parameters, whose values are to come from a conditioner."""
        element = copy.copy(self)
        element._parameters = {name: value for name, value in self._parameters.items() if not name.startswith("raw_")}
        element._buffers = dict(self._buffers)
        return element

    def values_from_raw(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Turn a conditioner's output into parameter values.

        Args:
            raw: Unconstrained numbers, shape ``[*batch, num_free]``, in declared order.
        """
        declared = self.declared_parameters
        free = [parameter for parameter in declared if parameter.name not in self._given]
        if all(parameter.shape == () for parameter in free):
            pieces = iter(numbers_of(raw))
        else:
            sizes = [parameter.numel for parameter in free]
            split = zip(free, raw.split(sizes, dim=-1), strict=True)
            pieces = iter([piece.reshape(*piece.shape[:-1], *parameter.shape) for parameter, piece in split])
        values = []
        for parameter in declared:
            given = parameter.name in self._given
            values.append(getattr(self, parameter.name) if given else parameter.constrain(next(pieces)))
        return tuple(values)

    def element_forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``x`` ``[*batch]`` with parameters from ``raw`` ``[*batch, num_free]``; the log-derivative is not summed."""
        return self._element_forward(x, self.values_from_raw(raw.to(x.dtype)))

    def element_inverse(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Invert at ``y`` ``[*batch]`` with parameters from ``raw`` ``[*batch, num_free]``; nothing is summed."""
        return self._element_inverse(y, self.values_from_raw(raw.to(y.dtype)))

    def element_forward_value(self, x: Tensor, raw: Tensor) -> Tensor:
        """As ``element_forward``, without the log-derivative."""
        return self._element_forward_value(x, self.values_from_raw(raw.to(x.dtype)))

    def element_inverse_value(self, y: Tensor, raw: Tensor) -> Tensor:
        """As ``element_inverse``, without the log-derivative."""
        return self._element_inverse_value(y, self.values_from_raw(raw.to(y.dtype)))

    # ------------------------------------------------------------------------------------------------------------ the bijector

    @property
    def sign(self) -> int:
        """+1: declared maps increase unless a subclass says otherwise."""
        return 1

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """The shape of ``x``, broadcast with the batch shape of the parameters."""
        return torch.Size(torch.broadcast_shapes(tuple(shape), self._parameter_batch()))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """The shape of ``y``, broadcast with the batch shape of the parameters."""
        return self.forward_shape(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = self._element_forward(x, self._own_values())
        return y, sum_rightmost(log_det.expand(y.shape), self.domain.event_dim)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = self._element_inverse(y, self._own_values())
        return x, sum_rightmost(log_det.expand(x.shape), self.codomain.event_dim)

    def _own_values(self) -> tuple[Tensor, ...]:
        return tuple(
            getattr(self, parameter.name)
            if parameter.name in self._given
            else parameter.constrain(getattr(self, f"raw_{parameter.name}"))
            for parameter in self.declared_parameters
        )

    def _parameter_batch(self) -> torch.Size:
        shapes = []
        for parameter in self.declared_parameters:
            stored = getattr(self, parameter.name if parameter.name in self._given else f"raw_{parameter.name}")
            shapes.append(stored.shape[: stored.dim() - len(parameter.shape)])
        return torch.broadcast_shapes(*shapes) if shapes else torch.Size()

    def _require_one_batch(self) -> None:
        try:
            self._parameter_batch()
        except RuntimeError:
            shapes = {name: tuple(tensor.shape) for name, tensor in [*self.named_parameters(), *self.named_buffers()]}
            raise ValueError(
                f"the batch shapes of the parameters of {type(self).__name__} must broadcast; got {shapes}."
            ) from None

    def _store(self, parameter: Parameter, value: Tensor | float) -> None:
        """Keep a given value under its name: a learnable one as parameter, any other as buffer."""
        if isinstance(value, nn.Parameter):
            self.register_parameter(parameter.name, value)
            tensor: Tensor = value
        else:
            tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=torch.get_default_dtype())
            self.register_buffer(parameter.name, tensor)
        cut = tensor.dim() - len(parameter.shape)
        if cut < 0 or tuple(tensor.shape[cut:]) != parameter.shape:
            raise ValueError(f"`{parameter.name}` must have trailing shape {parameter.shape}; got {tuple(tensor.shape)}.")
        if value_checks_active(tensor) and not bool(parameter.constraint.check(tensor.detach()).all()):
            raise ValueError(f"`{parameter.name}` must satisfy {parameter.constraint}; got {tensor.detach()}.")


def numbers_of(raw: Tensor) -> tuple[Tensor, ...]:
    """The numbers of a conditioner's output ``[*batch, n]``, each ``[*batch]``: as ``unbind(-1)``, with a faster backward.

    Args:
        raw: Unconstrained numbers, any shape with at least one axis.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.elementwise import numbers_of
        >>> numbers_of(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        (tensor([1., 3.]), tensor([2., 4.]))
    """
    return raw.mT.unbind(-2) if raw.dim() > 1 else raw.unbind(-1)
