r"""The geometry that a decoder gives to the space of its latents: the pull-back metric, energy and length of paths.

A step :math:`\mathrm dz` changes the law of the data. How much is measured by

.. math::

    \mathrm ds^2 = \mathrm dz^\top G(z)\, \mathrm dz, \qquad
    G_{\text{Euclid}} = J^\top J, \quad J = \frac{\partial\, \mathbb E[x \mid z]}{\partial z}, \qquad
    G_{\text{Fisher}} = \mathbb E_{p(x \mid z)}\bigl[\nabla_z \log p(x \mid z)\, \nabla_z \log p(x \mid z)^\top\bigr]:

by the distance of the means, or by how well the two laws can be told apart. The second is the Hessian of
:math:`\mathrm{KL}(p_z \,\|\, p_{z'})` at :math:`z' = z`; it depends on neither the units of the data nor the coordinates chosen
for them. A path :math:`z_0, \dots, z_T` on [0, 1] has the discrete energy and length

.. math::

    E = T \sum_t d_t^2, \qquad L = \sum_t d_t \le \sqrt E, \qquad
    d_t^2 = \lVert \mathbb E[x \mid z_{t+1}] - \mathbb E[x \mid z_t] \rVert^2 \quad\text{or}\quad
    \mathrm{KL}(p_{z_t} \| p_{z_{t+1}}) + \mathrm{KL}(p_{z_{t+1}} \| p_{z_t}).

References:
    Arvanitidis, Hansen, Hauberg (2018). Latent space oddity: on the curvature of deep generative models.
    https://arxiv.org/abs/1710.11379
    Arvanitidis, González-Duque, Pouplin, Kalatzis, Hauberg (2022). Pulling back information geometry.
    https://arxiv.org/abs/2106.05367
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.latent import closed_form_divergence

__all__ = ["metric_tensor", "path_energy", "path_length", "squared_steps"]

Decode = Callable[[Tensor], TorchDistribution]
Metric = Literal["euclidean", "fisher"]


def metric_tensor(decode: Decode, z: Tensor, *, metric: Metric = "euclidean") -> Tensor:
    r"""The pull-back metric :math:`G(z)`.

    Its eigenvalues say how fast the data change along directions of the latent; :math:`\sqrt{\det G}` is the area that a unit
    of latent area covers.

    Args:
        decode: From latents ``[*batch, d]`` to the law of the data; evaluated for the whole batch, d + 1 times at most.
        z: Latents ``[*batch, d]``.
        metric: "euclidean" for the means of the data, "fisher" for their laws.

    Returns:
        Symmetric matrices ``[*batch, d, d]``.

    Raises:
        ValueError: there is no such metric, or laws of this kind have no divergence in closed form.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import metric_tensor
        >>> polar = lambda z: dist.Normal(z[..., :1] * torch.stack([z[..., 1].cos(), z[..., 1].sin()], -1), 1.0).to_event(1)
        >>> metric_tensor(polar, torch.tensor([2.0, 0.3])).diagonal()  # dr^2 + r^2 dangle^2
        tensor([1., 4.])
    """
    _require_metric(metric)
    z = z.detach()
    directions = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    if metric == "euclidean":
        columns = [torch.func.jvp(lambda w: decode(w).mean, (z,), (v.expand_as(z),))[1] for v in directions]
        event = columns[0].shape[z.dim() - 1 :]
        jacobian = torch.stack(columns, -1).reshape(*z.shape[:-1], event.numel(), z.shape[-1])
        return (jacobian.mT @ jacobian).detach()

    def gradient(w: Tensor) -> Tensor:
        here = decode(z)  # made anew: laws keep what they compute, which must not leave this transform
        return cast(Tensor, torch.func.grad(lambda v: _known_divergence(here, decode(v)).sum())(w))

    rows = [torch.func.jvp(gradient, (z,), (v.expand_as(z),))[1] for v in directions]
    hessian = torch.stack(rows, -1).detach()
    return (hessian + hessian.mT) / 2


def path_energy(decode: Decode, path: Tensor, *, metric: Metric = "euclidean") -> Tensor:
    r"""The energy :math:`T \sum_t d_t^2` of paths, differentiable.

    Args:
        decode: From latents to the law of the data.
        path: Latents ``[T + 1, *batch, d]``.
        metric: "euclidean" or "fisher".

    Returns:
        Shape ``[*batch]``.

    Raises:
        ValueError: there is no such metric, a path has fewer than two points, or divergences have no closed form.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import path_energy
        >>> path_energy(lambda z: dist.Normal(3 * z, 1.0).to_event(1), torch.tensor([[0.0], [0.5], [1.0]]))
        tensor(9.)
    """
    return (len(path) - 1) * squared_steps(decode, path, metric=metric).sum(0)


def path_length(decode: Decode, path: Tensor, *, metric: Metric = "euclidean") -> Tensor:
    r"""The length :math:`\sum_t d_t` of paths, at most the root of their energy and equal to it at constant speed.

    Args:
        decode: From latents to the law of the data.
        path: Latents ``[T + 1, *batch, d]``.
        metric: "euclidean" or "fisher".

    Returns:
        Shape ``[*batch]``.

    Raises:
        ValueError: there is no such metric, a path has fewer than two points, or divergences have no closed form.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import path_length
        >>> path_length(lambda z: dist.Normal(3 * z, 1.0).to_event(1), torch.tensor([[0.0], [0.9], [1.0]]))
        tensor(3.)
    """
    return squared_steps(decode, path, metric=metric).clamp_min(0.0).sqrt().sum(0)


def squared_steps(decode: Decode, path: Tensor, *, metric: Metric = "euclidean") -> Tensor:
    r"""The squared lengths :math:`d_t^2` of the steps of paths, ``[T, *batch]``.

    Args:
        decode: From latents to the law of the data.
        path: Latents ``[T + 1, *batch, d]``.
        metric: "euclidean" or "fisher".

    Raises:
        ValueError: there is no such metric, a path has fewer than two points, or divergences have no closed form.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space.metrics import squared_steps
        >>> squared_steps(lambda z: dist.Normal(z, 0.5).to_event(1), torch.tensor([[0.0], [1.0]]), metric="fisher")
        tensor([4.])
    """
    _require_metric(metric)
    if len(path) < 2:
        raise ValueError(f"`path` must have at least two points; got {len(path)}.")
    if metric == "euclidean":
        law = decode(path)
        squares = law.mean.diff(dim=0).square()
        return squares.flatten(squares.dim() - len(law.event_shape)).sum(-1) if law.event_shape else squares
    a, b = decode(path[:-1]), decode(path[1:])
    return _known_divergence(a, b) + _known_divergence(b, a)


def _known_divergence(a: TorchDistribution, b: TorchDistribution) -> Tensor:
    divergence = closed_form_divergence(a, b)
    if divergence is None:
        raise ValueError(
            f"the Fisher metric needs a closed-form divergence, and {type(a).__name__} has none; use metric='euclidean'."
        )
    return divergence


def _require_metric(metric: str) -> None:
    if metric not in ("euclidean", "fisher"):
        raise ValueError(f"`metric` must be 'euclidean' or 'fisher'; got {metric!r}.")
