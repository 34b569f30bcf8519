r"""One layer many times: :math:`f = g_{\theta_n} \circ \dots \circ g_{\theta_1}` with the parameters stacked.

The layers of a deep flow differ in their parameters only. ``Repeat`` keeps one module whose tensors are ``[n, ...]``, and runs
it with each slice in turn: a state of few large tensors, whatever the depth, and one program to compile. A compiler that sees
the whole chain unrolls it, so its time grows with :math:`n`; ``compile_layers`` compiles the one layer, and every layer runs
that program.
"""

from __future__ import annotations

import copy
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform

from probgen.distributions._checks import values_readable
from probgen.distributions.bijectors._functional import call_hook, hook_of, tensors_of
from probgen.distributions.bijectors._reversible import Stage, may_run_reversibly, run_reversibly
from probgen.distributions.bijectors.base import Bijector, Direction
from probgen.distributions.bijectors.compose import Compose
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = ["Repeat"]


class Repeat(Wrapper):
    r"""``count`` layers of one kind, each with its own parameters, stored as stacked tensors ``[count, ...]``.

    The map is that of ``Compose(make(), make(), ...)``. Layers that take turns (masks, orders) are pairs: let ``make`` return a
    composition of two. Domain, codomain and capabilities are those of a layer; ``base`` is the layer's module with the stacked
    tensors in it, which is not to be called by itself.

    Args:
        make: Makes one layer, a bijector from a set onto itself, drawn anew at each call.
        count: How many layers, at least one.
        reversible: Recompute activations from outputs when gradients are taken; see ``Compose``.

    Raises:
        ValueError: ``count`` is not positive, the layers differ in more than the values of their tensors, or a layer's domain
            is not its codomain.

    References:
        Bradbury et al. (2018). JAX: composable transformations of Python+NumPy programs (``lax.scan``).
        https://github.com/jax-ml/jax

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Repeat
        >>> from probgen.flows import neural_spline_coupling
        >>> flow = Repeat(lambda: neural_spline_coupling(features=2, layers=2, hidden=(16,)), count=8)
        >>> x = torch.randn(5, 2)
        >>> len(flow), flow.base[0].conditioner.layers[0].weight.shape, torch.allclose(flow.inverse(flow(x)), x, atol=1e-4)
        (8, torch.Size([8, 16, 1]), True)
    """

    def __init__(self, make: Callable[[], Transform], count: int, *, reversible: bool = False) -> None:
        if count < 1:
            raise ValueError(f"`count` must be at least 1; got {count}.")
        layers = [as_bijector(make()) for _ in range(count)]
        first = layers[0]
        if repr(first.domain) != repr(first.codomain) or first.domain_shape != first.codomain_shape:
            raise ValueError(
                f"`make` must give a bijector from a set onto itself; got {type(first).__name__} from {first.domain} "
                f"{first.domain_shape or ''} to {first.codomain} {first.codomain_shape or ''}."
            )
        described = [_description(layer) for layer in layers]
        for index, other in enumerate(described):
            if other != described[0]:
                raise ValueError(
                    f"`make` must give layers that differ only in the values of their tensors; layer {index} differs."
                )
        _stack(layers)
        super().__init__(first)
        self.count = count
        self.reversible = reversible
        self._runner = _Runner()

    def __len__(self) -> int:
        return self.count

    def extra_repr(self) -> str:
        """Number of layers."""
        return f"count={self.count}" + (", reversible=True" if self.reversible else "")

    @property
    def sign(self) -> int:
        """That of a layer to the power of the number of layers."""
        return int(self.base.sign**self.count)

    def compile_layers(self, backend: str | Callable[..., Any] = "inductor", **options: Any) -> Repeat:
        """From now on run the layer compiled: one program, compiled on first use, for all layers and any depth.

        Another batch size, dtype or direction is another program. Copies and pickles compile anew. Second derivatives are not
        available from a compiled layer; function transforms and whole-graph compilers see the plain layers.

        Args:
            backend: As for ``torch.compile``.
            **options: Other arguments of ``torch.compile``.

        Returns:
            This bijector.

        Example:
            >>> import torch
            >>> from probgen.distributions.bijectors import LULinear, Repeat
            >>> flow = Repeat(lambda: LULinear(3), count=4)
            >>> before = flow(torch.ones(3))
            >>> torch.allclose(flow.compile_layers(backend="eager")(torch.ones(3)), before)
            True
        """
        self._runner = _Runner({"backend": backend, "dynamic": False, "fullgraph": True, **options})
        return self

    def unstacked(self, start: int = 0, stop: int | None = None) -> Compose:
        """The layers as a composition of independent copies, for inspection and surgery.

        Args:
            start: First layer.
            stop: One after the last layer; None for all.

        Raises:
            ValueError: no layers are left.

        Example:
            >>> from probgen.distributions.bijectors import LULinear, Repeat
            >>> len(Repeat(lambda: LULinear(3), count=4).unstacked(1, 3))
            2
        """
        chosen = range(self.count)[start:stop]
        if not chosen:
            raise ValueError(f"`start` and `stop` must leave layers of {self.count}; got {start} and {stop}.")
        return Compose(*(self._copy(index) for index in chosen), reversible=self.reversible)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``f(x)``."""
        return torch.Size(call_hook(self.base, "forward_shape", self._slices()[0], shape))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of the inverse at ``y``."""
        return torch.Size(call_hook(self.base, "inverse_shape", self._slices()[0], shape))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        value, total = self._run("forward", x, context, log_det=True)
        return value, total

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        value, total = self._run("inverse", y, context, log_det=True)
        return value, total

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self._run("forward", x, context, log_det=False)[0]

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self._run("inverse", y, context, log_det=False)[0]

    def _run(self, direction: Direction, value: Tensor, context: Tensor | None, *, log_det: bool) -> list[Tensor]:
        slices = self._slices()
        stages = [Stage(self.base, direction, 0, tensors, call=self._runner) for tensors in slices]
        stages = stages if direction == "forward" else stages[::-1]
        if self.reversible and may_run_reversibly(stages, value, context):
            return run_reversibly(stages, value, context, log_det=log_det)
        if self._runner.active and torch.is_grad_enabled() and not value.requires_grad:
            value = value.detach().requires_grad_()  # as for all later layers: another program otherwise
        total: list[Tensor] = []
        for stage in stages:
            value, *terms = stage.run(value, context, stage.tensors, log_det=log_det)
            total = terms if not total else [total[0] + terms[0]]
        return [value, *total]

    def _slices(self) -> list[dict[str, Tensor]]:
        """The tensors of each layer; one unbinding each, so that the way back stacks once."""
        pieces = {name: tensor.unbind(0) for name, tensor in tensors_of(self.base).items()}
        return [{name: piece[index] for name, piece in pieces.items()} for index in range(self.count)]

    def _copy(self, index: int) -> Bijector:
        layer = copy.deepcopy(self.base)
        known: dict[int, Tensor] = {}
        for owner, store, name in _places(layer):
            stacked = getattr(owner, store)[name]
            piece = stacked.detach()[index].clone()
            made = nn.Parameter(piece, requires_grad=stacked.requires_grad) if store == "_parameters" else piece
            getattr(owner, store)[name] = known.setdefault(id(stacked), made)
        return layer


class _Runner:
    """Calls a layer's hook with one slice of the tensors, compiled if options were given."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options = options
        self._programs: dict[tuple[str, bool], Callable[..., Any]] = {}

    @property
    def active(self) -> bool:
        """Whether layers are run compiled here: not inside another compiler or a function transform."""
        return self.options is not None and values_readable()

    def __call__(self, module: nn.Module, hook: str, tensors: Mapping[str, Tensor], *args: Any) -> Any:
        if not self.active:
            return call_hook(module, hook, tensors, *args)
        before = Distribution._validate_args
        try:  # torch.compile turns the validation of arguments off for the process
            key = (hook, module.training)
            if key not in self._programs:
                self._programs[key] = torch.compile(_own_code(hook_of(module, hook)), **(self.options or {}))
            with warnings.catch_warnings():  # dynamo asks slices whether they have a gradient
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
                laid_out = [arg.contiguous() if isinstance(arg, Tensor) else arg for arg in args]  # one layout, one program
                return self._programs[key](dict(tensors), *laid_out)
        finally:
            if Distribution._validate_args is not before:
                Distribution.set_default_validate_args(before)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Runner:
        return _Runner(self.options)

    def __reduce__(self) -> tuple[type[_Runner], tuple[Mapping[str, Any] | None]]:
        return _Runner, (self.options,)


def _own_code(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a code object of its own: dynamo limits how many programs it keeps for one."""
    if not isinstance(function, types.FunctionType):
        return function
    code = function.__code__.replace(co_name=f"{function.__name__}_{id(function):x}")
    return types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)


def _places(module: nn.Module) -> list[tuple[nn.Module, str, str]]:
    """Where tensors are held: the module, which of its tables, the name."""
    return [
        (owner, store, name)
        for owner in module.modules()
        for store in ("_parameters", "_buffers")
        for name, tensor in getattr(owner, store).items()
        if tensor is not None
    ]


def _stack(layers: Sequence[Bijector]) -> None:
    """Put the stacked tensors of all layers into the first one; tensors that are tied stay tied."""
    known: dict[int, Tensor] = {}
    for column in zip(*(_places(layer) for layer in layers), strict=True):
        tensors = [getattr(owner, store)[name] for owner, store, name in column]
        owner, store, name = column[0]
        first = tensors[0]
        if id(first) not in known:
            stacked = torch.stack([tensor.detach() for tensor in tensors])
            known[id(first)] = nn.Parameter(stacked, first.requires_grad) if isinstance(first, nn.Parameter) else stacked
            known[id(known[id(first)])] = known[id(first)]
        getattr(owner, store)[name] = known[id(first)]


_BOOKKEEPING = frozenset({"_parameters", "_buffers", "_modules"})
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype)


def _description(module: nn.Module) -> list[object]:
    """What a layer is apart from the values of its tensors: classes, shapes, plain attributes."""
    found: list[object] = []
    for path, part in module.named_modules():
        found.append((path, type(part)))
        for owner, store, name in _places(part):
            if owner is part:
                tensor = getattr(owner, store)[name]
                found.append((store, name, tuple(tensor.shape), tensor.dtype, tensor.requires_grad))
        found.extend((name, _plain(value)) for name, value in vars(part).items() if name not in _BOOKKEEPING)
    return found


def _plain(value: object) -> object:
    """A value that can be compared: itself, or only its kind where that says nothing."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return type(value)
