r"""The laws that a codec needs of a diffusion model: those of the sender, those of both, and the model's fingerprint."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.codec_symbols import frequencies
from probgen.distributions import Quantization
from probgen.distributions.chains import posterior_coefficients
from probgen.distributions.discretized import Discretized

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["ForwardStep", "LevelTables", "forward_step", "level_tables", "model_fingerprint", "reverse_normal"]


@dataclass(frozen=True)
class ForwardStep:
    r"""The sender's law of a state, :math:`\mathcal N(\mathrm{data}\; x_0 + \mathrm{noisy}\; x_{i+1},\, \mathrm{std}^2 I)`.

    Attributes:
        state: The number i of the state.
        data: Coefficient of the data.
        noisy: Coefficient of the state before it in the file; zero for the first.
        std: Standard deviation, which the receiver knows too.

    Example:
        >>> import torch
        >>> from probgen.diffusion.codec_steps import ForwardStep
        >>> ForwardStep(3, 0.5, 0.25, 0.1).mean(torch.ones(2), torch.ones(2))
        tensor([0.7500, 0.7500])
    """

    state: int
    data: float
    noisy: float
    std: float

    def mean(self, x_0: Tensor, x_t: Tensor) -> Tensor:
        """The mean, shaped as the data."""
        return self.data * x_0 + self.noisy * x_t


def forward_step(diffusion: Diffusion, state: int) -> ForwardStep:
    r"""The law :math:`q(x_i \mid x_{i+1}, x_0)` of a state, and :math:`q(x_N \mid x_0)` of the first.

    Args:
        diffusion: The model.
        state: The number i, from 1 to N.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.codec_steps import forward_step
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.linear_schedule(), event_shape=(2,))
        >>> step = forward_step(d, 1000)
        >>> round(step.data, 5), step.noisy, round(step.std, 5)
        (0.00635, 0.0, 0.99998)
    """
    level = diffusion.schedule.level(diffusion.grid.times)
    if state == len(diffusion.grid):
        return ForwardStep(state, float(level.alpha[state]), 0.0, float(level.sigma[state]))
    data, noisy, variance = posterior_coefficients(level[state], level[state + 1])
    return ForwardStep(state, float(data), float(noisy), float(variance) ** 0.5)


def reverse_normal(diffusion: Diffusion, x_t: Tensor, state: int) -> tuple[Tensor, Tensor]:
    r"""Mean and standard deviation of :math:`p(x_i \mid x_{i+1})`, or of the prior for the first state, shaped as ``x_t``.

    Args:
        diffusion: The model.
        x_t: The state before, ``[n, *event]``; only its shape matters for the first.
        state: The number i, from 1 to N.

    Raises:
        TypeError: the law is not normal with independent coordinates.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.codec_steps import reverse_normal
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.linear_schedule(), event_shape=(2,))
        >>> reverse_normal(d, torch.zeros(1, 2), 1000)
        (tensor([[0., 0.]]), tensor([[1., 1.]]))
    """
    if state == len(diffusion.grid):
        mean, variance = diffusion.prior.mean, diffusion.prior.variance
    else:
        law = diffusion.chain().kernel(x_t, state + 1)
        base = getattr(law, "base_dist", law)
        if not isinstance(base, dist.Normal):
            raise TypeError(f"a codec needs reverse kernels that are normal with independent coordinates; got {base}.")
        mean, variance = law.mean, law.variance
    return tuple(part.to(x_t).expand(x_t.shape) for part in (mean, variance.sqrt()))  # type: ignore[return-value]


class LevelTables:
    """The decoder's law of data with levels, as tables of integer shares.

    Args:
        law: A discretized law over ``[n, *event]``.

    Raises:
        TypeError: the law has no levels.

    Example:
        >>> import torch
        >>> from probgen.diffusion.codec_steps import LevelTables
        >>> from probgen.distributions import DiscretizedNormal, Quantization
        >>> tables = LevelTables(DiscretizedNormal(torch.zeros(1, 2), 1.0, Quantization(3, -1.0, 1.0)).to_event(1))
        >>> tables.encode(torch.tensor([[-1.0, 0.0]])), len(next(tables.rows())[1])
        (tensor([[0, 1]]), 2)
    """

    def __init__(self, law: TorchDistribution) -> None:
        base = getattr(law, "base_dist", law)
        if not isinstance(base, Discretized):
            raise TypeError(f"a lossless file needs a decoder with levels, such as DiscretizedDecoder; got {base}.")
        self.law = law
        self._base = base

    @property
    def quantization(self) -> Quantization:
        """The levels."""
        return self._base.quantization

    def encode(self, x: Tensor) -> Tensor:
        """Levels of bin centers ``[n, *event]``.

        Raises:
            ValueError: some are no bin centers.
        """
        levels = self.quantization.encode(x)
        if not torch.allclose(self.decode(levels), x, atol=1e-3 * self.quantization.width, rtol=0.0):
            raise ValueError(f"lossless data must be bin centers of {self.quantization}; `quantization.snap` makes them.")
        return levels

    def decode(self, levels: Tensor) -> Tensor:
        """Bin centers of levels ``[n, *event]``."""
        return self.quantization.decode(levels, self._base.loc.dtype)

    def rows(self) -> Iterator[tuple[int, list[list[int]]]]:
        """For each datum its number and one table of shares for each coordinate."""
        probs = self._base.log_prob(self._base.enumerate_support()).double().exp()  # [levels, n, *event]
        table = probs.unsqueeze(-1).flatten(2).permute(1, 2, 0).tolist()
        return ((row, [frequencies(entry) for entry in entries]) for row, entries in enumerate(table))


def level_tables(diffusion: Diffusion, x_1: Tensor) -> LevelTables:
    """The decoder's law of the data given the least noisy state ``[n, *event]``.

    Args:
        diffusion: The model.
        x_1: The state.

    Raises:
        TypeError: the decoder's law has no levels.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.codec_steps import level_tables
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.chains import DiscretizedDecoder, GaussianDenoiser
        >>> schedule = pg.diffusion.cosine_schedule()
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(2), torch.tensor(1.0))
        >>> decoder = DiscretizedDecoder(Quantization(5, -2.0, 2.0))
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(2,), grid=3, decoder=decoder)
        >>> level_tables(d, torch.zeros(1, 2)).quantization.levels
        5
    """
    return LevelTables(diffusion.chain().kernel(x_1, 1))


def model_fingerprint(diffusion: Diffusion, settings: str) -> bytes:
    """Eight bytes that tell two models apart: weights, times, shape, decoder, the codec's settings, and a few of its values.

    What a network's output means (its parameterization, the scale of the data) is no weight; the values at a fixed state tell.

    Args:
        diffusion: The model.
        settings: Anything else that sender and receiver must share.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.codec_steps import model_fingerprint
        >>> d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2), pg.diffusion.linear_schedule(), event_shape=(2,))
        >>> model_fingerprint(d, "a") != model_fingerprint(d, "b")
        True
    """
    digest = hashlib.blake2b(settings.encode(), digest_size=8)
    level = diffusion.schedule.level(diffusion.grid.times)
    parts = repr((diffusion.event_shape, diffusion.decoder, diffusion.denoiser))
    digest.update(re.sub(r" at 0x[0-9a-f]+", "", parts).encode())  # addresses differ from process to process
    for tensor in (level.alpha, level.sigma, *_values(diffusion)):
        digest.update(_as_bytes(tensor))
    for name, tensor in sorted(diffusion.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(name.encode())
            digest.update(_as_bytes(tensor))
    return digest.digest()


def _values(diffusion: Diffusion) -> Iterator[Tensor]:
    """What the model makes of a fixed state, and its prior."""
    reference: Tensor | None = diffusion.denoiser.reference
    dtype = torch.get_default_dtype() if reference is None else reference.dtype
    x = torch.linspace(-1.0, 1.0, math.prod(diffusion.event_shape), dtype=dtype).reshape(1, *diffusion.event_shape)
    last = len(diffusion.grid)
    with torch.no_grad():
        yield diffusion.denoiser.mean(x, float(diffusion.grid.times[last]))
        for state in sorted({1, last}):
            yield from reverse_normal(diffusion, x, state)


def _as_bytes(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)  # one element may have any stride
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes()
