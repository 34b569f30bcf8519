r"""Diffusion in the comparison: one class-conditional U-Net, whose null context is the unconditional model.

It is a model of the integers themselves: centered gray values :math:`x = k/8 - 1`, noised from a log-SNR of 6.3 to -9, and a
discretized normal decoder. Its bound on :math:`-\log P(x)` becomes that of the density :math:`17^{64}\, P(\lfloor 17 v
\rfloor)` of dequantized pixels v, which is flat inside a cell; so its bits per dimension stand beside those of the flows, and
are those of a codelength.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.demo.diffusion_pictures import guidance_strengths, progressive_generation, shared_states
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, centered, pixels, square
from probgen.demo.registry import DigitModel
from probgen.diffusion import Diffusion, TimeGrid, bound_estimate, cosine_schedule
from probgen.diffusion.continuous_estimate import log_uniform_times
from probgen.diffusion.samplers import spherical
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder
from probgen.nn import ClassConditioning, UNet

__all__ = ["DiffusionModel", "denoising", "digits_diffusion"]

STOP, NOISIEST = 0.02, -9.0
"""The time where the decoder begins, and the log-SNR where the prior does."""


def digits_diffusion(*, width: int = 32, steps: int = 1000) -> Diffusion:
    """A class-conditional diffusion model of 8x8 digits with 17 gray values, by a U-Net of 0.8 million parameters.

    Args:
        width: Channels of the U-Net's first level.
        steps: Steps of the chain, even in log-SNR.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_diffusion
        >>> d = digits_diffusion(width=8, steps=50)
        >>> d.ddim(steps=5)(d.prior.sample((3,)), torch.arange(3)).shape
        torch.Size([3, 1, 8, 8])
    """
    schedule = cosine_schedule()
    network = UNet((1, 8, 8), width=width, multipliers=(1, 2), blocks=1, dropout=0.1, conditioning=ClassConditioning(CLASSES))
    grid = TimeGrid.log_snr(schedule, steps, STOP, float(schedule.t_of_log_snr(NOISIEST)))
    return Diffusion(network, schedule, (1, 8, 8), grid, decoder=DiscretizedDecoder(Quantization(LEVELS, -1.0, 1.0)))


class DiffusionModel(DigitModel):
    """A diffusion model behind the demo's interface; without a label the null context is given.

    Args:
        diffusion: A class-conditional model of centered images ``[1, 8, 8]``.
        draws: Times for each image in the bound.
        steps: Steps of the sampler.

    Example:
        >>> import torch
        >>> from probgen.demo import DiffusionModel, digits_diffusion
        >>> model = DiffusionModel(digits_diffusion(width=8, steps=50), steps=5).eval()
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64), torch.arange(3)).shape
        ('lower', torch.Size([3, 64]), torch.Size([3]))
    """

    kind = "lower"
    dequantized = False

    def __init__(self, diffusion: Diffusion, *, draws: int = 8, steps: int = 12) -> None:
        super().__init__()
        self.diffusion = diffusion
        self.draws = draws
        self.steps = steps

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: the chain with its noisy states integrated out by the bound, the data its one site."""
        return self.diffusion.single_site_model(square(centered(v)).unsqueeze(-3), self._context(len(v), label))

    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The bound in nats, with the same noise at every call: ``[*batch]``."""
        batch = v.shape[:-1]
        x = centered(v).reshape(-1, 1, 8, 8)
        context = self._context(len(x), None if label is None else label.expand(batch).reshape(-1))
        nats = bound_estimate(self.diffusion, x, context, num_draws=self.draws, decoder_draws=2)
        return (PIXELS * math.log(LEVELS) - nats).to(v.dtype).reshape(batch)

    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draws of the second-order DPM-Solver++, in the middle of their cells."""
        x = self.diffusion.dpm_solver(steps=self.steps)(self.diffusion.prior.sample((n,)), self._context(n, label))
        return pixels(Quantization(LEVELS, -1.0, 1.0).snap(x).flatten(1))

    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The latent state of pixels, ``[n, 64]``: the probability flow to the noise."""
        x = (v * LEVELS - 0.5) / 8 - 1
        inversion = self.diffusion.inversion(2 * self.steps, spacing="log_snr")
        return inversion(square(x).unsqueeze(-3), self._context(len(v), label)).flatten(1)

    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Pixels of latent states: the probability flow to the data."""
        sampler = self.diffusion.heun(2 * self.steps, spacing="log_snr")
        return pixels(sampler(square(z).unsqueeze(-3), self._context(len(z), label)).flatten(1))

    def mix(self, a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        """The arc between two latent states, which keeps their length."""
        return spherical(a, b, weights)

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """The chain at work: progressive generation, samples that share a noisy state, guidance strengths."""
        d, noise, labels = self.diffusion, self.diffusion.prior.sample((10,)), torch.arange(10)
        made = progressive_generation(d, noise, labels)
        return {
            "Progressive generation: each row a digit, each column what the network takes it for on the way.": _rows(made),
            "One datum, then ten samples that share its noisy state at t = 0.4, 0.6 and 0.8.": _rows(
                shared_states(d, made[2, -1], labels[2], (0.4, 0.6, 0.8))
            ),
            "Guidance of strength 0, 1, 2 and 4 from one noise: no label, the label, and more than the label.": _rows(
                guidance_strengths(d, noise, labels, (0.0, 1.0, 2.0, 4.0))
            ),
        }

    def _context(self, n: int, label: Tensor | None) -> Tensor:
        return torch.full((n,), CLASSES) if label is None else label


def denoising(model: DigitModel) -> nn.Module:
    """The loss that trains the network: the integral of the bound at one time for every image, labels dropped at a rate of 0.1.

    The prior's term has nothing to learn, and the decoder's network is that of the integral; both are left out.

    Args:
        model: A ``DiffusionModel``.

    Raises:
        TypeError: it is another one.

    Example:
        >>> import torch
        >>> from probgen.demo import DiffusionModel, denoising, digits_diffusion
        >>> loss = denoising(DiffusionModel(digits_diffusion(width=8, steps=50)))
        >>> loss(torch.rand(5, 64), torch.arange(5)).shape
        torch.Size([])
    """
    if not isinstance(model, DiffusionModel):
        raise TypeError(f"`model` must be a DiffusionModel; got {type(model).__name__}.")
    return _Denoising(model.diffusion)


class _Denoising(nn.Module):
    """The sum over the batch, in nats."""

    def __init__(self, diffusion: Diffusion) -> None:
        super().__init__()
        self.loss = diffusion.denoising_loss("likelihood", times=log_uniform_times(diffusion), context_dropout=0.1)
        self.length = float(diffusion.grid.times[-1] - diffusion.grid.times[1])

    def forward(self, v: Tensor, label: Tensor) -> Tensor:
        return self.length * self.loss.per_datum(square(centered(v)).unsqueeze(-3), label).sum()


def _rows(x: Tensor) -> Tensor:
    """Rows of images as pixels ``[rows, columns, 64]``."""
    return pixels(x.flatten(2))
