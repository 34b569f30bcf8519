r"""FFJORD: the flow of a free-form vector field, one differential equation from noise to data.

.. math::

    \frac{\mathrm dx}{\mathrm dt} = v_\theta(t, x, c), \qquad x(0) = z, \quad f(z) = x(1), \qquad
    \log|\det J| = \int_0^1 \nabla \cdot v_\theta\, \mathrm dt .

Maximum likelihood trains it (``probgen.infer.MaximumLikelihood``, or ``RegularizedLikelihood`` with penalties that keep it
easy to integrate), and so does flow matching (``probgen.infer.FlowMatching``) without solving anything. The derivations stand
in ``docs/derivations/continuous-flows.md`` and ``docs/derivations/flow-matching.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from probgen.distributions.bijectors import Bijector, Compose, ContinuousFlow, Reshape
from probgen.distributions.numerics.ode_tableaus import MethodName
from probgen.nn import ConcatSquashConv, ConcatSquashMLP
from probgen.nn.concat_squash import SmoothActivation

__all__ = ["continuous_flow", "continuous_image_flow"]


def continuous_flow(
    features: int,
    *,
    hidden: Sequence[int] = (64, 64),
    context_shape: Sequence[int] | None = None,
    activation: SmoothActivation = "tanh",
    frequencies: int = 3,
    solver: MethodName = "dopri5",
    steps: int | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    log_det_atol: float | None = 1e-4,
    divergence: Literal["exact", "hutchinson"] = "exact",
    adjoint: bool = False,
    **options: Any,
) -> ContinuousFlow:
    r"""FFJORD on vectors: a field of gated layers whose exact divergence is in closed form.

    With one or two hidden layers the exact log-determinant costs about as much as the path itself, in any dimension, so
    Hutchinson's estimate, which the paper needs, is not the default here.

    Args:
        features: How many coordinates; 1 works.
        hidden: Widths of the field's hidden layers.
        context_shape: Trailing shape of the context, None if there is none.
        activation: "tanh", "softplus" or "silu".
        frequencies: How many frequencies of time the gates see beside time itself.
        solver: "dopri5" (adaptive unless there are ``steps``), "euler", "midpoint", "heun", "rk4" or "verner8".
        steps: Number of equal steps, for a fixed cost and a static graph.
        rtol: Relative tolerance of adaptive steps.
        atol: Absolute tolerance of adaptive steps.
        log_det_atol: Absolute tolerance of the log-determinant, nats; ``atol`` if None.
        divergence: "exact", or "hutchinson": an unbiased estimate that ``TransformedDistribution`` gives as a ``log_prob`` only
            with ``allow_estimate=True``.
        adjoint: Gradients by a second equation, with memory that does not grow with the number of steps.
        options: Further arguments of ``ContinuousFlow``, such as ``probes`` or ``max_steps``.

    Returns:
        A bijector of :math:`\mathbb R^\mathrm{features}` from the base (time 0) to the data (time 1).

    Raises:
        ValueError: a size is not positive, or settings of the solver do not go together.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: free-form continuous dynamics for scalable reversible
        generative models. https://arxiv.org/abs/1810.01367

    Example:
        >>> import torch
        >>> from probgen.flows import continuous_flow
        >>> flow = continuous_flow(3, hidden=(16,), context_shape=(2,))
        >>> flow.forward_and_log_det(torch.zeros(5, 3), torch.zeros(5, 2))[1].shape
        torch.Size([5])
    """
    field = ConcatSquashMLP(
        features, hidden=hidden, context_shape=context_shape, activation=activation, frequencies=frequencies
    )
    return ContinuousFlow(
        field,
        (features,),
        solver=solver,
        steps=steps,
        rtol=rtol,
        atol=atol,
        log_det_atol=log_det_atol,
        divergence=divergence,
        adjoint=adjoint,
        **options,
    )


def continuous_image_flow(
    shape: Sequence[int],
    *,
    hidden: Sequence[int] = (32, 32, 32),
    context_shape: Sequence[int] | None = None,
    activation: SmoothActivation = "tanh",
    frequencies: int = 3,
    kernel_size: int = 3,
    solver: MethodName = "dopri5",
    steps: int | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    log_det_atol: float | None = 1e-3,
    divergence: Literal["exact", "hutchinson"] = "hutchinson",
    adjoint: bool = False,
    **options: Any,
) -> Bijector:
    r"""FFJORD on images at one scale: a field of gated convolutions, from a flat latent to an image.

    Args:
        shape: Shape (channels, height, width) of an image.
        hidden: Channels of the field's hidden layers.
        context_shape: Trailing shape of the context, None if there is none.
        activation: "tanh", "softplus" or "silu".
        frequencies: How many frequencies of time the gates see beside time itself.
        kernel_size: Side of the kernels, odd.
        solver: As for ``continuous_flow``.
        steps: Number of equal steps, for a fixed cost and a static graph.
        rtol: Relative tolerance of adaptive steps.
        atol: Absolute tolerance of adaptive steps.
        log_det_atol: Absolute tolerance of the log-determinant, nats an image; ``atol`` if None.
        divergence: "hutchinson", an unbiased estimate, or "exact" at one backward pass for each pixel.
        adjoint: Gradients by a second equation, with memory that does not grow with the number of steps.
        options: Further arguments of ``ContinuousFlow``, such as ``probes`` or ``max_steps``.

    Returns:
        A bijector from :math:`\mathbb R^{CHW}` to images ``[C, H, W]`` on the whole space; put maps of the data, such as
        dequantization and logits, behind it.

    Raises:
        ValueError: a shape that is no image, a size that is not positive, or settings that do not go together.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019). FFJORD: free-form continuous dynamics for scalable reversible
        generative models. https://arxiv.org/abs/1810.01367

    Example:
        >>> import torch
        >>> from probgen.flows import continuous_image_flow
        >>> flow = continuous_image_flow((1, 4, 4), hidden=(8,), steps=2)
        >>> flow(torch.zeros(5, 16)).shape, flow.log_det_kind
        (torch.Size([5, 1, 4, 4]), 'unbiased')
    """
    if len(shape) != 3:
        raise ValueError(f"`shape` must be (channels, height, width); got {tuple(shape)}.")
    field = ConcatSquashConv(
        shape[0],
        hidden=hidden,
        context_shape=context_shape,
        kernel_size=kernel_size,
        activation=activation,
        frequencies=frequencies,
    )
    flow = ContinuousFlow(
        field,
        shape,
        solver=solver,
        steps=steps,
        rtol=rtol,
        atol=atol,
        log_det_atol=log_det_atol,
        divergence=divergence,
        adjoint=adjoint,
        **options,
    )
    return Compose(Reshape((math.prod(shape),), tuple(shape)), flow)
