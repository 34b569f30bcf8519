r"""Diffusion in the comparison: one class-conditional U-Net, whose null context is the unconditional model.

It is a model of the integers themselves: centered gray values :math:`x = 2k / (L - 1) - 1`, noised from a log-SNR of 6.3 (12
for bytes) to -9, and a discretized normal decoder. Its bound on :math:`-\log P(x)` becomes that of the density :math:`L^D\,
P(\lfloor L v \rfloor)` of dequantized pixels v, which is flat inside a cell; so its bits per dimension stand beside those of
the flows, and are those of a codelength.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.demo.diffusion_pictures import guidance_strengths, inpainted, progressive_generation, shared_states
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.diffusion import Diffusion, TimeGrid, bound_estimate, cosine_schedule
from probgen.diffusion.continuous_estimate import log_uniform_times
from probgen.diffusion.samplers import spherical
from probgen.distributions.chains import DiscretizedDecoder
from probgen.nn import ClassConditioning, UNet

__all__ = ["DiffusionModel", "denoising", "diffusion_model", "diffusion_of_images", "digits_diffusion"]

STOP, NOISIEST, CLEANEST = 0.02, -9.0, 12.0
"""The time where the decoder of digits begins, the log-SNR where the prior does, and that where the decoder of bytes begins."""


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
    classes = ClassConditioning(DIGITS.num_classes)
    network = UNet(DIGITS.shape, width=width, multipliers=(1, 2), blocks=1, dropout=0.1, conditioning=classes)
    grid = TimeGrid.log_snr(schedule, steps, STOP, float(schedule.t_of_log_snr(NOISIEST)))
    return Diffusion(network, schedule, DIGITS.shape, grid, decoder=DiscretizedDecoder(DIGITS.quantization))


def diffusion_of_images(images: ImageFormat, *, width: int = 16, steps: int = 1000) -> Diffusion:
    """A class-conditional diffusion model of gray images, by a U-Net on three resolutions.

    Args:
        images: Their format.
        width: Channels of the U-Net's first level.
        steps: Steps of the chain, even in log-SNR.

    Example:
        >>> import torch
        >>> from probgen.demo import ImageFormat, diffusion_of_images
        >>> d = diffusion_of_images(ImageFormat(28, 28, levels=256, num_classes=10), width=8, steps=50)
        >>> d.ddim(steps=2)(d.prior.sample((3,)), torch.arange(3)).shape
        torch.Size([3, 1, 28, 28])
    """
    schedule = cosine_schedule()
    classes = ClassConditioning(images.num_classes)
    network = UNet(images.shape, width=width, multipliers=(1, 2, 4), blocks=1, conditioning=classes)
    stop, start = (float(schedule.t_of_log_snr(value)) for value in (CLEANEST, NOISIEST))
    grid = TimeGrid.log_snr(schedule, steps, stop, start)
    return Diffusion(network, schedule, images.shape, grid, decoder=DiscretizedDecoder(images.quantization))


def diffusion_model(problem: Problem, *, conditional: bool) -> DiffusionModel:
    """The entry's model: one network by class, whose null context is the unconditional model.

    Args:
        problem: The data.
        conditional: Serves both.

    Example:
        >>> from probgen.demo import Settings, diffusion_model, load_problem
        >>> diffusion_model(load_problem(Settings.smoke()), conditional=True).kind
        'lower'
    """
    draws, images = 2 * len(problem.test_v), problem.images
    if images == DIGITS:
        return DiffusionModel(digits_diffusion(width=problem.width), draws=draws, steps=problem.sampler_steps)
    diffusion = diffusion_of_images(images, width=problem.narrow)
    return DiffusionModel(diffusion, draws=2 * draws, steps=problem.sampler_steps, images=images)


class DiffusionModel(ImageModel):
    """A diffusion model behind the demo's interface; without a label the null context is given.

    Args:
        diffusion: A class-conditional model of centered images ``[1, height, width]``.
        draws: Times for each image in the bound.
        steps: Steps of the sampler.
        images: The format of the images.

    Example:
        >>> import torch
        >>> from probgen.demo import DiffusionModel, digits_diffusion
        >>> model = DiffusionModel(digits_diffusion(width=8, steps=50), steps=5).eval()
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64), torch.arange(3)).shape
        ('lower', torch.Size([3, 64]), torch.Size([3]))
    """

    kind = "lower"
    dequantized = False
    latent = "yes, one state an image, by the probability flow"
    completes = "guided steps (null space)"

    def __init__(self, diffusion: Diffusion, *, draws: int = 8, steps: int = 12, images: ImageFormat = DIGITS) -> None:
        super().__init__(images)
        self.diffusion = diffusion
        self.draws = draws
        self.steps = steps
        self.draws_by = f"{steps} steps of DPM-Solver++"

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: the chain with its noisy states integrated out by the bound, the data its one site."""
        return self.diffusion.single_site_model(self.data(v), self._context(v, label))

    def data(self, v: Tensor) -> Tensor:
        """Centered images ``[*batch, 1, height, width]`` of pixels, as the chain sees them."""
        return self.images.square(self.images.centered(v)).unsqueeze(-3)

    def _log_prob(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The bound."""
        context = self._context(v, label)
        nats = bound_estimate(self.diffusion, self.data(v), context, num_draws=self.draws, decoder_draws=2)
        return (self.images.num_pixels * math.log(self.images.levels) - nats).to(v.dtype)

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        """Draws of the second-order DPM-Solver++, in the middle of their cells."""
        noise = torch.randn(n, *self.images.shape, device=self.device)
        x = self.diffusion.dpm_solver(steps=self.steps)(noise, self._context(noise, label))
        return self.images.pixels(self.images.quantization.snap(x).flatten(1))

    def _encode(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The latent state of pixels: the probability flow to the noise."""
        x = (v * self.images.levels - 0.5) * (2 / (self.images.levels - 1)) - 1
        inversion = self.diffusion.inversion(2 * self.steps, spacing="log_snr")
        return inversion(self.images.square(x).unsqueeze(-3), self._context(v, label)).flatten(1)

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """Pixels of latent states: the probability flow to the data."""
        sampler = self.diffusion.heun(2 * self.steps, spacing="log_snr")
        return self.images.pixels(sampler(self.images.square(z).unsqueeze(-3), self._context(z, label)).flatten(1))

    def _complete(self, v: Tensor, num_rows: int, moves: int) -> Tensor:
        """One filling of what is below the given rows, without retraining; biased."""
        made = inpainted(
            self.diffusion, self.data(v), self._context(v, None), draws=1, num_rows=num_rows, steps=4 * self.steps
        )[-1]
        return self.images.pixels(self.images.quantization.snap(made).flatten(1))

    def mix(self, a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        """The arc between two latent states, which keeps their length."""
        return spherical(a, b, weights)

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """The chain at work: progressive generation, samples that share a noisy state, guidance strengths."""
        d, labels = self.diffusion, torch.arange(self.images.num_classes, device=self.device)
        noise = torch.randn(len(labels), *self.images.shape, device=self.device)
        made = progressive_generation(d, noise, labels)
        shown = {
            "Progressive generation: each row a class, each column what the network takes it for on the way.": made,
            "One datum, then ten samples that share its noisy state at t = 0.4, 0.6 and 0.8.": shared_states(
                d, made[2, -1], labels[2], (0.4, 0.6, 0.8), steps=4 * self.steps
            ),
            "Guidance of strength 0, 1, 2 and 4 from one noise: no label, the label, and more than the label.": (
                guidance_strengths(d, noise, labels, (0.0, 1.0, 2.0, 4.0), steps=2 * self.steps)
            ),
        }
        return {caption: self.images.pixels(rows.flatten(2)).cpu() for caption, rows in shown.items()}

    def _context(self, like: Tensor, label: Tensor | None) -> Tensor:
        """Labels, or the null context for each row."""
        return torch.full((len(like),), self.images.num_classes, device=like.device) if label is None else label


def denoising(model: ImageModel) -> nn.Module:
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
    return _Denoising(model)


class _Denoising(nn.Module):
    """The sum over the batch, in nats."""

    def __init__(self, model: DiffusionModel) -> None:
        super().__init__()
        diffusion, self.data = model.diffusion, model.data
        self.loss = diffusion.denoising_loss("likelihood", times=log_uniform_times(diffusion), context_dropout=0.1)
        self.length = float(diffusion.grid.times[-1] - diffusion.grid.times[1])

    def forward(self, v: Tensor, label: Tensor) -> Tensor:
        return self.length * self.loss.per_datum(self.data(v), label).sum()
