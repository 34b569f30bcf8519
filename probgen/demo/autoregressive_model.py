r"""The autoregressive model in the comparison: a law of the integers by class, exact, and the mixture of its classes.

A Gated PixelCNN gives each of 17 gray values a probability, pixel after pixel, given those before and the class. Without a
class the law is :math:`P(x) = \sum_y P(y)\, P(x \mid y)`, a sum of ten terms: one network serves both. The density of
dequantized pixels v is :math:`17^{64}\, P(\lfloor 17 v \rfloor)`, exact.

Its latents are those of Rosenblatt (1952): with :math:`F_i` the distribution function of pixel i given those before,

.. math:: u_i = F_i(x_i - 1) + r_i\, P_i(x_i), \qquad z_i = \Phi^{-1}(u_i),

where :math:`r_i = 17 v_i - x_i` is the place in the cell. If v follows the model, z is standard normal; the map is inverted
pixel by pixel. Without a class :math:`P_i` is the mixture over classes, weighted by what the pixels before say of the class.
"""

from __future__ import annotations

import copy
import math
from typing import cast

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen import autoregressive
from probgen.data import load_digits
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, centered, one_hot, pixels, square
from probgen.demo.registry import DigitModel
from probgen.distributions import AutoregressiveLaw, Mixture, Quantization
from probgen.distributions.elements import CategoricalElement
from probgen.infer.data_plate import data_plate

__all__ = ["AutoregressiveModel", "digits_autoregressive"]

_EPS = 1e-15


def digits_autoregressive(*, channels: int = 24) -> AutoregressiveLaw:
    """A Gated PixelCNN of flat 8x8 digits with 17 gray values, centered, by class.

    Args:
        channels: Channels of each stack.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_autoregressive
        >>> digits_autoregressive(channels=4)(torch.eye(10)).sample().shape
        torch.Size([10, 8, 8])
    """
    return autoregressive.gated_pixel_cnn(
        (8, 8),
        CategoricalElement(Quantization(LEVELS, -1.0, 1.0)),
        layers=5,
        channels=channels,
        first_kernel_size=5,
        head_channels=2 * channels,
        dropout=0.2,
        context_shape=(CLASSES,),
    )


class AutoregressiveModel(DigitModel):
    """An autoregressive law behind the demo's interface.

    Args:
        law: A law of centered images ``[8, 8]`` with a one-hot label as context and ``LEVELS`` numbers a pixel.
        frequency: Probabilities of the classes, ``[10]``; the same for all by default.

    Example:
        >>> import torch
        >>> from probgen.demo import AutoregressiveModel, digits_autoregressive
        >>> model = AutoregressiveModel(digits_autoregressive(channels=4)).eval()
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64)).shape
        ('exact', torch.Size([3, 64]), torch.Size([3]))
    """

    dequantized = False
    log_frequency: Tensor

    def __init__(self, law: AutoregressiveLaw, frequency: Tensor | None = None) -> None:
        super().__init__()
        self.network_law = law
        frequency = torch.full((CLASSES,), 1 / CLASSES) if frequency is None else frequency
        self.register_buffer("log_frequency", frequency.log())

    def law(self, label: Tensor | None = None) -> TorchDistribution:
        """The law of centered images ``[8, 8]``, given labels; without them the mixture of all classes."""
        if label is not None:
            return cast(TorchDistribution, self.network_law(one_hot(label)))
        classes = [self.network_law(row) for row in torch.eye(CLASSES)]
        return Mixture(classes, self.log_frequency)

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: one site, in the plate of the data."""
        with data_plate(v, None, like=v):
            return pyro.sample("x", self.law(label), obs=square(centered(v)))

    @torch.no_grad()
    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Log-density of pixels in nats, exact, flat inside a cell: ``[*batch]``."""
        return PIXELS * math.log(LEVELS) + self.law(label).log_prob(square(centered(v)))

    @torch.no_grad()
    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draws, in the middle of their cells; without labels of classes by their frequency."""
        if label is None:
            label = torch.multinomial(self.log_frequency.exp(), n, replacement=True)
        return pixels(self.network_law(one_hot(label)).sample().flatten(1))

    @torch.no_grad()
    def complete(self, v: Tensor, rows: int) -> Tensor:
        """Draws of whole images given the first rows, the class unknown: exact, by Bayes' rule for the class.

        Args:
            v: Pixels ``[n, 64]``.
            rows: How many rows are kept.
        """
        x, known = square(centered(v)), 8 * rows
        every = self.network_law(torch.eye(CLASSES)[:, None].expand(-1, len(v), -1))
        evidence = every.given(x.expand(CLASSES, *x.shape), known).log_evidence().value
        weights = (self.log_frequency[:, None] + evidence).softmax(0)
        label = torch.multinomial(weights.T, 1).squeeze(1)
        return pixels(self.network_law(one_hot(label)).given(x, known).sample().flatten(1))

    @torch.no_grad()
    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The standard normal numbers behind each image, in double precision: ``[n, 64]``."""
        v = v.double()
        code = (v * LEVELS).floor().clamp(0, LEVELS - 1)
        law, context, weights = self._in_double(len(v), label)
        seen = law.embedding(code / 8 - 1, torch.float64).flatten(1)
        log_p = law.network(seen.repeat(len(context) // len(v), 1), context).log_softmax(-1).unflatten(0, (-1, len(v)))
        chosen = code.long().expand(len(log_p), -1, -1).unsqueeze(-1)
        before = (log_p.gather(-1, chosen).squeeze(-1).cumsum(-1)).roll(1, -1)
        before[..., 0] = 0.0
        p = ((weights + before).softmax(0).unsqueeze(-1) * log_p.exp()).sum(0)
        below, own = p.cumsum(-1) - p, chosen[0]
        u = below.gather(-1, own) + (v * LEVELS - code).unsqueeze(-1) * p.gather(-1, own)
        z: Tensor = torch.special.ndtri(u.squeeze(-1).clamp(_EPS, 1 - _EPS))
        return z

    @torch.no_grad()
    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The images behind standard normal numbers ``[n, 64]``, pixel by pixel."""
        u = torch.special.ndtr(z.double())
        law, context, weights = self._in_double(len(z), label)
        parts: list[Tensor] = []

        def draw(start: int, stop: int, params: Tensor) -> Tensor:
            nonlocal weights
            log_p = params.squeeze(1).log_softmax(-1).unflatten(0, (-1, len(z)))
            p = (weights.softmax(0) * log_p.exp()).sum(0)
            total, goal = p.cumsum(-1), u[:, start:stop]
            code = (total <= goal).sum(-1, keepdim=True).clamp_max(LEVELS - 1)
            inside = (goal - (total - p).gather(-1, code)) / p.gather(-1, code)
            parts.append((code + inside.clamp(0, 1)) / LEVELS)
            weights = weights + log_p.gather(-1, code.expand(len(log_p), -1, -1))
            seen: Tensor = law.embedding(code / 8 - 1, torch.float64)
            return seen.flatten(1).repeat(len(log_p), 1)

        law.network.sweep(draw, (len(context),), context)
        return torch.cat(parts, -1).to(self.log_frequency.dtype)

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """Test digits from their upper halves."""
        digits = load_digits().test
        first = [digits.labels.tolist().index(k) for k in range(CLASSES)]
        v = (digits.x[first].flatten(1) + 0.5) / LEVELS
        halves = torch.cat([v[:, : PIXELS // 2], torch.zeros(CLASSES, PIXELS // 2)], 1)
        rows = torch.stack([v, halves, *(self.complete(v, 4) for _ in range(4))])
        return {"A test image of each digit, its upper half, and four draws given that half, which is kept exactly.": rows}

    def _in_double(self, n: int, label: Tensor | None) -> tuple[AutoregressiveLaw, Tensor, Tensor]:
        """The law in double precision, contexts ``[K * n, 10]`` of the K classes that are possible, and their log-weights."""
        law = copy.deepcopy(self.network_law).double().eval()
        if label is not None:
            return law, one_hot(label).double(), torch.zeros(1, 1, 1, dtype=torch.float64)
        contexts = torch.eye(CLASSES, dtype=torch.float64).repeat_interleave(n, 0)
        return law, contexts, self.log_frequency.double()[:, None, None]
