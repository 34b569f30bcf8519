r"""The report of a diffusion model: bits per dimension term by term, and the rate–distortion curve of progressive decoding.

Sending :math:`x_N, x_{N-1}, \dots` one after the other costs at least the terms of the bound. When :math:`x_i` has arrived,
the rate is :math:`L_N + \sum_{j > i} L_{j-1}` and the receiver's best guess is :math:`\hat x_0(x_i)`; its root mean squared
error is the distortion. :math:`L_0` then pays for the last, imperceptible digits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.report_terms import BoundTerms, bound_terms
from probgen.distributions._seeding import random_stream
from probgen.distributions.quantization import Quantization
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["BitsReport", "bits_report"]


@dataclass(frozen=True)
class BitsReport:
    r"""The bound of a diffusion model on some data, in bits per dimension; ``str`` gives tables as in Ho et al. (2020).

    Attributes:
        num_data: How many data.
        num_dims: Coordinates of one datum.
        terms: Means of :math:`L_0, \dots, L_N` over the data, shape ``[N + 1]``, in bits per dimension.
        stderr: Standard errors of these means, the spread of data and noise.
        total: The bound: their sum.
        total_stderr: Its standard error, from the totals of the data.
        times: The times 1 .. N of the grid, shape ``[N]``.
        rate: Bits per dimension spent when the state at each time has arrived, shape ``[N]``.
        distortion: Root mean squared error of the data's estimate from that state, in ``distortion_unit``, shape ``[N]``.
        x0_error: Mean squared error of :math:`\hat x_0` at each time, in the units of the data, shape ``[N]``.
        eps_error: Mean squared error of :math:`\hat\varepsilon` at each time, shape ``[N]``.
        distortion_unit: "levels" where the data are quantized, else "data units".
        meaning: What the bits count.
        seconds: How long it took.
        evaluations: Evaluations of the network for each datum.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = pg.diffusion.linear_schedule()
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(2), torch.tensor(1 / 16))
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(2,))
        >>> report = d.bits_report(oracle.data.sample((16,)))
        >>> print(str(report).splitlines()[0])
        16 data of 2 dimensions, 1000 steps
    """

    num_data: int
    num_dims: int
    terms: Tensor
    stderr: Tensor
    total: float
    total_stderr: float
    times: Tensor
    rate: Tensor
    distortion: Tensor
    x0_error: Tensor
    eps_error: Tensor
    distortion_unit: str
    meaning: str
    seconds: float
    evaluations: int

    @property
    def prior_bits(self) -> float:
        """:math:`L_N`: what the last state still knows of the data."""
        return float(self.terms[-1])

    @property
    def step_bits(self) -> float:
        r""":math:`L_1 + \dots + L_{N-1}`."""
        return float(self.terms[1:-1].sum())

    @property
    def decoder_bits(self) -> float:
        """:math:`L_0`."""
        return float(self.terms[0])

    def __str__(self) -> str:
        count = len(self.times)
        lines = [
            f"{self.num_data} data of {self.num_dims} dimensions, {count} steps",
            f"L_T             {self.prior_bits:10.5f}",
            f"L_1 .. L_{{T-1}}  {self.step_bits:10.5f}",
            f"L_0             {self.decoder_bits:10.5f}",
            f"total        <= {self.total:10.5f} ± {self.total_stderr:.5f} bits/dim ({self.meaning})",
            "",
            f"reverse step    rate (bits/dim)    distortion (RMSE, {self.distortion_unit})    x_0 MSE    eps MSE",
        ]
        for row in _rows(count):
            lines.append(
                f"{count - row:12d}    {float(self.rate[row]):15.5f}    {float(self.distortion[row]):15.5f}"
                f"    {float(self.x0_error[row]):10.5f}    {float(self.eps_error[row]):8.5f}"
            )
        lines += ["", f"{self.evaluations} network evaluations a datum, {self.seconds:.1f} s"]
        return "\n".join(lines)


def bits_report(
    diffusion: Diffusion,
    x: Tensor,
    context: Tensor | None = None,
    *,
    quantization: Quantization | None = None,
    num_draws: int = 1,
    rows: int = 4096,
    seed: int = 0,
) -> BitsReport:
    r"""Measure the bound term by term.

    Args:
        diffusion: The model; it is put into evaluation mode and back.
        x: Data ``[n, *event]``, at least two.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        quantization: The levels behind the data. With a discretized decoder (whose own are used by default) the bits are a
            codelength as they are; with a continuous one the data must be dequantized, and :math:`-\log_2 w` is added.
        num_draws: Draws of the noise for each datum and step.
        rows: How many noisy states the network sees at once.
        seed: Of the noise; the global random state is left alone.

    Raises:
        ValueError: fewer than two data.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, section 4.3. https://arxiv.org/abs/2006.11239

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion import bits_report
        >>> d = pg.diffusion.Diffusion(
        ...     pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=10
        ... )
        >>> bits_report(d, torch.randn(4, 2)).evaluations
        10
    """
    if len(x) < 2:
        raise ValueError(f"`x` must hold at least two data; got {len(x)}.")
    own = getattr(diffusion.decoder, "quantization", None)
    levels = own if quantization is None else quantization
    offset = 0.0 if own is not None or levels is None else levels.density_bits
    start = time.perf_counter()
    with random_stream(seed, x.device), evaluating(diffusion):
        table = bound_terms(diffusion, x, context, num_draws=num_draws, rows=rows)
    meaning = "of levels" if levels is not None else "of a density"
    return _summary(diffusion, table, levels, offset, meaning, time.perf_counter() - start, num_draws)


def _summary(
    diffusion: Diffusion,
    table: BoundTerms,
    levels: Quantization | None,
    offset: float,
    meaning: str,
    seconds: float,
    num_draws: int,
) -> BitsReport:
    dims = max(math.prod(diffusion.event_shape), 1)
    bits = table.nats.cpu() / (dims * math.log(2))
    bits[:, 0] += offset
    count, terms, totals = len(bits), bits.mean(0), bits.sum(-1)
    rate = terms[1:].flip(0).cumsum(0).flip(0)  # when x_i has arrived: L_i + ... + L_N
    x0_error = table.x0_error.mean(0).cpu()
    return BitsReport(
        num_data=count,
        num_dims=dims,
        terms=terms,
        stderr=bits.std(0) / math.sqrt(count),
        total=float(totals.mean()),
        total_stderr=float(totals.std() / math.sqrt(count)),
        times=diffusion.grid.times[1:].clone(),
        rate=rate,
        distortion=x0_error.sqrt() / (1.0 if levels is None else levels.width),
        x0_error=x0_error,
        eps_error=table.eps_error.mean(0).cpu(),
        distortion_unit="data units" if levels is None else "levels",
        meaning=meaning,
        seconds=seconds,
        evaluations=len(diffusion.grid) * num_draws,
    )


def _rows(count: int) -> list[int]:
    """At most ten of the times, from the noise to the data."""
    picks = torch.linspace(count - 1, 0, min(count, 10)).round().long()
    return [int(index) for index in picks]
