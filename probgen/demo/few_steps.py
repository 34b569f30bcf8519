r"""How good are samples after few steps? The Fréchet distance of named features, against the floor of real images.

Every sampler starts from the same noise and the same labels, and its samples are judged by the same reference, so two numbers
differ by the sampler (and, where it adds noise, by that). The floor is what as many held-out real images get.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.diffusion import Diffusion
from probgen.diffusion.samplers import Sampler
from probgen.metrics import FeatureExtractor, FrechetReport, frechet_report

__all__ = ["SAMPLERS", "Judge", "SampleQuality", "measure", "noise_table", "solver_table"]

Table = tuple[list[str], list[list[str]]]


def _heun(diffusion: Diffusion, evaluations: int) -> Sampler:
    return diffusion.heun(max(3, (evaluations + 1) // 2))


SAMPLERS: dict[str, Callable[[Diffusion, int], Sampler]] = {
    "DDIM (Euler)": lambda d, n: d.ddim(n),
    "DPM-Solver++ 2M": lambda d, n: d.dpm_solver(n),
    "UniPC": lambda d, n: d.uni_pc(n),
    "Heun": _heun,
    "ancestral": lambda d, n: d.ancestral(n),
}
"""Name to sampler, given a model and the number of evaluations that it may spend; Heun takes one less where that is even."""


@dataclass(frozen=True)
class Judge:
    """What samples are compared with, and how.

    Attributes:
        train: Real examples ``[n, *event]``, the reference.
        test: Held-out real examples, for the floor.
        extractor: The features.
        finish: From a sampler's output to an example, for instance rounding to gray values.

    Example:
        >>> import torch
        >>> from probgen.demo import Judge
        >>> from probgen.metrics import PixelFeatures
        >>> judge = Judge(torch.randn(500, 2), torch.randn(100, 2), PixelFeatures((2,)))
        >>> judge(torch.randn(100, 2)).num_examples
        100
    """

    train: Tensor
    test: Tensor
    extractor: FeatureExtractor
    finish: Callable[[Tensor], Tensor] = torch.Tensor.contiguous

    def __call__(self, x: Tensor) -> FrechetReport:
        """The distance of samples ``[n, *event]`` from the reference, with the floor."""
        return frechet_report(self.finish(x), self.train, self.test, self.extractor)


class SampleQuality(NamedTuple):
    """What one sampler made.

    Attributes:
        sampler: Its description.
        evaluations: Of the network, for one sample.
        report: The Fréchet distance.
        seconds: For all samples.

    Example:
        >>> from probgen.demo import SampleQuality
        >>> SampleQuality._fields
        ('sampler', 'evaluations', 'report', 'seconds')
    """

    sampler: str
    evaluations: int
    report: FrechetReport
    seconds: float

    def __str__(self) -> str:
        distance = self.report.distance
        return f"{distance.mean:.3f} ± {distance.error:.3f}"


def measure(
    sampler: Sampler, noise: Tensor, context: Tensor | None, judge: Judge, *, rows: int = 512, seed: int = 0
) -> SampleQuality:
    """Draw with one sampler and judge the draws.

    Args:
        sampler: The sampler.
        noise: Where it starts, ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        judge: The reference.
        rows: How many samples are drawn at once.
        seed: Of the noise that the sampler adds.

    Example:
        >>> import torch
        >>> from probgen.demo import Judge, measure
        >>> from probgen.diffusion.samplers import ddim
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> from probgen.metrics import PixelFeatures
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> real = oracle.data.sample((1000,))
        >>> found = measure(ddim(oracle, TimeGrid(20)), torch.randn(200, 2), None, Judge(real, real[:200], PixelFeatures((2,))))
        >>> found.evaluations, found.report.num_examples
        (20, 200)
    """
    generator = torch.Generator().manual_seed(seed)
    begin = time.perf_counter()
    parts = [
        sampler(noise[part], None if context is None else context[part], generator=generator)
        for part in torch.arange(len(noise)).split(rows)
    ]
    seconds = time.perf_counter() - begin
    return SampleQuality(repr(sampler), sampler.evaluations, judge(torch.cat(parts)), seconds)


def noise_table(
    diffusion: Diffusion,
    noise: Tensor,
    context: Tensor | None,
    judge: Judge,
    *,
    steps: Sequence[int] = (5, 10, 20, 50, 100),
    etas: Sequence[float] = (0.0, 0.2, 0.5, 1.0),
    larger_variance: bool = True,
) -> Table:
    r"""The table of the DDIM paper: steps against the strength of the noise, with :math:`\hat\sigma` last.

    Args:
        diffusion: The model.
        noise: Where all samplers start, ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        judge: The reference.
        steps: Numbers of steps, no more than those of the model's grid.
        etas: Strengths of the noise.
        larger_variance: Whether the last row is that of the larger variance.

    Returns:
        Header and rows; a row for each strength.

    References:
        Song, Meng, Ermon (2021). Denoising diffusion implicit models, Table 1. https://arxiv.org/abs/2010.02502

    Example:
        >>> from probgen.demo import noise_table
        >>> noise_table(None, None, None, None, steps=(), etas=(0.0, 1.0))[1]
        [['0'], ['1'], ['1, larger variance']]
    """
    kinds = [(f"{eta:g}", eta, False) for eta in etas] + [("1, larger variance", 1.0, True)] * larger_variance
    rows = []
    for name, eta, large in kinds:
        found = [measure(diffusion.ddim(count, eta, fixed_large=large), noise, context, judge) for count in steps]
        rows.append([name, *map(str, found)])
    return ["eta", *(f"{count} steps" for count in steps)], rows


def solver_table(
    diffusion: Diffusion,
    noise: Tensor,
    context: Tensor | None,
    judge: Judge,
    *,
    evaluations: Sequence[int] = (5, 10, 20, 50),
    samplers: Sequence[str] = tuple(SAMPLERS),
) -> Table:
    """Samplers against each other at equal numbers of evaluations of the network.

    Args:
        diffusion: The model.
        noise: Where all samplers start, ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        judge: The reference.
        evaluations: How many each may spend.
        samplers: Keys of ``SAMPLERS``.

    Returns:
        Header and rows; a row for each sampler.

    Example:
        >>> from probgen.demo import solver_table
        >>> solver_table(None, None, None, None, evaluations=(), samplers=("UniPC",))
        (['sampler'], [['UniPC']])
    """
    rows = []
    for name in samplers:
        found = [measure(SAMPLERS[name](diffusion, count), noise, context, judge) for count in evaluations]
        rows.append([name, *map(str, found)])
    return ["sampler", *(f"{count} evaluations" for count in evaluations)], rows
