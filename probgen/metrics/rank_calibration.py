r"""Simulation-based calibration: is an algorithm for posteriors right, on average over data of the model itself?

Draw :math:`\theta^*_i \sim p(\theta)` and :math:`y_i \sim p(y \mid \theta^*_i)`, :math:`i = 1, \dots, n`. Given :math:`y_i` the
parameter :math:`\theta^*_i` is itself a draw of the posterior, so among L independent draws :math:`\theta_{il} \sim q(\theta
\mid y_i)` of an exact one the rank of any quantity :math:`g(\theta, y)`,

.. math:: r_i = \sum_{l=1}^L 1\bigl[g(\theta_{il}, y_i) < g(\theta^*_i, y_i)\bigr],

is uniform on :math:`\{0, \dots, L\}`. Posteriors that are too narrow make low and high ranks frequent, too wide ones those in
the middle, shifted ones one side. Coordinates of :math:`\theta` are not enough: the prior itself, taken for the posterior,
passes. A quantity of :math:`\theta` and y, such as the log-likelihood, catches it. With :math:`g = \log q(\theta \mid y)` the
share of ranks from :math:`(1 - c)(L + 1)` on is the expected coverage of the highest-density regions of content c.

References:
    Talts, Betancourt, Simpson, Vehtari, Gelman (2018). Validating Bayesian inference algorithms with simulation-based
    calibration. https://arxiv.org/abs/1804.06788
    Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman, Vehtari (2023). Simulation-based calibration checking for Bayesian
    computation: the choice of test quantities shapes sensitivity. https://arxiv.org/abs/2211.02383
    Hermans, Delaunoy, Rozet, Wehenkel, Begy, Louppe (2022). A trust crisis in simulation-based inference? Your posterior
    approximations can be unfaithful. https://arxiv.org/abs/2110.06581
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from probgen.metrics._rank_uniformity import ecdf_points, rank_band, rank_p_value
from probgen.metrics.likelihood import MeanError, mean_and_error

__all__ = ["RankCalibration", "simulation_based_calibration"]


@dataclass(frozen=True, repr=False)
class RankCalibration:
    """What simulation-based calibration found; prints as one line.

    Attributes:
        ranks: Of the true quantities among the draws: whole numbers between 0 and ``num_draws``, ``[n, quantities]``.
        num_draws: L.
        p_values: Of the uniformity of each quantity's ranks, exact for independent simulations and draws.

    Example:
        >>> import torch
        >>> from probgen.metrics import RankCalibration
        >>> RankCalibration(torch.arange(100)[:, None], 99, (1.0,))
        100 simulations, 99 draws, 1 quantities: least p-value 1 (quantity 0), 1 in all
    """

    ranks: Tensor
    num_draws: int
    p_values: tuple[float, ...]

    @property
    def p_value(self) -> float:
        """An upper bound of the p-value of all quantities together: the least one, times their number."""
        return min(1.0, len(self.p_values) * min(self.p_values))

    def coverage(self, content: float, region: Literal["central", "upper"] = "central") -> tuple[MeanError, ...]:
        """In which share of the simulations the truth lies in a region of the draws; for an exact posterior ``content``.

        Args:
            content: The probability of the region, between 0 and 1.
            region: "central": between two equal tails of the quantity; "upper": its largest values, for log-densities those
                of highest density.

        Returns:
            The share with its standard error, for each quantity.

        Raises:
            ValueError: ``content`` is not between 0 and 1, or ``region`` is something else.
        """
        if not 0 < content < 1 or region not in ("central", "upper"):
            raise ValueError(
                f"`content` must be between 0 and 1 and `region` 'central' or 'upper'; got {content} and {region!r}."
            )
        middle = (self.ranks.double() + 0.5) / (self.num_draws + 1)
        inside = (middle - 0.5).abs() <= content / 2 if region == "central" else middle >= 1 - content
        return tuple(mean_and_error(column.double()) for column in inside.T)

    def ecdf(self, level: float = 0.95) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The empirical distribution functions of the ranks, with a band that holds one for uniform ranks entirely.

        Args:
            level: The chance of that, for each quantity.

        Returns:
            Points in (0, 1) ``[k]``, values there ``[k, quantities]``, and the lower and upper ends of the band ``[k]``.
        """
        points = ecdf_points(self.num_draws)
        values = (self.ranks.cpu()[:, None] < points[:, None]).double().mean(0)
        return points.double() / (self.num_draws + 1), values, *rank_band(len(self.ranks), self.num_draws, level)

    def __repr__(self) -> str:
        least = min(range(len(self.p_values)), key=self.p_values.__getitem__)
        return (
            f"{len(self.ranks)} simulations, {self.num_draws} draws, {len(self.p_values)} quantities: "
            f"least p-value {self.p_values[least]:.2g} (quantity {least}), {self.p_value:.2g} in all"
        )


def simulation_based_calibration(
    parameters: Tensor,
    data: Tensor,
    posterior: Callable[[Tensor], Tensor],
    *,
    quantities: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> RankCalibration:
    r"""Rank parameters of simulations among draws of the posteriors that an algorithm finds for the simulated data.

    Args:
        parameters: Draws of the prior, ``[n, parameters]``.
        data: What the model made of them, ``[n, *data]``.
        posterior: The algorithm: from data ``[n, *data]`` to independent draws ``[L, n, parameters]``. Draws of a Markov chain
            must be thinned first.
        quantities: From parameters ``[*, n, parameters]`` and data ``[n, *data]`` to what is ranked, ``[*, n, quantities]``; by
            default the parameters.
        seed: Of the coins that rank equal values.

    Returns:
        The ranks, and how likely uniform ranks would stray as far.

    Raises:
        ValueError: the shapes do not fit, or a value is NaN.

    References:
        Talts, Betancourt, Simpson, Vehtari, Gelman (2018). Validating Bayesian inference algorithms with simulation-based
        calibration. https://arxiv.org/abs/1804.06788

    Example:
        One datum, y = theta + noise, both standard normal: the posterior is N(y/2, 1/2), and half its variance is too little.

        >>> import torch
        >>> from probgen.metrics import simulation_based_calibration
        >>> _ = torch.manual_seed(0)
        >>> theta = torch.randn(500, 1)
        >>> y = theta + torch.randn(500, 1)
        >>> exact = simulation_based_calibration(theta, y, lambda y: y / 2 + 0.5**0.5 * torch.randn(99, 500, 1))
        >>> narrow = simulation_based_calibration(theta, y, lambda y: y / 2 + 0.5 * torch.randn(99, 500, 1))
        >>> exact.p_value > 0.01, narrow.p_value < 1e-6
        (True, True)
    """
    if parameters.dim() != 2 or len(parameters) < 2 or len(data) != len(parameters):
        raise ValueError(
            "`parameters` must be [n, parameters] with n of 2 or more, and `data` [n, *data]; "
            f"got {tuple(parameters.shape)} and {tuple(data.shape)}."
        )
    with torch.no_grad():
        draws = posterior(data)
        if draws.dim() != 3 or draws.shape[1:] != parameters.shape or len(draws) < 1:
            raise ValueError(
                f"`posterior` must give draws [L, {', '.join(map(str, parameters.shape))}]; got {tuple(draws.shape)}."
            )
        truth = parameters if quantities is None else quantities(parameters, data)
        drawn = draws if quantities is None else quantities(draws, data)
    if truth.dim() != 2 or drawn.shape != (len(draws), *truth.shape):
        raise ValueError(
            "`quantities` must keep the leading dimensions and end in one dimension; "
            f"got {tuple(truth.shape)} for the parameters and {tuple(drawn.shape)} for the draws."
        )
    if bool(truth.isnan().any()) or bool(drawn.isnan().any()):
        raise ValueError("parameters, draws and quantities must not be NaN.")
    ranks = _ranks(truth, drawn, seed)
    return RankCalibration(ranks, len(draws), tuple(rank_p_value(column, len(draws)) for column in ranks.T))


def _ranks(truth: Tensor, drawn: Tensor, seed: int) -> Tensor:
    """How many draws are less than the truth; among equal ones its place is drawn."""
    less, equal = (drawn < truth).sum(0), (drawn == truth).sum(0)
    coin = torch.rand(truth.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(truth.device)
    return less + (coin * (equal + 1)).long()
