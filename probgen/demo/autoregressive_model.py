r"""The autoregressive model in the comparison: a law of the integers by class, exact, and the mixture of its classes.

A Gated PixelCNN gives each of L gray values a probability, pixel after pixel, given those before and the class. Without a
class the law is :math:`P(x) = \sum_y P(y)\, P(x \mid y)`, a sum of ten terms: one network serves both. The density of
dequantized pixels v is :math:`L^D\, P(\lfloor L v \rfloor)`, exact.

Its latents are those of Rosenblatt (1952): with :math:`F_i` the distribution function of pixel i given those before,

.. math:: u_i = F_i(x_i - 1) + r_i\, P_i(x_i), \qquad z_i = \Phi^{-1}(u_i),

where :math:`r_i = L v_i - x_i` is the place in the cell. If v follows the model, z is standard normal; the map is inverted
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
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.distributions import AutoregressiveLaw, Mixture
from probgen.distributions.elements import CategoricalElement, DiscretizedLogisticMixtureElement
from probgen.distributions.elements.tables import as_table
from probgen.infer.data_plate import data_plate

__all__ = ["AutoregressiveModel", "gray_pixel_cnn", "pixel_cnn_model"]

_EPS = 1e-15


def gray_pixel_cnn(images: ImageFormat = DIGITS, *, channels: int = 24) -> AutoregressiveLaw:
    """A Gated PixelCNN of gray images, centered, by class.

    Few levels have a free probability each, bytes a mixture of five discretized logistic laws.

    Args:
        images: Their format.
        channels: Channels of each stack.

    Example:
        >>> import torch
        >>> from probgen.demo import gray_pixel_cnn
        >>> gray_pixel_cnn(channels=4)(torch.eye(10)).sample().shape
        torch.Size([10, 8, 8])
    """
    fine = images.levels > 32
    levels = images.quantization
    return autoregressive.gated_pixel_cnn(
        images.shape[1:],
        DiscretizedLogisticMixtureElement(levels, 5, channels=None) if fine else CategoricalElement(levels),
        layers=5,
        channels=channels,
        first_kernel_size=7 if fine else 5,
        head_channels=2 * channels,
        dropout=0.0 if fine else 0.2,
        context_shape=(images.num_classes,),
    )


def pixel_cnn_model(problem: Problem, *, conditional: bool) -> AutoregressiveModel:
    """The entry's model: one network by class, and the mixture of its classes.

    Args:
        problem: The data.
        conditional: Serves both.

    Example:
        >>> from probgen.demo import Settings, load_problem, pixel_cnn_model
        >>> pixel_cnn_model(load_problem(Settings.smoke()), conditional=True).latent
        'in order only'
    """
    network = gray_pixel_cnn(problem.images, channels=3 * problem.width // 4)
    return AutoregressiveModel(network, problem.frequency, images=problem.images)


class AutoregressiveModel(ImageModel):
    """An autoregressive law behind the demo's interface.

    Args:
        law: A law of centered images ``[height, width]`` with a one-hot label as context.
        frequency: Probabilities of the classes; the same for all by default.
        images: The format of the images.

    Example:
        >>> import torch
        >>> from probgen.demo import AutoregressiveModel, gray_pixel_cnn
        >>> model = AutoregressiveModel(gray_pixel_cnn(channels=4)).eval()
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64)).shape
        ('exact', torch.Size([3, 64]), torch.Size([3]))
    """

    dequantized = False
    latent = "in order only"
    completes = "the law itself, exactly"
    log_frequency: Tensor

    def __init__(
        self,
        law: AutoregressiveLaw,
        frequency: Tensor | None = None,
        *,
        images: ImageFormat = DIGITS,
    ) -> None:
        super().__init__(images)
        self.network_law = law
        classes = images.num_classes
        frequency = torch.full((classes,), 1 / classes) if frequency is None else frequency
        self.register_buffer("log_frequency", frequency.log())
        self.rows = 512 if images.small else 8  # all levels of all pixels under all classes are many numbers
        self.codes = images.small  # exact for bytes too, but all masses of all pixels are slow
        self.draws_by = f"{images.num_pixels} steps, a pixel each"

    def law(self, label: Tensor | None = None) -> TorchDistribution:
        """The law of centered images ``[height, width]``, given labels; without them the mixture of all classes."""
        if label is not None:
            return cast(TorchDistribution, self.network_law(self.images.one_hot(label)))
        classes = [self.network_law(row) for row in self._contexts()]
        return Mixture(classes, self.log_frequency)

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program: one site, in the plate of the data."""
        with data_plate(v, None, like=v):
            return pyro.sample("x", self.law(label), obs=self._centered(v))

    def _log_prob(self, v: Tensor, label: Tensor | None) -> Tensor:
        """Exact, flat inside a cell."""
        return self.images.num_pixels * math.log(self.images.levels) + self.law(label).log_prob(self._centered(v))

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        """Draws, in the middle of their cells; without labels of classes by their frequency."""
        if label is None:
            label = torch.multinomial(self.log_frequency.exp(), n, replacement=True)
        return self.images.pixels(self.network_law(self.images.one_hot(label)).sample().flatten(1))

    def _complete(self, v: Tensor, num_rows: int, moves: int) -> Tensor:
        """Exact, by Bayes' rule for the class."""
        x, known = self._centered(v), self.images.width * num_rows
        contexts = self._contexts()
        every = self.network_law(contexts[:, None].expand(-1, len(v), -1))
        evidence = every.given(x.expand(len(contexts), *x.shape), known).log_evidence().value
        weights = (self.log_frequency[:, None] + evidence).softmax(0)
        label = torch.multinomial(weights.T, 1).squeeze(1)
        return self.images.pixels(self.network_law(self.images.one_hot(label)).given(x, known).sample().flatten(1))

    def _encode(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The standard normal numbers behind each image, in double precision: ``[n, D]``."""
        v, levels = v.double(), self.images.levels
        code = (v * levels).floor().clamp(0, levels - 1)
        law, context, weights = self._in_double(len(v), label)
        log_p = self._masses(law, law.network(self._seen(law, code).flatten(1).repeat(len(context) // len(v), 1), context))
        log_p = log_p.unflatten(0, (-1, len(v)))
        chosen = code.long().expand(len(log_p), -1, -1).unsqueeze(-1)
        before = (log_p.gather(-1, chosen).squeeze(-1).cumsum(-1)).roll(1, -1)
        before[..., 0] = 0.0
        p = ((weights + before).softmax(0).unsqueeze(-1) * log_p.exp()).sum(0)
        below, own = p.cumsum(-1) - p, chosen[0]
        u = below.gather(-1, own) + (v * levels - code).unsqueeze(-1) * p.gather(-1, own)
        z: Tensor = torch.special.ndtri(u.squeeze(-1).clamp(_EPS, 1 - _EPS))
        return z

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The images behind standard normal numbers ``[n, D]``, pixel by pixel."""
        u = torch.special.ndtr(z.double())
        law, context, weights = self._in_double(len(z), label)
        parts: list[Tensor] = []

        def draw(start: int, stop: int, params: Tensor) -> Tensor:
            nonlocal weights
            log_p = self._masses(law, params.squeeze(1)).unflatten(0, (-1, len(z)))
            p = (weights.softmax(0) * log_p.exp()).sum(0)
            total, goal = p.cumsum(-1), u[:, start:stop]
            code = (total <= goal).sum(-1, keepdim=True).clamp_max(self.images.levels - 1)
            inside = (goal - (total - p).gather(-1, code)) / p.gather(-1, code)
            parts.append((code + inside.clamp(0, 1)) / self.images.levels)
            weights = weights + log_p.gather(-1, code.expand(len(log_p), -1, -1))
            return self._seen(law, code.double()).flatten(1).repeat(len(log_p), 1)

        law.network.sweep(draw, (len(context),), context)
        return torch.cat(parts, -1).to(self.log_frequency.dtype)

    def _centered(self, v: Tensor) -> Tensor:
        return self.images.square(self.images.centered(v))

    def _contexts(self) -> Tensor:
        return torch.eye(self.images.num_classes, device=self.device)

    def _seen(self, law: AutoregressiveLaw, code: Tensor) -> Tensor:
        """How the network sees gray values."""
        return cast(Tensor, law.embedding(self.images.quantization.decode(code), torch.float64))

    def _masses(self, law: AutoregressiveLaw, params: Tensor) -> Tensor:
        """Log-probabilities of all gray values."""
        table = as_table(law.element(params))
        if table is None:
            raise TypeError(f"the element of `law` must have a table of masses; got {type(law.element).__name__}.")
        return table.log_probs

    def _in_double(self, n: int, label: Tensor | None) -> tuple[AutoregressiveLaw, Tensor, Tensor]:
        """The law in double precision, contexts ``[K * n, K]`` of the K classes that are possible, and their log-weights."""
        law = copy.deepcopy(self.network_law).double().eval()
        if label is not None:
            return law, self.images.one_hot(label).double(), self.log_frequency.new_zeros(1, 1, 1, dtype=torch.float64)
        contexts = self._contexts().double().repeat_interleave(n, 0)
        return law, contexts, self.log_frequency.double()[:, None, None]
