r"""Geodesics under a decoder's metric: the shortest way between two latents as the data see it.

A geodesic minimizes the energy of ``probgen.vae.latent_space.metrics`` among the paths with given ends. The discrete path is
the segment plus all sine waves that vanish at the ends,

.. math:: z_t = (1 - \tau_t)\, a + \tau_t\, b + \sum_{k=1}^{T-1} \frac{c_k}{k} \sin(k \pi \tau_t), \qquad \tau_t = t / T,

which is a change of coordinates of its T - 1 free points. Under a flat metric the energy is nearly a sum of squares in c, since
waves are orthogonal and the energy of :math:`\sin k\pi\tau` grows as :math:`k^2`; so the quasi-Newton search starts well
conditioned, however fine the path.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions.numerics.interpolation import linear
from probgen.vae.latent_space.metrics import Decode, Metric, path_energy, path_length

__all__ = ["Geodesic", "geodesic"]


class Geodesic(NamedTuple):
    """A path of least energy, and what the search has gained.

    Attributes:
        points: Latents ``[T + 1, *batch, d]``; the ends are exact.
        length: Of the path under the metric, ``[*batch]``.
        straight_length: Of the segment between the ends, ``[*batch]``.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import geodesic
        >>> found = geodesic(lambda z: dist.Normal(2 * z, 1.0).to_event(1), torch.zeros(3), torch.ones(3))
        >>> (found.length - found.straight_length).abs() < 1e-5  # of a linear decoder, geodesics are segments
        tensor(True)
    """

    points: Tensor
    length: Tensor
    straight_length: Tensor


def geodesic(
    decode: Decode,
    start: Tensor,
    end: Tensor,
    *,
    steps: int = 16,
    metric: Metric = "euclidean",
    iterations: int = 100,
    guess: Tensor | None = None,
) -> Geodesic:
    """A path of least energy between latents, by L-BFGS; a local minimum where the way is not unique.

    Args:
        decode: From latents to the law of the data, such as ``vae.decode``; put the model in evaluation mode.
        start: Latents ``[*batch, d]``.
        end: Latents ``[*batch, d]``.
        steps: Number T of steps of the path.
        metric: "euclidean" for the means of the data, "fisher" for their laws.
        iterations: At most so many of the search.
        guess: A path ``[T + 1, *batch, d]`` to begin with instead of the segment; its ends do not count.

    Returns:
        The path, without gradients, with its length and that of the segment.

    Raises:
        ValueError: the ends differ in shape, ``guess`` has another one, or ``steps`` is not at least 2.

    References:
        Arvanitidis, Hansen, Hauberg (2018). Latent space oddity: on the curvature of deep generative models.
        https://arxiv.org/abs/1710.11379
        Shao, Kumar, Fletcher (2018). The Riemannian geometry of deep generative models. https://arxiv.org/abs/1711.08014

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.vae.latent_space import geodesic
        >>> polar = lambda z: dist.Normal(z[..., :1] * torch.stack([z[..., 1].cos(), z[..., 1].sin()], -1), 1.0).to_event(1)
        >>> a, b = torch.tensor([1.0, 0.0]).double(), torch.tensor([1.0, torch.pi / 2]).double()
        >>> found = geodesic(polar, a, b)  # in the plane a segment of length sqrt 2, in polar coordinates a curve
        >>> round(found.length.item(), 4), round(found.straight_length.item(), 4), round(found.points[8, 0].item(), 3)
        (1.4142, 1.5702, 0.707)
    """
    if start.shape != end.shape or start.dim() < 1:
        raise ValueError(f"`start` and `end` must be latents of one shape [*batch, d]; got {start.shape} and {end.shape}.")
    if steps < 2:
        raise ValueError(f"`steps` must be at least 2; got {steps}.")
    start, end = start.detach(), end.detach()
    times = torch.arange(steps + 1, dtype=torch.float64) / steps
    segment = linear(start, end, times)
    waves = _waves(times).to(start)
    coefficients = _fitted(waves, segment, guess).contiguous().requires_grad_()

    def path() -> Tensor:
        bent: Tensor = torch.tensordot(waves, coefficients, dims=1)
        return segment + bent

    with torch.enable_grad():
        if coefficients.numel():  # L-BFGS looks for the largest of its gradients
            _minimize(lambda: path_energy(decode, path(), metric=metric).sum(), coefficients, iterations)
    with torch.no_grad():
        points = path()
        lengths = (path_length(decode, p, metric=metric) for p in (points, segment))
        return Geodesic(points, *lengths)


def _waves(times: Tensor) -> Tensor:
    r"""The waves :math:`\sin(k \pi \tau_t) / k` that vanish at both ends, ``[T + 1, T - 1]``, in float64."""
    k = torch.arange(1, len(times) - 1, dtype=times.dtype)
    waves = torch.sin(math.pi * k * times[:, None]) / k
    waves[0], waves[-1] = 0.0, 0.0
    return waves


def _fitted(waves: Tensor, segment: Tensor, guess: Tensor | None) -> Tensor:
    """The coefficients of a guess, or zeros for the segment."""
    if guess is None:
        return torch.zeros((waves.shape[1], *segment.shape[1:]), dtype=segment.dtype, device=segment.device)
    if guess.shape != segment.shape:
        raise ValueError(f"`guess` must have shape {tuple(segment.shape)}; got {tuple(guess.shape)}.")
    inner = (guess.detach() - segment)[1:-1]
    solution: Tensor = torch.linalg.solve(waves[1:-1], inner.flatten(1))
    return solution.reshape(inner.shape)


def _minimize(energy: Callable[[], Tensor], coefficients: Tensor, iterations: int) -> None:
    search = torch.optim.LBFGS(
        [coefficients], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=1e-9, tolerance_change=1e-12,
    )  # fmt: skip

    def closure() -> Tensor:
        search.zero_grad()
        value = energy()
        (gradient,) = torch.autograd.grad(value, coefficients)
        coefficients.grad = gradient.contiguous()
        return value

    search.step(closure)
