r"""The vector field of FFJORD: layers that time and context gate, with a divergence in closed form.

With features :math:`\tau(t) = (t, \cos k\pi t, \sin k\pi t)_{k \le K}` and a context c, layer l is

.. math::

    h_l = \sigma(a_l), \qquad
    a_l = (W_l h_{l-1} + b_l) \odot g_l + s_l, \qquad
    g_l = \mathrm{logistic}(G_l[\tau(t), c] + e_l), \quad s_l = S_l[\tau(t), c],

from :math:`h_0 = x`; the last layer has no activation, and a gate of time alone. The Jacobian of the whole is a product of
constant matrices and diagonals, :math:`D_l = \operatorname{diag}(g_l \odot \sigma'(a_l))` and :math:`\Gamma =
\operatorname{diag}(g_L)`, so its trace needs no automatic differentiation. While an equation is solved all rows have one
time, :math:`\Gamma` is one matrix, and by the cyclic property of the trace

.. math::

    \operatorname{tr}(\Gamma W_2 D_1 W_1) = \sum_a d_{1a} (W_1 \Gamma W_2)_{aa}, \qquad
    \operatorname{tr}(\Gamma W_3 D_2 W_2 D_1 W_1) = \sum_{ab} d_{2a} (W_2)_{ab} d_{1b} (W_1 \Gamma W_3)_{ba} .

With one or two hidden layers the exact divergence costs about as much as the velocity itself, in any dimension. Deeper networks
carry the D rows of the Jacobian through the layers, D times the cost, still without a second backward pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn._context import flat_context

__all__ = ["ConcatSquashMLP", "SmoothActivation", "TimeGate"]

SmoothActivation = Literal["tanh", "softplus", "silu"]
"""Activations with a continuous derivative: fields that an adaptive solver gets through in few steps."""


class TimeGate(nn.Module):
    r"""The gate and the shift of one layer, :math:`\mathrm{logistic}(G[\tau(t), c] + e)` and :math:`S[\tau(t), c]`.

    Args:
        features: Width of the layer.
        frequencies: How many frequencies K of time there are beside time itself.
        context_features: Width of the context that shifts the layer; 0 for none.
        gated_by_context: Whether the context also enters the gate.

    Raises:
        ValueError: a width is not positive, or a count negative.

    Example:
        >>> import torch
        >>> from probgen.nn import TimeGate
        >>> gate, shift = TimeGate(5, frequencies=2, context_features=3)(torch.tensor(0.5), torch.zeros(7, 3))
        >>> gate.shape, shift.shape
        (torch.Size([7, 5]), torch.Size([7, 5]))
    """

    def __init__(
        self, features: int, *, frequencies: int = 3, context_features: int = 0, gated_by_context: bool = True
    ) -> None:
        super().__init__()
        if features < 1 or frequencies < 0 or context_features < 0:
            raise ValueError(
                "`features` must be positive, `frequencies` and `context_features` not negative; "
                f"got {features}, {frequencies} and {context_features}."
            )
        self.features, self.frequencies = features, frequencies
        self.time = nn.Linear(1 + 2 * frequencies, 2 * features)
        widths = (2 if gated_by_context else 1) * features
        self.context = nn.Linear(context_features, widths, bias=False) if context_features else None

    def forward(self, t: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gate and shift, ``[N, features]``, or with one row where neither time nor context differ.

        Args:
            t: The time, a tensor of one number, or of one for each of the N rows.
            context: Rows ``[N, context_features]``.
        """
        t = t.reshape(-1, 1)
        angle = math.pi * t * torch.arange(1, self.frequencies + 1, device=t.device, dtype=t.dtype)
        gate, shift = self.time(torch.cat([t, angle.cos(), angle.sin()], -1)).chunk(2, -1)
        if self.context is not None and context is not None:
            *more_gate, more_shift = self.context(context).split(self.features, -1)
            gate, shift = gate + more_gate[0] if more_gate else gate, shift + more_shift
        return torch.sigmoid(gate), shift


class _Pass(NamedTuple):
    """What a pass leaves behind: the velocity, the slopes of the hidden layers and the gate of the last."""

    velocity: Tensor
    slopes: list[Tensor]
    gate: Tensor


class ConcatSquashMLP(nn.Module):
    r"""A velocity :math:`v(t, x, c)` of vectors from gated layers, ``[N, features]`` to ``[N, features]``.

    It is called as ``ContinuousFlow`` calls a field, ``network(t, x)`` or ``network(t, x, context)``, and offers
    ``velocity_and_divergence``, which the flow then uses for the exact log-determinant.

    Args:
        features: How many coordinates a vector has.
        hidden: Widths of the hidden layers; one or two make the divergence cheap in any dimension.
        context_shape: Trailing shape of the context, None if there is none.
        activation: "tanh", "softplus" or "silu".
        frequencies: How many frequencies of time the gates see beside time itself.

    Raises:
        ValueError: a size is not positive, or there is no such activation.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: free-form continuous dynamics for scalable reversible
        generative models. https://arxiv.org/abs/1810.01367
        Onken, Wu Fung, Li, Ruthotto (2021). OT-Flow: fast and accurate continuous normalizing flows via optimal transport (a
        trace in closed form). https://arxiv.org/abs/2006.00104

    Example:
        >>> import torch
        >>> from probgen.nn import ConcatSquashMLP
        >>> network, t, x = ConcatSquashMLP(3, hidden=(16, 16)), torch.tensor(0.2), torch.zeros(5, 3)
        >>> velocity, divergence = network.velocity_and_divergence(t, x)
        >>> bool((velocity == network(t, x)).all()), divergence.shape
        (True, torch.Size([5]))
    """

    def __init__(
        self,
        features: int,
        *,
        hidden: Sequence[int] = (64, 64),
        context_shape: Sequence[int] | None = None,
        activation: SmoothActivation = "tanh",
        frequencies: int = 3,
    ) -> None:
        super().__init__()
        if min(features, *hidden, 1) < 1:
            raise ValueError(f"`features` and `hidden` must be positive; got {features} and {tuple(hidden)}.")
        self._act, self._slope = smooth_activation(activation)
        self.activation = activation
        self.features = features
        self.context_shape = None if context_shape is None else tuple(context_shape)
        width = 0 if context_shape is None else math.prod(context_shape)
        widths = [features, *hidden, features]
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in itertools.pairwise(widths))
        self.gates = nn.ModuleList(
            TimeGate(m, frequencies=frequencies, context_features=width, gated_by_context=index < len(hidden))
            for index, m in enumerate(widths[1:])
        )

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The velocity ``[N, features]``.

        Args:
            t: The time, a tensor of one number, or of one for each row (``[N, 1]``).
            x: Points ``[N, features]``.
            context: Shape ``[N, *context_shape]``.

        Raises:
            ContextError: a missing, mis-sized or unused context.
        """
        return self._run(t, x, context, slopes=False).velocity

    def velocity_and_divergence(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        r"""The velocity ``[N, features]`` and its divergence ``[N]``, exact and in closed form.

        Args:
            t: The time, as in ``forward``.
            x: Points ``[N, features]``.
            context: Shape ``[N, *context_shape]``.
        """
        velocity, slopes, gate = self._run(t, x, context, slopes=True)
        weights: list[Tensor] = [layer.weight for layer in self.layers]  # type: ignore[misc]
        if len(gate) == 1 and 1 <= len(slopes) <= 2:  # the last diagonal is the same for all rows
            around = weights[0] @ (gate.mT * weights[-1])
            if len(slopes) == 1:
                return velocity, slopes[0] @ around.diagonal()
            return velocity, (slopes[1] * F.linear(slopes[0], weights[1] * around.mT)).sum(-1)
        rows = torch.eye(self.features, dtype=x.dtype, device=x.device).unsqueeze(0)
        for slope, weight in zip(slopes, weights, strict=False):
            rows = F.linear(rows, weight) * slope.unsqueeze(-2)
        return velocity, ((rows * weights[-1]).sum(-1) * gate).sum(-1).expand(len(x))

    def _run(self, t: Tensor, x: Tensor, context: Tensor | None, *, slopes: bool) -> _Pass:
        """All layers; the slopes only where they are wanted."""
        context = flat_context(type(self).__name__, context, self.context_shape, x.shape[:-1])
        h, found = x, []
        for layer, gate in zip(self.layers[:-1], self.gates, strict=False):
            scale, shift = gate(t, context)
            a = torch.addcmul(shift, layer(h), scale)
            h = self._act(a)
            if slopes:
                found.append(self._slope(a, h) * scale)
        scale, shift = self.gates[-1](t, context)
        return _Pass(torch.addcmul(shift, self.layers[-1](h), scale), found, scale)


def smooth_activation(name: str) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]:
    r"""An activation :math:`\sigma(a)`, and its derivative as a function of :math:`a` and :math:`\sigma(a)`.

    Args:
        name: "tanh", "softplus" or "silu".

    Raises:
        ValueError: there is no such activation.

    Example:
        >>> import torch
        >>> from probgen.nn.concat_squash import smooth_activation
        >>> function, slope = smooth_activation("tanh")
        >>> slope(torch.zeros(()), function(torch.zeros(())))
        tensor(1.)
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"`activation` must be one of {sorted(_ACTIVATIONS)}; got {name!r}.")
    return _ACTIVATIONS[name]


def _tanh_slope(_a: Tensor, h: Tensor) -> Tensor:
    return 1 - h.square()


def _softplus_slope(a: Tensor, _h: Tensor) -> Tensor:
    return torch.sigmoid(a)


def _silu_slope(a: Tensor, h: Tensor) -> Tensor:
    gate = torch.sigmoid(a)
    return gate + h * (1 - gate)


_ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "silu": (F.silu, _silu_slope),
    "softplus": (F.softplus, _softplus_slope),
    "tanh": (torch.tanh, _tanh_slope),
}
