r"""What can be done with the latents of a flow: ways between data, attribute vectors, temperature, classes by Bayes' rule.

A flow :math:`x = f(z; c)` gives every datum exactly one latent and back, so nothing has to be searched for: two data are
encoded, something is done with their latents, and the result is decoded,

.. math::

    x_w = f\bigl(\gamma_w(f^{-1}(x_0), f^{-1}(x_1))\bigr), \qquad
    v = \overline{f^{-1}(x^+)} - \overline{f^{-1}(x^-)}, \quad x_s = f\bigl(f^{-1}(x) + s\, v\bigr).

The derivations stand in ``docs/derivations/flow-latent-space.md`` and ``docs/derivations/flow-temperature.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import overload

import torch
from torch import Tensor
from torch.distributions import Distribution

from probgen.distributions import DequantizedLaw, TransformedDistribution, TransformedLaw
from probgen.distributions.bijectors import Bijector, Compose, Scale
from probgen.distributions.constraints import is_real
from probgen.distributions.numerics.bayes import log_posterior
from probgen.distributions.numerics.interpolation import linear, spherical
from probgen.distributions.numerics.noise_arithmetic import combined_noise

__all__ = ["attribute_direction", "class_log_posterior", "data_between", "moved_along", "tempered"]


def data_between(
    flow: Bijector,
    start: Tensor,
    end: Tensor,
    weights: Sequence[float] | Tensor,
    context: Tensor | None = None,
    *,
    end_context: Tensor | None = None,
    arc: bool = True,
) -> Tensor:
    r"""What a flow makes of latents on the way from one datum to another: :math:`f(\gamma_w(f^{-1}(x_0), f^{-1}(x_1)))`.

    Args:
        flow: The bijector f, from vectors of latents to data.
        start: Data :math:`x_0`, ``[*batch, *event]``; for integers, with their noise.
        end: Data :math:`x_1` of the same shape.
        weights: K numbers w, 0 at the start and 1 at the end.
        context: What the data are given, ``[*batch, *context_shape]``.
        end_context: What the end is given, where that differs; in between the context goes along the segment.
        arc: Go along an arc, as standard normal noise wants; False: along the segment.

    Returns:
        Data ``[K, *batch, *event]``; at the weights 0 and 1 they are ``start`` and ``end``.

    Raises:
        ContextError: the flow takes no context, or one of another shape.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

        White (2016). Sampling generative networks. https://arxiv.org/abs/1609.04468

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.flows import data_between
        >>> flow = Affine(loc=torch.tensor([5.0, 5.0]), scale=2.0)
        >>> data_between(flow, torch.tensor([7.0, 5.0]), torch.tensor([5.0, 7.0]), [0.0, 0.5, 1.0])
        tensor([[7.0000, 5.0000],
                [6.4142, 6.4142],
                [5.0000, 7.0000]])
    """
    last = context if end_context is None else end_context
    z = flow.inverse(start, context), flow.inverse(end, last)
    path = spherical(*z, weights) if arc else linear(*z, weights)
    if context is None or last is None or end_context is None:
        return flow(path, context)  # type: ignore[no-any-return]
    shape = (*path.shape[1:-1], *(flow.context_shape or ()))
    return flow(path, linear(context.expand(shape), last.expand(shape), weights))  # type: ignore[no-any-return]


def attribute_direction(
    flow: Bijector,
    present: Tensor,
    absent: Tensor,
    present_context: Tensor | None = None,
    absent_context: Tensor | None = None,
) -> Tensor:
    r"""The difference of the mean latents of data with and without an attribute, :math:`\bar z^+ - \bar z^-`.

    Under a flow that is given the class, every datum is encoded under its own class, so that the vector says what the attribute
    is *within* classes.

    Args:
        flow: The bijector, from vectors of latents to data.
        present: Data with the attribute, ``[n, *event]``.
        absent: Data without it, ``[m, *event]``.
        present_context: What the first are given, ``[n, *context_shape]``.
        absent_context: What the others are given, ``[m, *context_shape]``.

    Returns:
        Shape ``[d]``.

    Raises:
        ValueError: there are no data of a kind.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 6.
        https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.flows import attribute_direction
        >>> attribute_direction(Scale(2.0), torch.tensor([[4.0, 1.0], [8.0, 1.0]]), torch.tensor([[2.0, 1.0]]))
        tensor([2., 0.])
    """
    means = []
    for name, x, context in (("present", present, present_context), ("absent", absent, absent_context)):
        latents = flow.inverse(x, context)
        if latents.dim() != 2 or not len(latents):
            raise ValueError(f"`{name}` must hold at least one datum, [n, *event]; got shape {list(x.shape)}.")
        means.append(latents.mean(0))
    return means[0] - means[1]


def moved_along(
    flow: Bijector,
    x: Tensor,
    vector: Tensor,
    strengths: Sequence[float] | Tensor,
    context: Tensor | None = None,
    *,
    rescaled: bool = False,
) -> Tensor:
    r"""Data moved along a vector of latents: :math:`f(f^{-1}(x) + s\, v)`.

    Without rescaling the strength s is undone by -s.

    Args:
        flow: The bijector, from vectors of latents to data.
        x: Data ``[*batch, *event]``.
        vector: The direction and the length of one unit of strength, ``[d]``.
        strengths: K numbers s; negative ones take the attribute away.
        context: What the data are given, ``[*batch, *context_shape]``.
        rescaled: Bring the moved latents to the length :math:`\sqrt d` of typical ones.

    Returns:
        Data ``[K, *batch, *event]``.

    Raises:
        ContextError: the flow takes no context, or one of another shape.
        ValueError: the vector has another shape than a latent.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 6.
        https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> from probgen.flows import moved_along
        >>> moved_along(Scale(2.0), torch.zeros(2), torch.tensor([1.0, 0.0]), [-1.0, 0.5])
        tensor([[-2.,  0.],
                [ 1.,  0.]])
    """
    z = flow.inverse(x, context)
    if vector.shape != z.shape[-1:]:
        raise ValueError(f"`vector` must have shape {list(z.shape[-1:])}, as a latent; got {list(vector.shape)}.")
    moved = [combined_noise([z, vector], [1.0, float(strength)], rescaled=rescaled) for strength in strengths]
    return flow(torch.stack(moved) if moved else z.new_empty(0, *z.shape), context)  # type: ignore[no-any-return]


@overload
def tempered(law: TransformedDistribution, temperature: float) -> TransformedDistribution: ...


@overload
def tempered(law: TransformedLaw, temperature: float) -> TransformedLaw: ...


@overload
def tempered(law: DequantizedLaw, temperature: float) -> DequantizedLaw: ...


def tempered(
    law: TransformedDistribution | TransformedLaw | DequantizedLaw, temperature: float
) -> TransformedDistribution | TransformedLaw | DequantizedLaw:
    r"""The law of :math:`f(T z)`: the base, and with it every split prior, has T times its deviation.

    Its density is exact: the flow is the same bijector behind one more, :math:`z \mapsto T z`, and shares the parameters. It is
    proportional to :math:`p^{1/T^2}` only where the log-determinant of the flow is constant.

    Args:
        law: A distribution, or the module that gives it, with a base that is centered at zero.
        temperature: The factor T; below 1 draws are calmer.

    Returns:
        A law of the same kind, taking the same context.

    Raises:
        TypeError: the law is of another kind.
        ValueError: the temperature is not positive and finite, or the base lives on another set than the real numbers.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 6.
        https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions import TransformedDistribution, standard_normal
        >>> from probgen.distributions.bijectors import Affine
        >>> from probgen.flows import tempered
        >>> law = tempered(TransformedDistribution(standard_normal(), Affine(3.0, 2.0)), 0.5)  # N(3, 1)
        >>> law.log_prob(torch.tensor(3.0))
        tensor(-0.9189)
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"`temperature` must be positive and finite; got {temperature}.")
    if not isinstance(law, TransformedDistribution | TransformedLaw | DequantizedLaw):
        raise TypeError(f"`law` must be made of a base and a bijector; got {type(law).__name__}.")
    if not is_real(law.bijector.domain):
        raise ValueError(f"`law` must have a base on all real numbers to scale; its bijector takes {law.bijector.domain}.")
    flow = Compose(Scale(temperature), law.bijector)
    if isinstance(law, DequantizedLaw):
        return DequantizedLaw(flow, law.levels, noise=law.noise, base=law.base)
    if isinstance(law, TransformedLaw):
        return TransformedLaw(law.base, flow, law.context_shape, allow_estimate=law.allow_estimate)
    return TransformedDistribution(law.base_dist, flow, allow_estimate=law.allow_estimate)


def class_log_posterior(
    law: Callable[[Tensor], Distribution], x: Tensor, contexts: Tensor, *, prior: Tensor | None = None
) -> Tensor:
    r"""Classification by a conditional law: :math:`p(k \mid x) \propto p(x \mid c_k)\, p(k)`.

    All classes should score the same x. A law of integers adds noise of its own in each; give it ``x + u`` and the continuous
    law, ``TransformedLaw(law.base, law.bijector)``, instead.

    Args:
        law: From a context to the law of the data, such as a ``TransformedLaw``.
        x: Data ``[n, *event]``.
        contexts: The contexts of the K classes, ``[K, *context_shape]``; unit vectors, for instance.
        prior: Frequencies of the classes ``[K]``; None for equal ones.

    Returns:
        Normalized log-probabilities ``[n, K]``.

    Raises:
        ValueError: there are no classes, or the prior has another shape or a negative number.

    References:
        Ng, Jordan (2001). On discriminative vs. generative classifiers. https://papers.nips.cc/paper/2020

    Example:
        >>> import torch
        >>> from pyro.distributions import Normal
        >>> from probgen.flows import class_log_posterior
        >>> class_log_posterior(lambda c: Normal(c, 1.0), torch.tensor([0.0, 3.0]), torch.tensor([-1.0, 1.0])).argmax(1)[1]
        tensor(1)
    """
    if not contexts.dim() or not len(contexts):
        raise ValueError(f"`contexts` must hold one context for every class; got shape {list(contexts.shape)}.")
    scores = [law(context).log_prob(x) for context in contexts]
    return log_posterior(torch.stack(scores, -1), prior)
