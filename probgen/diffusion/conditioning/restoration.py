r"""The test-bed of conditioning, and the table of what every method makes of it.

Data are :math:`\mathcal N(0, S)` in the plane with unit variances and correlation 0.9; observed is :math:`x_1 = 1`, without
noise. Then

.. math:: x_2 \mid y \sim \mathcal N(0.9,\; 0.436^2), \qquad \log p(y) = \log \mathcal N(1; 0, 1) = -1.4189 .

The chain lives in the principal axes of S, where its exact denoiser is diagonal and fast; the observation is then a general
matrix, and every method commutes with the rotation because the noise does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.diffusion.conditioning.conditional import Conditional
from probgen.diffusion.conditioning.conditions import condition
from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.diffusion.conditioning.matrix_operator import MatrixOperator
from probgen.diffusion.conditioning.repaint import jump_times
from probgen.diffusion.conditioning.twisted import TwistedMonteCarlo
from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule

__all__ = ["RestorationRow", "restoration_table", "restoration_test_bed"]


@dataclass(frozen=True)
class RestorationRow:
    """What one method makes of the test-bed.

    Attributes:
        method: Its name, with what differs from its defaults.
        observed: Mean of the coordinate that was seen to be 1.
        mean: Mean of the other; exact 0.900.
        std: Its standard deviation; exact 0.436.
        bias: The method's label.

    Example:
        >>> from probgen.diffusion.conditioning import RestorationRow
        >>> print(RestorationRow("replacement", 1.0, 0.63, 0.54, "biased: ..."))
        replacement                1.000    0.630    0.540   biased
    """

    method: str
    observed: float
    mean: float
    std: float
    bias: str

    def __str__(self) -> str:
        return f"{self.method:24s} {self.observed:7.3f}  {self.mean:7.3f}  {self.std:7.3f}   {self.bias.split(':')[0]}"


def restoration_test_bed(steps: int = 250) -> tuple[GaussianChain, LinearObservation, Tensor]:
    """The chain, the observation, and the matrix ``[2, 2]`` from the chain's coordinates to :math:`(x_1, x_2)`, all float64.

    Args:
        steps: Steps of the chain, equal in time, on the cosine schedule.

    Example:
        >>> from probgen.diffusion.conditioning import condition, restoration_test_bed
        >>> chain, seen, axes = restoration_test_bed()
        >>> exact = condition(chain, seen, method="exact")
        >>> (axes @ exact.mean).round(decimals=6).tolist(), exact.log_evidence()
        ([1.0, 0.9], Estimate(= -1.4189 nats))
    """
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    variances, axes = torch.linalg.eigh(covariance)
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2, dtype=torch.float64), variances)
    observation = LinearObservation(torch.ones(1, dtype=torch.float64), MatrixOperator(axes[:1]))
    return GaussianChain(oracle, TimeGrid(steps)), observation, axes


def restoration_table(samples: int = 4000, seed: int = 0) -> list[RestorationRow]:
    """Run every method on the test-bed.

    Args:
        samples: Draws of each method, and particles of "smc"; the standard error of a mean is about 0.5 / sqrt(samples).
        seed: Torch's seed for every method; the global random state is left alone.

    Example:
        >>> from probgen.diffusion.conditioning import restoration_table
        >>> rows = {row.method: row for row in restoration_table(500)}
        >>> rows["replacement"].mean < rows["repaint, 3 repeats"].mean < rows["exact"].mean
        True
    """
    chain, seen, axes = restoration_test_bed()
    three = jump_times(chain.grid, repeats=3)
    laws: dict[str, Callable[[], Conditional]] = {
        "exact": lambda: condition(chain, seen, method="exact"),
        "smc": lambda: condition(chain, seen, method="smc", particles=samples),
        "moment matching": lambda: condition(chain, seen, method="moment matching"),
        "  deterministic": lambda: condition(chain, seen, method="moment matching", eta=0.0),
        "  isotropic": lambda: condition(chain, seen, method="moment matching", covariance="isotropic"),
        "null space": lambda: condition(chain, seen, method="null space"),
        "replacement": lambda: condition(chain, seen, method="replacement"),
        "repaint, 3 repeats": lambda: condition(chain, seen, method="repaint", times=three),
        "repaint, 10 repeats": lambda: condition(chain, seen, method="repaint"),
        "posterior sampling": lambda: condition(chain, seen, method="posterior sampling"),
        "  strength 0.1": lambda: condition(chain, seen, method="posterior sampling", strength=0.1),
    }
    rows = []
    with torch.random.fork_rng(devices=[]):
        for name, law in laws.items():
            torch.manual_seed(seed)
            rows.append(_row(name, law(), axes, samples))
    return rows


def _row(name: str, law: Conditional, axes: Tensor, samples: int) -> RestorationRow:
    if isinstance(law, TwistedMonteCarlo):  # the weighted particles: no resampling noise on top
        particles = law.run()
        x = particles.x @ axes.mT
        mean = particles.expectation(x)
        std = particles.expectation((x - mean).square()).sqrt()
    else:
        x = law.sample((samples,)) @ axes.mT
        mean, std = x.mean(0), x.std(0)
    return RestorationRow(name, float(mean[0]), float(mean[1]), float(std[1]), law.bias)
