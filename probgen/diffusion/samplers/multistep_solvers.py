r"""Multistep methods on the probability flow: higher order from the means of earlier steps, one evaluation a step.

In :math:`\ell = \tfrac12 \lambda = \log(\alpha / \sigma)` the probability flow has the exact solution

.. math:: x_s = \frac{\sigma_s}{\sigma_t}\, x_t + \sigma_s \int_{\ell_t}^{\ell_s} e^{\ell}\, \hat x_0(\ell)\, \mathrm d\ell .

A method replaces :math:`\hat x_0(\ell)` by a polynomial through known means; one mean gives DDIM. UniPC's predictor goes
through the last p means, its corrector through these and the new one, which is then reused by the next predictor. Solved
exactly, the order conditions leave nothing of the functions B(h) of that paper, and its corrected states need not be formed:
predictor and corrector together are one linear step in the predicted states,

.. math:: x^{p}_{i+1} = a_i\, x^p_i + \sum_{j=0}^{p} (a_i c_{ij} + p_{ij})\, \hat x_0^{(i - j)} .

Steps from :math:`\ell = -\infty` and to :math:`\ell = \infty` are of first order; these are the exact limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from probgen.diffusion.samplers.levels import Levels, mean_coefficients_of, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep
from probgen.distributions.chains import Denoiser, TimeGrid

__all__ = ["dpm_solver", "exponential_weights", "uni_pc"]

WeightsOf = Callable[[list[float], list[float], list[float], int], list[list[float]]]
"""From half log-SNRs, alphas at the ends of steps, their scales, and the order to the weights of means in every step."""


def dpm_solver(denoiser: Denoiser, grid: TimeGrid, *, order: int = 2) -> Sampler:
    r"""DPM-Solver++: of order 1 DDIM, of order 2 the multistep method "2M".

    With :math:`h = \ell_s - \ell_t` and :math:`r = h_{\mathrm{previous}} / h` order 2 steps with
    :math:`(1 + \tfrac1{2r})\, \hat x_0 - \tfrac1{2r}\, \hat x_0^{\mathrm{previous}}` for the mean.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit; equal steps in log-SNR suit it, equal steps in time do not.
        order: 1 or 2.

    Raises:
        ValueError: the order is neither.

    References:
        Lu, Zhou, Bao, Chen, Li, Zhu (2022). DPM-Solver++. https://arxiv.org/abs/2211.01095

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim, dpm_solver
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle, x = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25)), torch.ones(1, 2)
        >>> torch.equal(dpm_solver(oracle, TimeGrid(5), order=1)(x), ddim(oracle, TimeGrid(5))(x))
        True
    """
    if order not in (1, 2):
        raise ValueError(f"`order` must be 1 or 2; got {order}.")
    return Sampler(f"dpm_solver(order={order})", denoiser, grid, partial(_multistep, weights_of=_dpm_weights, order=order))


def uni_pc(denoiser: Denoiser, grid: TimeGrid, *, order: int = 2) -> Sampler:
    r"""UniPC: a predictor of order p and a corrector of order p + 1, with one evaluation a step.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit; equal steps in log-SNR suit it.
        order: The order p of the predictor, 1, 2 or 3.

    Raises:
        ValueError: the order is none of these.

    References:
        Zhao, Bai, Rao, Zhou, Lu (2023). UniPC: a unified predictor-corrector framework for fast sampling of diffusion models.
        https://arxiv.org/abs/2302.04867

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import uni_pc
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> sampler = uni_pc(oracle, TimeGrid.log_snr(oracle.schedule, 20))
        >>> sampler.evaluations, round(float(sampler(torch.ones(2))[0]), 2)  # the flow takes 1 to 0.5
        (20, 0.5)
    """
    if order not in (1, 2, 3):
        raise ValueError(f"`order` must be 1, 2 or 3; got {order}.")
    return Sampler(f"uni_pc(order={order})", denoiser, grid, partial(_multistep, weights_of=_uni_pc_weights, order=order))


def exponential_weights(nodes: Sequence[float], start: float) -> list[float]:
    r"""Weights :math:`w_j` with :math:`\sum_j w_j f(u_j) = \int_{-h}^0 e^u f(u)\, \mathrm du` for polynomials.

    Args:
        nodes: Distinct places :math:`u_j`, relative to the end of the step.
        start: The beginning :math:`-h` of the step.

    Example:
        >>> import math
        >>> from probgen.diffusion.samplers.multistep_solvers import exponential_weights
        >>> weights = exponential_weights([-1.0, -2.0], start=-1.0)
        >>> abs(sum(weights) - (1 - math.exp(-1.0))) < 1e-14
        True
    """
    points, quadrature = np.polynomial.legendre.leggauss(32)
    u = (points - 1) * (-start / 2)
    density = quadrature * (-start / 2) * np.exp(u)
    weights = []
    for index, node in enumerate(nodes):
        others = [other for place, other in enumerate(nodes) if place != index]
        basis = np.prod([(u - other) / (node - other) for other in others], axis=0) if others else np.ones_like(u)
        weights.append(float((density * basis).sum()))
    return weights


def _multistep(denoiser: Denoiser, grid: TimeGrid, *, weights_of: WeightsOf, order: int) -> list[LinearStep]:
    levels = Levels.of(denoiser, grid)
    halves = [*(levels.t.log_snr / 2).tolist(), float(levels.s.log_snr[-1]) / 2]
    scale = (levels.s.sigma / levels.t.sigma).tolist()
    weights = weights_of(halves, levels.s.alpha.tolist(), scale, order)
    rows = zip(separate(denoiser, levels.t), scale, weights, *mean_coefficients_of(denoiser, levels.t), strict=True)
    needs = [len(weight) - 1 for weight in weights] + [0]
    steps = []
    for index, (level, a, b, skip, out) in enumerate(rows):
        keeps = max((need - ahead for ahead, need in enumerate(needs[index + 1 :])), default=0)
        steps.append(LinearStep(level, a, tuple(b), 0.0, skip, out, max(keeps, 0)))
    return steps


def _dpm_weights(halves: list[float], alpha: list[float], scale: list[float], order: int) -> list[list[float]]:
    weights = []
    for index, alpha_s in enumerate(alpha):
        length = halves[index + 1] - halves[index]
        total = -alpha_s * math.expm1(-length)
        previous = halves[index] - halves[index - 1] if index else math.inf
        tilt = length / (2 * previous) if order == 2 and math.isfinite(length) and math.isfinite(previous) else 0.0
        weights.append([total * (1 + tilt), -total * tilt] if tilt else [total])
    return weights


def _uni_pc_weights(halves: list[float], alpha: list[float], scale: list[float], order: int) -> list[list[float]]:
    predicted = [_exponential(halves, alpha, index, order, corrected=False) for index in range(len(alpha))]
    weights = [predicted[0]]
    for index in range(1, len(alpha)):
        corrected = _exponential(halves, alpha, index - 1, order, corrected=True)
        before = [0.0, *predicted[index - 1]] if corrected else []
        change = [scale[index] * (c - p) for c, p in zip(corrected, before, strict=True)]
        weights.append(_added(change, predicted[index]))
    return weights


def _exponential(halves: list[float], alpha: list[float], index: int, order: int, *, corrected: bool) -> list[float]:
    """The weights of the predictor of a step, or of its corrector: those of the new mean first, then backwards in time."""
    start, end = halves[index], halves[index + 1]
    if not (math.isfinite(start) and math.isfinite(end)):
        return [] if corrected else [-alpha[index] * math.expm1(start - end)]
    behind = [half for half in halves[max(index + 1 - order, 0) : index + 1] if math.isfinite(half)][::-1]
    nodes = [half - end for half in ([end, *behind] if corrected else behind)]
    return [alpha[index] * weight for weight in exponential_weights(nodes, start - end)]


def _added(first: list[float], second: list[float]) -> list[float]:
    length = max(len(first), len(second))
    total = [a + b for a, b in zip(_padded(first, length), _padded(second, length), strict=True)]
    while len(total) > 1 and total[-1] == 0.0:
        total.pop()
    return total


def _padded(values: list[float], length: int) -> list[float]:
    return values + [0.0] * (length - len(values))
