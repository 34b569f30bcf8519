r"""Compiled steps: record the objective's tensor program once, run the recording ever after.

A Pyro program cannot be traced by dynamo, but its tensor operations can be recorded: one call of the objective *and* of its
gradient,

.. math::

    (\theta, x) \mapsto \bigl(L(\theta; x),\; \nabla_\theta L(\theta; x)\bigr),

gives one graph of tensor operations, random draws included, that ``torch.compile`` turns into fast code. No handler and no
distribution object runs in a recorded step. Since the gradient is taken while recording, ``detach``, ``no_grad`` and custom
derivatives keep their meaning. A recording is used only under the conditions under which it was made
(:mod:`probgen.infer.fingerprint`); when they change, another is made: after ``eval()``, for another batch size, dtype or
device, under autocast, for a changed attribute.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyro
import torch
from pyro.poutine.runtime import am_i_wrapped
from torch import Tensor, nn
from torch.distributions import Distribution

from probgen.infer.fingerprint import Fingerprint, input_key, mode_key
from probgen.infer.objective import Objective, Player, players_of

__all__ = ["Compiled", "compile"]

_MANY = 8


def compile(
    objective: nn.Module, *, backend: str | Callable[..., Any] = "inductor", options: Mapping[str, Any] | None = None
) -> Compiled:
    """Return a module that computes the same loss and gradient, faster, with the same parameters.

    The whole step is one program, so its first compilation takes longer the more layers there are; a deep flow of like
    layers compiles at any depth in the time of one with ``Repeat.compile_layers`` instead.

    Args:
        objective: A module that returns one scalar per call and reads no tensor value on the host, such as ``ELBO()(model,
            guide)``.
        backend: As for ``torch.compile``.
        options: Options of the backend. For inductor, ``fallback_random`` is on unless set here: the same seed then
            draws the same noise as the objective itself.

    Example:
        >>> import torch
        >>> from probgen.infer import compile
        >>> net = torch.nn.Linear(2, 1)
        >>> class Loss(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.net = net
        ...
        ...     def forward(self, x):
        ...         return self.net(x).square().sum()
        >>> fast = compile(Loss(), backend="eager")
        >>> x = torch.ones(3, 2)
        >>> bool(fast(x) == Loss()(x))
        True
    """
    return Compiled(objective, backend, options)


class Compiled(Objective):
    """An objective with recorded steps; built by :func:`compile`.

    Everything that is a tensor in the call, a parameter or a buffer may change freely between calls; a schedule's value
    should be one of these (see ``infer.Annealed``). Anything else that changes (a float attribute, a Python number in the call)
    is noticed and recorded anew, which takes seconds; a warning says so when it happens often. Not noticed: globals of helper
    functions, and numbers that the program draws with Python's or NumPy's generator. Second derivatives of the loss are not
    available.

    Args:
        objective: What to record; shared, not copied.
        backend: As for ``torch.compile``.
        options: Options of the backend.

    Example:
        >>> import torch
        >>> from probgen.infer import Compiled
        >>> class Total(torch.nn.Linear):
        ...     def forward(self, x):
        ...         return super().forward(x).sum()
        >>> step = Compiled(Total(2, 1), backend="eager")
        >>> _ = step(torch.ones(3, 2)), step(torch.zeros(3, 2)), step(torch.zeros(5, 2))
        >>> step.recordings
        2
    """

    def __init__(
        self, objective: nn.Module, backend: str | Callable[..., Any] = "inductor", options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.objective = objective
        self._backend = backend
        self._options = {"fallback_random": True, **(options or {})} if backend == "inductor" else dict(options or {}) or None
        self._recordings: dict[Hashable, _Recording] = {}
        self._fingerprint: Fingerprint | None = None

    @property
    def players(self) -> Mapping[str, Player]:
        """Those of the objective."""
        return players_of(self.objective)

    @property
    def recordings(self) -> int:
        """How many steps have been recorded so far."""
        return len(self._recordings)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the objective's loss on a batch: a scalar. Inside a Pyro handler the objective itself runs, so it is heard."""
        if am_i_wrapped():
            return self.objective(*args, **kwargs)  # type: ignore[no-any-return]
        leaves, tree = torch.utils._pytree.tree_flatten((args, kwargs))
        fingerprint = self._current_fingerprint()
        key = (fingerprint.key, fingerprint.gradient_flags(), mode_key(), tree, input_key(leaves))
        recording = self._recordings.get(key)
        if recording is None:
            recording = self._record(fingerprint, leaves, tree)
            self._recordings[key] = recording
            if len(self._recordings) == _MANY:
                warnings.warn(
                    f"{_MANY} steps of {type(self.objective).__name__} have been recorded: something that is not a tensor "
                    "changes from call to call (a number in the batch, an attribute, the batch size). Pass it as a "
                    "tensor or a buffer.",
                    stacklevel=2,
                )
        inputs = [
            *fingerprint.parameters.values(),
            *fingerprint.buffers.values(),
            *(x for x in leaves if isinstance(x, Tensor)),
        ]
        return recording(inputs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recordings": {}, "_fingerprint": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        import copy

        return Compiled(copy.deepcopy(self.objective, memo), self._backend, self._options)

    def _current_fingerprint(self) -> Fingerprint:
        if self._fingerprint is None or not self._fingerprint.is_current():
            self._fingerprint = Fingerprint(self.objective)
        return self._fingerprint

    def _record(self, fingerprint: Fingerprint, leaves: list[Any], tree: Any) -> _Recording:
        step = _step_function(self.objective, fingerprint, leaves, tree)
        inputs = [
            *fingerprint.parameters.values(),
            *fingerprint.buffers.values(),
            *(x for x in leaves if isinstance(x, Tensor)),
        ]
        wanted = [k for k, x in enumerate(inputs) if x.requires_grad] if torch.is_grad_enabled() else []
        graph, used = _traced(step, inputs, wanted)
        with _settings_kept():
            fast = torch.compile(graph, backend=self._backend, options=self._options, fullgraph=True, dynamic=False)
        return _Recording(fast, used)


class _Recording:
    """One recorded step: tensors in, loss and gradients out."""

    def __init__(self, run: Callable[..., Any], used: list[int]) -> None:
        self.run = run
        self.used = used

    def __call__(self, inputs: list[Tensor]) -> Tensor:
        if not self.used:
            return self.compute(inputs)[0]
        return _Step.apply(self, inputs, *[inputs[k] for k in self.used])  # type: ignore[no-any-return,no-untyped-call]

    def compute(self, inputs: list[Tensor]) -> list[Tensor]:
        with _settings_kept(), torch.no_grad():
            return self.run(*inputs)  # type: ignore[no-any-return]


class _Step(torch.autograd.Function):
    """Hands the recorded gradient to autograd."""

    @staticmethod
    def forward(ctx: Any, recording: _Recording, inputs: list[Tensor], *wanted: Tensor) -> Tensor:
        loss, *gradients = recording.compute(inputs)
        ctx.gradients = gradients
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError("the gradient of a compiled step can be taken once; call the objective again.")
        if grad_loss.device.type == "cpu" and grad_loss.item() == 1.0:
            return (None, None, *gradients)
        return (None, None, *torch._foreach_mul(gradients, grad_loss))


class _Watched(nn.Module):
    """The objective, returning also the buffers that its call put in the place of others (``self.count = self.count + 1``)."""

    def __init__(self, objective: nn.Module, buffers: list[str]) -> None:
        super().__init__()
        self.objective = objective
        self._names = buffers

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
        before = [self.objective.get_buffer(name) for name in self._names]
        value = self.objective(*args, **kwargs)
        after = [self.objective.get_buffer(name) for name in self._names]
        return value, [(old, new) for old, new in zip(before, after, strict=True) if new is not old]


def _step_function(
    objective: nn.Module, fingerprint: Fingerprint, leaves: list[Any], tree: Any
) -> Callable[..., tuple[Tensor, list[tuple[Tensor, Tensor]]]]:
    """The loss, and the replaced buffers, as a function of parameters, buffers and the tensors of the batch."""
    slots = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    watched = _Watched(objective, list(fingerprint.buffers))
    tensors = [*fingerprint.parameters.values(), *fingerprint.buffers.values()]
    places = _places(watched, {id(tensor): index for index, tensor in enumerate(tensors)})

    def loss(*inputs: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        state = {name: inputs[index] for name, index in places}
        filled = list(leaves)
        for slot, value in zip(slots, inputs[len(tensors) :], strict=True):
            filled[slot] = value
        args, kwargs = torch.utils._pytree.tree_unflatten(filled, tree)
        value, replaced = torch.func.functional_call(watched, state, args, kwargs, tie_weights=False)
        if not isinstance(value, Tensor) or value.dim() != 0:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{type(objective).__name__} must return one scalar tensor; got {got}.")
        return value, replaced

    return loss


def _places(module: nn.Module, index_of: Mapping[int, int]) -> list[tuple[str, int]]:
    """Every attribute that holds one of the tensors, once, with the tensor's index.

    A module that can be reached by two paths is listed by one: torch would swap its tensors twice, and back only once.
    """
    found = []
    for prefix, part in module.named_modules():
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None and id(tensor) in index_of:
                found.append((f"{prefix}.{name}" if prefix else name, index_of[id(tensor)]))
    return found


def _traced(step: Callable[..., Any], inputs: list[Tensor], wanted: list[int]) -> tuple[nn.Module, list[int]]:
    """Record loss and gradients; return the graph and the indices of the inputs that the loss depends on."""
    from torch.fx.experimental.proxy_tensor import make_fx

    used: list[int] = []

    def joint(*values: Tensor) -> list[Tensor]:
        leaves = [value.detach().requires_grad_(k in wanted) for k, value in enumerate(values)]
        with torch.set_grad_enabled(bool(wanted)):
            loss, replaced = step(*leaves)
            sources = [leaves[k] for k in wanted]
            grads = (
                torch.autograd.grad(loss, sources, allow_unused=True) if wanted and loss.requires_grad else [None] * len(wanted)
            )
        for old, new in replaced:
            old.detach().copy_(new.detach())
        used[:] = [k for k, grad in zip(wanted, grads, strict=True) if grad is not None]
        return [loss.detach(), *(grad for grad in grads if grad is not None)]

    with _settings_kept(), pyro.validation_enabled(is_validate=False), torch.random.fork_rng(devices=[]):
        graph = make_fx(joint, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    return graph, used


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Keep torch's validation switch: creating a ``torch.compile`` wrapper turns it off for the process."""
    before = Distribution._validate_args
    try:
        yield
    finally:
        if Distribution._validate_args is not before:
            Distribution.set_default_validate_args(before)
