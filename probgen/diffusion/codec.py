r"""A lossy and lossless codec: a diffusion model that writes files.

Sender and receiver share the model and a seed. The sender transmits *samples* of the forward process, noisiest first,

.. math::

    x_N \sim q(x_N \mid x_0), \qquad x_{i-1} \sim q(x_{i-1} \mid x_i, x_0), \qquad
    \text{each against } p(x_{i-1} \mid x_i),

by relative-entropy coding (``codec_samples``), which costs about the divergence of each step; then, for data with levels, the
data themselves under the decoder's law. So the size of a file is the bound of the model, up to an overhead that is measured. A
receiver may stop at any state and report :math:`\mathbb E[x_0 \mid x_i]`: every file is progressive. See the page "Coding with
a chain" (``docs/derivations/diffusion-coding.md``).

Decoding repeats the sender's evaluations of the network bit by bit. That holds on one machine with one version of torch; other
processors, threads or versions round differently, and then the decoder would go astray. The fingerprint in the file holds a few
values of the network, which betray most such differences but not all. A file belongs to the machine that wrote it.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.diffusion.codec_arithmetic import ArithmeticDecoder, ArithmeticEncoder, CodecError
from probgen.diffusion.codec_samples import SampleCode, normal_divergence
from probgen.diffusion.codec_steps import (
    ForwardStep,
    forward_step,
    level_tables,
    model_fingerprint,
    reverse_normal,
)
from probgen.diffusion.codec_symbols import read_table, write_table
from probgen.diffusion.model import Diffusion
from probgen.distributions._seeding import random_stream
from probgen.infer.evaluation_mode import evaluating

__all__ = ["Codec", "CodingReport", "Decoded"]

_MAGIC, _VERSION = b"PGDC", 1
_HEADER = struct.Struct("<4sB8sQIH")  # magic, version, fingerprint, seed, data, last state
_CHECKSUM = struct.Struct("<I")  # of header and message; it stands between them
_OVERHEAD = _HEADER.size + _CHECKSUM.size


class Decoded(NamedTuple):
    """What a file says about the data.

    Attributes:
        x: The data if lossless, else their conditional mean, ``[n, *event]``.
        state: The last state read, N to 0; 0 means lossless.
        x_t: That state itself, ``[n, *event]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion import Decoded
        >>> Decoded(torch.zeros(1, 2), 0, torch.zeros(1, 2)).state
        0
    """

    x: Tensor
    state: int
    x_t: Tensor


@dataclass(frozen=True)
class CodingReport:
    r"""What a file cost, state by state, noisiest first; bits are summed over the data.

    Attributes:
        states: The number of each state, from N down; 0 is the data under the decoder.
        bound_bits: The divergences along the path that was sent, and :math:`-\log_2 p(x_0 \mid x_1)` at state 0.
        coded_bits: What was written.
        distortion: Root mean squared error of the data reconstructed from each state.
        data: The file.
        count: Number of data.

    Example:
        >>> from probgen.diffusion import CodingReport
        >>> CodingReport((1, 0), (2.0, 10.0), (4.0, 10.0), (0.5, 0.0), bytes(33), 1)
        1 data, 33 bytes: 14.0 bits and 248 of the header; the bound is 12.0 (overhead 2.0 bits, 17 %)
    """

    states: tuple[int, ...]
    bound_bits: tuple[float, ...]
    coded_bits: tuple[float, ...]
    distortion: tuple[float, ...]
    data: bytes
    count: int

    @property
    def overhead(self) -> float:
        """Bits beyond the bound, per datum, without the header."""
        return (sum(self.coded_bits) - sum(self.bound_bits)) / self.count

    def __repr__(self) -> str:
        bound, coded = sum(self.bound_bits), sum(self.coded_bits)
        return (
            f"{self.count} data, {len(self.data)} bytes: {coded:.1f} bits and {8 * _OVERHEAD} of the header; "
            f"the bound is {bound:.1f} (overhead {coded - bound:.1f} bits, {100 * (coded / bound - 1):.0f} %)"
        )


class Codec:
    r"""Writes and reads files with a diffusion model.

    Args:
        diffusion: The model; its reverse kernels must be normal with independent coordinates. For lossless files its decoder
            must be a ``DiscretizedDecoder``. It is used in evaluation mode.
        calibration: Data ``[n, *event]`` on which the expected divergence of every state is measured, which sets the codes;
            every receiver needs the same (they are part of the fingerprint). None assumes ``block_bits`` everywhere.
        block_bits: A state with a larger expected divergence is sent in parts; more bits mean less overhead and a longer
            search.
        budget: Candidates that the sender looks at for one part, at most about.
        seed: Names the shared random numbers; it is written into the file.

    Raises:
        ValueError: the calibration data have another event shape, or a size that is not positive.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models, section 4.3. https://arxiv.org/abs/2006.11239
        Theis, Salimans, Hoffman, Mentzer (2022). Lossy compression with Gaussian diffusion. https://arxiv.org/abs/2206.08889

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser
        >>> schedule, levels = pg.diffusion.cosine_schedule(), Quantization(9, -2.0, 2.0)
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(4), torch.tensor(1.0))
        >>> d = pg.diffusion.Diffusion(oracle, schedule, (4,), grid=4, decoder=DiscretizedDecoder(levels))
        >>> codec, x = pg.diffusion.Codec(d), levels.decode(torch.tensor([[0, 3, 8, 4]]))
        >>> data = codec.encode(x)
        >>> torch.equal(codec.decode(data).x, x), codec.decode(data, stop=2).state
        (True, 2)
    """

    def __init__(
        self,
        diffusion: Diffusion,
        calibration: Tensor | None = None,
        *,
        block_bits: float = 6.0,
        budget: float = 2.0**16,
        seed: int = 0,
    ) -> None:
        if not 0 < block_bits < math.inf:
            raise ValueError(f"`block_bits` must be positive and finite; got {block_bits}.")
        if not 0 <= seed < 2**63:
            raise ValueError(f"`seed` must lie in 0 .. 2**63 - 1; got {seed}.")
        self.diffusion = diffusion
        self.block_bits = float(block_bits)
        self.seed = seed
        self._code = SampleCode(float(budget))
        self.rates = self._calibrated(calibration)

    # ------------------------------------------------------------------------------------------------------------------- public

    def encode(self, x: Tensor, stop: int = 0) -> bytes:
        """Write data as a file.

        Args:
            x: Data ``[n, *event]``; bin centers of the decoder's levels if lossless.
            stop: The last state that is written, from N (least) to 0 (lossless).

        Raises:
            ValueError: a wrong shape, no such state, or data that are no levels.
        """
        return self.measure(x, stop).data

    def measure(self, x: Tensor, stop: int = 0) -> CodingReport:
        """Write data as a file and report what each state cost against the bound; arguments as of :meth:`encode`.

        Raises:
            ValueError: a wrong shape, no such state, or data that are no levels.
        """
        self._check(x, stop)
        x = x.to(self._dtype)
        encoder, rows = ArithmeticEncoder(), []
        with self._evaluating():
            x_t = x
            for step in self._steps(max(stop, 1)):
                x_t, bound = self._send(encoder, x, x_t, step)
                rows.append((step.state, bound, encoder.information, self._error(x, x_t, step.state)))
            if stop == 0:
                rows.append((0, self._send_data(encoder, x, x_t), encoder.information, 0.0))
        body = encoder.finish()
        header = _HEADER.pack(_MAGIC, _VERSION, self._fingerprint(), self.seed, len(x), stop)
        data = header + _CHECKSUM.pack(zlib.crc32(header + body)) + body
        states, bounds, totals, errors = zip(*rows, strict=True)
        spent = [after - before for before, after in zip((0.0, *totals), totals, strict=False)]
        return CodingReport(states, bounds, tuple(spent), errors, data, len(x))

    def decode(self, data: bytes, stop: int | None = None) -> Decoded:
        """Read a file, or its beginning.

        Args:
            data: The file.
            stop: The last state to read, if that is not all of it.

        Raises:
            TypeError: no bytes.
            CodecError: no file of ours, another model, a damaged file, or one that ends before ``stop``.
        """
        seed, count, last, body = self._opened(data)
        stop = last if stop is None else stop
        if not last <= stop <= len(self.diffusion.grid):
            raise CodecError(f"`stop` must lie in {last} .. {len(self.diffusion.grid)} for this file; got {stop}.")
        decoder = ArithmeticDecoder(body)
        with self._evaluating():
            x_t = torch.zeros(count, *self.diffusion.event_shape, dtype=self._dtype)
            for step in self._steps(max(stop, 1)):
                x_t = self._receive(decoder, x_t, step, seed)
            if stop == 0:
                return Decoded(self._receive_data(decoder, x_t), 0, x_t)
            return Decoded(self._reconstructed(x_t, stop), stop, x_t)

    # ------------------------------------------------------------------------------------------------------------------- states

    @property
    def _dtype(self) -> torch.dtype:
        reference: Tensor | None = self.diffusion.denoiser.reference
        return torch.get_default_dtype() if reference is None else reference.dtype

    def _steps(self, last: int) -> Iterator[ForwardStep]:
        return (forward_step(self.diffusion, state) for state in range(len(self.diffusion.grid), last - 1, -1))

    def _blocks(self, state: int) -> list[slice]:
        """The coordinates of each part of a state: interleaved, so that the parts are alike."""
        count = max(1, min(math.ceil(self.rates[state - 1] / self.block_bits), math.prod(self.diffusion.event_shape)))
        return [slice(part, None, count) for part in range(count)]

    def _send(self, encoder: ArithmeticEncoder, x: Tensor, x_t: Tensor, step: ForwardStep) -> tuple[Tensor, float]:
        """Write one state of all data; return it and its divergence in bits."""
        q_mean = _as_rows(step.mean(x, x_t))
        p_mean, p_std = (_as_rows(part) for part in reverse_normal(self.diffusion, x_t, step.state))
        blocks, sent = self._blocks(step.state), torch.empty_like(q_mean)
        for row in range(len(x)):
            for part, at in enumerate(blocks):
                key, rate = (self.seed, row, step.state, part), self.rates[step.state - 1] / len(blocks)
                pair = p_mean[row, at], p_std[row, at]
                sent[row, at] = self._code.write(encoder, q_mean[row, at], step.std, *pair, key=key, rate=rate)
        bound = float(normal_divergence(q_mean.double(), step.std, p_mean.double(), p_std.double()).sum()) / math.log(2)
        return sent.reshape(x.shape), bound

    def _receive(self, decoder: ArithmeticDecoder, x_t: Tensor, step: ForwardStep, seed: int) -> Tensor:
        """Read one state of all data."""
        p_mean, p_std = (_as_rows(part) for part in reverse_normal(self.diffusion, x_t, step.state))
        blocks, received = self._blocks(step.state), torch.empty_like(p_mean)
        for row in range(len(x_t)):
            for part, at in enumerate(blocks):
                key, rate = (seed, row, step.state, part), self.rates[step.state - 1] / len(blocks)
                pair = p_mean[row, at], p_std[row, at]
                received[row, at] = self._code.read(decoder, step.std, *pair, key=key, rate=rate)
        return received.reshape(x_t.shape)

    def _send_data(self, encoder: ArithmeticEncoder, x: Tensor, x_1: Tensor) -> float:
        """Write the levels of the data under the decoder; return their cost in bits."""
        tables = level_tables(self.diffusion, x_1)
        levels = tables.encode(x)
        before = encoder.information
        for row, cumulative in tables.rows():
            for symbol, table in zip(levels[row].flatten().tolist(), cumulative, strict=True):
                write_table(encoder, symbol, table)
        exact = -float(tables.law.log_prob(x).double().sum()) / math.log(2)
        return exact if math.isfinite(exact) else encoder.information - before

    def _receive_data(self, decoder: ArithmeticDecoder, x_1: Tensor) -> Tensor:
        tables = level_tables(self.diffusion, x_1)
        levels = [[read_table(decoder, table) for table in cumulative] for _, cumulative in tables.rows()]
        return tables.decode(torch.tensor(levels, dtype=torch.long).reshape(x_1.shape))

    def _reconstructed(self, x_t: Tensor, state: int) -> Tensor:
        return self.diffusion.denoiser.mean(x_t, float(self.diffusion.grid.times[state]))

    def _error(self, x: Tensor, x_t: Tensor, state: int) -> float:
        return float((self._reconstructed(x_t, state) - x).double().square().mean().sqrt())

    # ----------------------------------------------------------------------------------------------------------------- plumbing

    def _calibrated(self, calibration: Tensor | None) -> tuple[float, ...]:
        """The expected divergence of every state 1 .. N, in bits, to an eighth of a bit."""
        if calibration is None:
            return (self.block_bits,) * len(self.diffusion.grid)
        self._check(calibration, len(self.diffusion.grid))
        calibration, rates = calibration.to(self._dtype), list[float]()
        with self._evaluating(), random_stream(self.seed, calibration.device):
            x_t = calibration
            for step in self._steps(1):
                q_mean, (p_mean, p_std) = step.mean(calibration, x_t), reverse_normal(self.diffusion, x_t, step.state)
                parts = (_as_rows(part).double() for part in (q_mean, p_mean, p_std))
                mean, other, scale = parts
                bits = float(normal_divergence(mean, step.std, other, scale).mean()) / math.log(2)
                rates.append(math.ceil(8 * bits) / 8)
                x_t = q_mean + step.std * torch.randn_like(q_mean)
        return tuple(rates[::-1])

    def _fingerprint(self) -> bytes:
        settings = (self.rates, self.block_bits, self._code.budget, str(self._dtype))
        with self._evaluating():
            return model_fingerprint(self.diffusion, repr(settings))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        with evaluating(self.diffusion), torch.no_grad():
            yield

    def _check(self, x: Tensor, stop: int) -> None:
        event: Sequence[int] = self.diffusion.event_shape
        if x.dim() != len(event) + 1 or tuple(x.shape[1:]) != tuple(event) or not len(x):
            raise ValueError(f"data must have shape [n, *{tuple(event)}] with n at least 1; got {tuple(x.shape)}.")
        if not bool(x.isfinite().all()):
            raise ValueError("data must be finite; some are NaN or infinite.")
        if not 0 <= stop <= len(self.diffusion.grid):
            raise ValueError(f"`stop` must lie in 0 .. {len(self.diffusion.grid)}; got {stop}.")

    def _opened(self, data: bytes) -> tuple[int, int, int, bytes]:
        """Seed, number of data, last state and message of a file that is whole and ours."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"`data` must be bytes; got {type(data).__name__}.")
        data = bytes(data)
        if len(data) < _OVERHEAD or data[:4] != _MAGIC:
            raise CodecError("these bytes are no file of this codec.")
        header, body = data[: _HEADER.size], data[_OVERHEAD:]
        _, version, fingerprint, seed, count, last = _HEADER.unpack(header)
        if version != _VERSION:
            raise CodecError(f"the file has version {version}; this codec reads version {_VERSION}.")
        if _CHECKSUM.unpack_from(data, _HEADER.size) != (zlib.crc32(header + body),):
            raise CodecError("the file is damaged or cut: its checksum is wrong.")
        if fingerprint != self._fingerprint():
            raise CodecError("the file was written with another model, grid or calibration, or on another machine.")
        return seed, count, last, body


def _as_rows(x: Tensor) -> Tensor:
    """``[n, *event]`` to ``[n, d]``, of scalars too."""
    return x.unsqueeze(-1).flatten(1)
