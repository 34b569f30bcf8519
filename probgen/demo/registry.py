"""What a family has to bring along: a model behind one interface, and an entry that builds and trains it.

An entry says how to build a model (a Pyro program with a ``sample`` and, but for implicit models, a ``log_prob``) and which
objective trains it. Everything else in the demo (comparison, classification, outliers, pages) works on every entry.

Models live on their device, data and figures on the CPU: the public methods move what they are given, in parts, call the hook
of the family and bring the answer back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pyro.nn import PyroModule
from torch import Tensor, nn

from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.infer import ELBO

__all__ = ["Entry", "ImageModel", "maximum_likelihood"]

_DRAWN = 512  # images drawn at once


class ImageModel(PyroModule):
    """A model of images (abstract): a Pyro program ``forward(v, label)`` that can also be scored and sampled.

    A family writes the hooks ``_log_prob``, ``_sample``, ``_encode``, ``_decode`` and ``_complete`` that it has.

    Attributes:
        kind: What ``log_prob`` is against the log-density of ``v``: "exact" or "lower"; "none" for a model without a density,
            which can only be drawn from.
        dequantized: Whether the density varies inside the cell of an integer; if not, one dequantization is as good as many.
        latent: Whether there is a latent space, and of which kind, in words.
        codes: Whether images are encoded and decoded in the comparison.
        completes: How an image is completed given its upper rows, in words; empty if it is not.
        draws_by: How an image is drawn, in words.
        rows: How many images are scored or encoded at once.

    Args:
        images: The format of its images.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem
        >>> model = ENTRIES["spline coupling"].build(load_problem(Settings.smoke()), conditional=False)
        >>> model.kind, model.sample(3).shape
        ('exact', torch.Size([3, 64]))
    """

    kind: str = "exact"
    dequantized: bool = True
    latent: str = "no"
    codes: bool = True
    completes: str = ""
    draws_by: str = "one pass"
    rows: int = 512

    def __init__(self, images: ImageFormat = DIGITS) -> None:
        super().__init__()
        self.images = images

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Log-density of pixels ``[*batch, D]`` in nats (given labels ``[*batch]``): ``[*batch]``; the same at every call."""
        batch = v.shape[:-1]
        labels = None if label is None else label.expand(batch).reshape(-1)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            return self._in_parts(self._log_prob, v.flatten(0, -2) if len(batch) else v[None], labels).reshape(batch)

    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draw pixels ``[n, D]`` in the unit cube, for labels ``[n]`` if the model takes them."""
        return self._in_parts(lambda part, own: self._sample(len(part), own), torch.empty(n, 0), label, _DRAWN)

    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent vectors of pixels ``[n, D]``."""
        return self._in_parts(self._encode, v, label)

    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Pixels of latent vectors."""
        return self._in_parts(self._decode, z, label, _DRAWN)

    def complete(self, v: Tensor, num_rows: int, *, moves: int = 100) -> Tensor:
        """Draws of whole images given their first rows, the class unknown.

        Args:
            v: Pixels ``[n, D]``.
            num_rows: How many rows are kept.
            moves: Length of the chain, of models that need one.
        """
        return self._in_parts(lambda part, _: self._complete(part, num_rows, moves), v, None, _DRAWN)

    def mix(self, a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        """Latent vectors on the way from ``a`` to ``b``, both ``[D]``: ``[k, D]`` for weights ``[k]``; a straight line."""
        return torch.lerp(a, b, weights.to(a.dtype)[:, None])

    def path(self, ends: Tensor, weights: Tensor) -> Tensor:
        """Images on the way between two real ones through the latent space.

        Args:
            ends: Pixels ``[2, D]``.
            weights: From 0 to 1, ``[k]``.
        """
        a, b = self.encode(ends)
        return self.decode(self.mix(a, b, weights)).clamp(0, 1)

    def pictures(self) -> dict[str, Tensor]:
        """What else there is to see of this family: caption to pixels ``[rows, columns, D]``."""
        return {}

    def _in_parts(
        self, hook: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, label: Tensor | None, rows: int | None = None
    ) -> Tensor:
        """A hook on parts of a batch, on the model's device, without gradients; the answers on the CPU."""
        device, rows, found = self.device, rows or self.rows, []
        with torch.no_grad():
            for start in range(0, max(1, len(x)), rows):
                part = slice(start, start + rows)
                found.append(hook(x[part].to(device), None if label is None else label[part].to(device)).cpu())
        return torch.cat(found)

    def _log_prob(self, v: Tensor, label: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _encode(self, v: Tensor, label: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        raise NotImplementedError

    def _complete(self, v: Tensor, num_rows: int, moves: int) -> Tensor:
        raise NotImplementedError


def maximum_likelihood(model: ImageModel) -> nn.Module:
    """The ELBO without latents.

    Args:
        model: A model with an exact density.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem, maximum_likelihood
        >>> problem = load_problem(Settings.smoke())
        >>> loss = maximum_likelihood(ENTRIES["spline coupling"].build(problem, conditional=False))
        >>> loss(problem.test_v[0]).shape
        torch.Size([])
    """
    return ELBO()(model)


@dataclass(frozen=True)
class Entry:
    """One model in the comparison.

    Attributes:
        name: As it stands in the tables.
        family: One of the five: "flow", "autoregressive", "VAE", "diffusion", "GAN".
        build: Builds a fresh model, unconditional or by class.
        objective: Makes the loss that trains it.
        learning_rate: The largest one of the schedule.
        share: Steps as a share of ``Settings.steps``, for families whose steps are dear.
        serves_both: Whether one model, trained by class, is also the unconditional one, without a label.
        betas: Of AdamW.
        averaging: Decay of a moving average of the weights, which the trained model then has; None: the last weights.
        batch: Images in a step.

    Example:
        >>> from probgen.demo import ENTRIES
        >>> list(ENTRIES)[:4]
        ['spline coupling', 'spline autoregressive', 'Glow', 'PixelCNN']
    """

    name: str
    family: str
    build: Callable[..., ImageModel]
    objective: Callable[[ImageModel], nn.Module] = maximum_likelihood
    learning_rate: float = 2e-3
    share: float = 1.0
    serves_both: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    averaging: float | None = None
    batch: int = 128
