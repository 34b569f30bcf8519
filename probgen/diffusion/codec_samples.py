r"""Relative-entropy coding: a message from which the receiver builds an exact sample of a law that only the sender knows.

The sender knows :math:`q = \mathcal N(\mu, \sigma^2 I)`, both know :math:`\sigma` and :math:`p = \mathcal N(m,
\operatorname{diag} s^2)` and share a source of random numbers. Two schemes are joined into one that is exact and ends.

**Choosing among shared candidates** (the Poisson functional representation). Candidates :math:`x_1, x_2, \dots \sim p` come at
the times :math:`T_1 < T_2 < \dots` of a Poisson process. With weights :math:`w = q/p` the candidate :math:`\arg\min_n T_n /
w(x_n)` has law q, and its number n costs about :math:`\mathrm{KL}(q \,\|\, p) + \log_2(\mathrm{KL} + 1) + O(1)` bits. The
search ends when :math:`T_n / M` exceeds the best score, M being the largest weight; but normal weights have no bound.

**A dithered lattice.** A normal law is a mixture of uniform ones: with :math:`W^2 \sim \chi^2_3` the law of
:math:`\mu + \sigma W\,\mathrm U(-1, 1)` is :math:`\mathcal N(\mu, \sigma^2)`. Width and dither u are shared, so
:math:`y = s (u + \mathrm{round}(\mu/s - u))` with :math:`s = 2\sigma W` is an exact sample. The cell costs the divergence and
:math:`h(\mathcal N) - \mathbb E \log_2 2W = 0.52` bits more *for every coordinate*.

**Joined.** Write :math:`q = (1 - \delta)\, \tilde q + \delta\, r` with :math:`\tilde q \propto \min(q, M p)`. Draw y from q on
the lattice; with probability :math:`(1 - M / w(y))_+` it is a draw of the rest r, and is sent as it is. Otherwise a candidate
is chosen with weights :math:`\min(w, M)`. The sample has law q for every M; M only decides how long the search is and how
often the lattice is paid for.

References:
    Li, El Gamal (2018). Strong functional representation lemma and applications to coding theorems.
    https://arxiv.org/abs/1701.02827
    Theis, Yosri (2022). Algorithms for the communication of samples. https://arxiv.org/abs/2110.12805
    Hegazy, Li (2022). Randomized quantization with exact error distribution. https://doi.org/10.1109/ITW54588.2022.9965819
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.diffusion.codec_arithmetic import ArithmeticDecoder, ArithmeticEncoder
from probgen.diffusion.codec_symbols import (
    frequencies,
    read_cell,
    read_index,
    read_table,
    write_cell,
    write_index,
    write_table,
)

__all__ = ["LATTICE_BITS", "SampleCode", "normal_divergence"]

LATTICE_BITS = 0.5207736329301111
r"""What a coordinate costs on the lattice beyond its divergence: :math:`h(\mathcal N(0, 1)) - \mathbb E \log_2 2W` with
:math:`W \sim \chi_3`, in bits."""

_SMALLEST_CHUNK, _LARGEST_CHUNK = 8, 14  # binary logarithms of how many candidates are drawn at once
_TAIL = 2.33  # the part of q with weights above M is 1 % where log-weights are normal


@dataclass(frozen=True)
class SampleCode:
    r"""How a sample of a normal law is sent.

    Attributes:
        budget: Largest M, about the number of candidates that the sender looks at.

    Raises:
        ValueError: a budget below one.

    Example:
        >>> import torch
        >>> from probgen.diffusion import ArithmeticDecoder, ArithmeticEncoder
        >>> from probgen.diffusion.codec_samples import SampleCode
        >>> code, encoder = SampleCode(), ArithmeticEncoder()
        >>> q_mean, p_mean, p_std = torch.full((16,), 0.3), torch.zeros(16), torch.ones(16)
        >>> sent = code.write(encoder, q_mean, 0.9, p_mean, p_std, key=(0, 1), rate=1.0)
        >>> received = code.read(ArithmeticDecoder(encoder.finish()), 0.9, p_mean, p_std, key=(0, 1), rate=1.0)
        >>> torch.equal(sent, received)
        True
    """

    budget: float = 2.0**16

    def __post_init__(self) -> None:
        if not self.budget >= 1:
            raise ValueError(f"`budget` must be at least 1; got {self.budget}.")

    def write(
        self,
        encoder: ArithmeticEncoder,
        q_mean: Tensor,
        q_std: float,
        p_mean: Tensor,
        p_std: Tensor,
        key: tuple[int, ...],
        rate: float,
    ) -> Tensor:
        r"""Draw a sample of q and write the message from which the receiver builds it.

        Args:
            encoder: Where to.
            q_mean: Mean of q, shape ``[d]``, known to the sender only.
            q_std: Its standard deviation.
            p_mean: Mean of p, shape ``[d]``.
            p_std: Its standard deviations, shape ``[d]``.
            key: Names the shared random numbers; no two samples may have the same.
            rate: The divergence that both expect, in bits; it sets the code of the index.

        Returns:
            The sample ``[d]``, the one that ``read`` returns.
        """
        offset, step = _lattice(key, q_std, len(q_mean))
        cells = [round(m / s - u) for m, s, u in zip(q_mean.tolist(), step, offset, strict=True)]
        y = _point(cells, offset, step, p_mean)
        flag = frequencies(self._flag(len(p_mean), rate))
        if self._prefers_lattice(len(p_mean), rate):
            log_cap = -math.inf
        else:
            divergence = float(normal_divergence(q_mean, q_std, p_mean, p_std))
            log_cap = min(divergence + _TAIL * math.sqrt(2 * divergence), math.log(self.budget))
        if self._is_rest(float(_log_weight(y, q_mean, q_std, p_mean, p_std)), log_cap, key):
            write_table(encoder, 1, flag)
            for k, u, s, m, scale in zip(cells, offset, step, p_mean.tolist(), p_std.tolist(), strict=True):
                write_cell(encoder, k, u, s, m, scale)
            return y
        write_table(encoder, 0, flag)
        index = _chosen(q_mean, q_std, p_mean, p_std, log_cap, key)
        write_index(encoder, index, max(rate, 0.0625))
        return _candidate(index, p_mean, p_std, key)

    def read(
        self, decoder: ArithmeticDecoder, q_std: float, p_mean: Tensor, p_std: Tensor, key: tuple[int, ...], rate: float
    ) -> Tensor:
        """Build the sample ``[d]`` from the message; arguments as of :meth:`write`."""
        if read_table(decoder, frequencies(self._flag(len(p_mean), rate))) == 0:
            return _candidate(read_index(decoder, max(rate, 0.0625)), p_mean, p_std, key)
        offset, step = _lattice(key, q_std, len(p_mean))
        cells = [
            read_cell(decoder, u, s, m, scale)
            for u, s, m, scale in zip(offset, step, p_mean.tolist(), p_std.tolist(), strict=True)
        ]
        return _point(cells, offset, step, p_mean)

    def _prefers_lattice(self, size: int, rate: float) -> bool:
        """Whether few coordinates or a large divergence make the lattice the cheaper or the only way."""
        return LATTICE_BITS * size < math.log2(rate + 1) + 1.5 or rate > math.log2(self.budget)

    def _flag(self, size: int, rate: float) -> tuple[float, float]:
        return (0.01, 0.99) if self._prefers_lattice(size, rate) else (0.99, 0.01)

    def _is_rest(self, log_weight: float, log_cap: float, key: tuple[int, ...]) -> bool:
        """Whether a draw of q belongs to the part beyond the cap."""
        coin = float(torch.rand((), generator=_generator(key, "coin"), dtype=torch.float64))
        return coin < -math.expm1(min(log_cap - log_weight, 0.0))


def normal_divergence(q_mean: Tensor, q_std: float, p_mean: Tensor, p_std: Tensor) -> Tensor:
    r"""Divergence of :math:`\mathcal N(\mu, \sigma^2 I)` from :math:`\mathcal N(m, \operatorname{diag} s^2)` in nats.

    Args:
        q_mean: The mean :math:`\mu`, shape ``[*batch, d]``.
        q_std: The standard deviation :math:`\sigma`.
        p_mean: The mean m, shape ``[*batch, d]``.
        p_std: The standard deviations s, shape ``[*batch, d]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion.codec_samples import normal_divergence
        >>> normal_divergence(torch.ones(3), 1.0, torch.zeros(3), torch.ones(3))
        tensor(1.5000)
    """
    ratio = (q_std / p_std).square()
    return 0.5 * (ratio - 1 - ratio.log() + ((q_mean - p_mean) / p_std).square()).sum(-1)


def _generator(key: tuple[int, ...], label: str) -> torch.Generator:
    """Shared random numbers with a name."""
    digest = hashlib.blake2b(f"{label} {key}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def _lattice(key: tuple[int, ...], q_std: float, size: int) -> tuple[list[float], list[float]]:
    """Dither and width of the cells of every coordinate."""
    source = _generator(key, "lattice")
    width = 2 * q_std * torch.randn(3, size, generator=source, dtype=torch.float64).norm(dim=0)
    offset = torch.rand(size, generator=source, dtype=torch.float64) - 0.5
    return offset.tolist(), width.tolist()


def _point(cells: list[int], offset: list[float], step: list[float], like: Tensor) -> Tensor:
    """The point of the lattice in these cells."""
    return torch.tensor([(k + u) * s for k, u, s in zip(cells, offset, step, strict=True)], dtype=like.dtype)


def _log_weight(x: Tensor, q_mean: Tensor, q_std: float, p_mean: Tensor, p_std: Tensor) -> Tensor:
    r""":math:`\log q(x)/p(x)`, over the last dimension."""
    u, z = (x - q_mean) / q_std, (x - p_mean) / p_std
    return (0.5 * (z.square() - u.square()) + torch.log(p_std / q_std)).sum(-1)


def _chunk(number: int, size: int, key: tuple[int, ...], like: Tensor) -> Tensor:
    """A part of the candidates' noise, ``[count, d]``; parts grow, up to a limit."""
    count = 1 << min(_SMALLEST_CHUNK + number, _LARGEST_CHUNK)
    return torch.randn(count, size, generator=_generator((*key, number), "candidates"), dtype=like.dtype)


def _candidate(index: int, p_mean: Tensor, p_std: Tensor, key: tuple[int, ...]) -> Tensor:
    """The candidate with a number from 1."""
    number, rest = 0, index - 1
    while rest >= (count := 1 << min(_SMALLEST_CHUNK + number, _LARGEST_CHUNK)):
        number, rest = number + 1, rest - count
    return p_mean + p_std * _chunk(number, len(p_mean), key, p_mean)[rest]


def _chosen(q_mean: Tensor, q_std: float, p_mean: Tensor, p_std: Tensor, log_cap: float, key: tuple[int, ...]) -> int:
    r"""The number of the candidate with the least :math:`T_n / \min(w(x_n), M)`, from 1.

    With :math:`x = m + s z` the log-weight is :math:`-\tfrac12 |a|^2 - (a b)^\top z + \tfrac12 (1 - b^2)^\top z^2 +
    \mathrm{const}`.
    """
    a, b = (p_mean - q_mean) / q_std, p_std / q_std
    constant = float(b.log().sum() - 0.5 * a.square().sum())
    linear, square = a * b, 0.5 * (1 - b.square())
    times = _generator(key, "times")
    best, chosen, seen, time, number = math.inf, 0, 0, 0.0, 0
    while True:
        z = _chunk(number, len(p_mean), key, p_mean)
        log_weight = constant - z @ linear + z.square() @ square
        steps = torch.empty(len(z), dtype=torch.float64).exponential_(generator=times)
        arrivals = time + steps.cumsum(0)
        scores = arrivals.log() - log_weight.double().clamp(max=log_cap)
        least, place = scores.min(0)
        if float(least) < best:
            best, chosen = float(least), seen + int(place) + 1
        seen, time, number = seen + len(z), float(arrivals[-1]), number + 1
        if math.log(time) - log_cap >= best:
            return chosen
