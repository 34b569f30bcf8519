r"""Glow in the comparison: a flow that knows that pixels have neighbors, and what can be done with its latents.

Two levels of steps (normalization, invertible 1x1 convolution, affine coupling by a small convolutional network) take D
standard normal numbers to an image; half of them enter at each level, the finer ones through a learned normal law given the
coarser image. Its normalizations start from data and are shared by all positions, so that nothing has to be standardized; the
last layer, from logits to pixels, is that of every flow here, and so are the noise inside the levels and the likelihood,
which is exact. By class, the label enters every coupling and the law of each level. On the digits a tenth of the hidden units
is dropped while it trains; without that, 1200 images are too few (0.05 bits a dimension on those of the validation).

An image has one latent, :math:`z = f^{-1}(v)`, so the pictures search for nothing: :math:`f(T z)` at temperatures T, and images
moved along a vector that holds an attribute.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from probgen.data import Split, slant
from probgen.demo.flow_model import FlowModel
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.problem import Problem
from probgen.distributions.bijectors import Bijector, Compose, Reshape
from probgen.flows import attribute_direction, glow, moved_along

__all__ = ["glow_model", "glow_pictures", "gray_glow"]

TEMPERATURES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
STRENGTHS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
STARTING_IMAGES = 256
DROPOUT = 0.1


def gray_glow(images: ImageFormat = DIGITS, *, hidden: int = 48, conditional: bool = False) -> Bijector:
    """Glow on gray images, two levels of four steps, between flat vectors.

    Args:
        images: Their format.
        hidden: Hidden channels of the conditioners.
        conditional: Whether it takes a one-hot label.

    Returns:
        A bijector from ``[D]`` to ``[D]``.

    Example:
        >>> import torch
        >>> from probgen.demo import gray_glow
        >>> flow = gray_glow(hidden=8, conditional=True)
        >>> flow(torch.zeros(10, 64), torch.eye(10)).shape
        torch.Size([10, 64])
    """
    context = (images.num_classes,) if conditional else None
    activation = _thinned if images.small else nn.ReLU
    flow = glow(images.shape, levels=2, steps=4, hidden=hidden, context_shape=context, activation=activation)
    return Compose(flow, Reshape(images.shape, (images.num_pixels,)))


def _thinned() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Dropout(DROPOUT))


def glow_model(problem: Problem, *, conditional: bool) -> FlowModel:
    """Glow behind the demo's interface, its normalizations started from the first training images.

    Args:
        problem: The data.
        conditional: Unconditional or by class.

    Example:
        >>> from probgen.demo import Settings, glow_model, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> model = glow_model(problem, conditional=False)
        >>> model.kind, model.sample(3).shape, model.encode(problem.noisy(problem.train.x, 0)).std() < 1.5
        ('exact', torch.Size([3, 64]), tensor(True))
    """
    images = problem.images
    flow = gray_glow(images, hidden=3 * problem.width // 2, conditional=conditional)
    model = FlowModel(flow, problem.from_logits, partial(glow_pictures, problem=problem), images)
    first = problem.train.take(range(STARTING_IMAGES))
    model.bijector.initialize_from(problem.noisy(first.x, 0), images.one_hot(first.labels) if conditional else None)
    return model


def glow_pictures(flow: Bijector, problem: Problem) -> dict[str, Tensor]:
    """What latents do: temperatures; for digits without a class also images with more and less slant.

    Args:
        flow: From latents ``[D]`` to pixels ``[D]``, perhaps with a one-hot label.
        problem: The data.

    Returns:
        Caption to pixels ``[rows, columns, D]``.

    Example:
        >>> from probgen.demo import Settings, glow_model, glow_pictures, load_problem
        >>> problem = load_problem(Settings.smoke())
        >>> pictures = glow_pictures(glow_model(problem, conditional=False).bijector, problem)
        >>> [tuple(rows.shape) for rows in pictures.values()]
        [(6, 10, 64), (5, 9, 64)]
    """
    temperatures = ", ".join(f"{t:g}" for t in TEMPERATURES)
    if flow.context_shape is not None:
        caption = f"By class: the same latents at the temperatures {temperatures}, from the top; at 0 the latent is zero."
        return {caption: _tempered(flow, problem.images, torch.eye(problem.images.num_classes))}
    shown = {f"Ten latents at the temperatures {temperatures}, from the top.": _tempered(flow, problem.images)}
    if problem.images == DIGITS:
        caption = "Test images (in the middle) with less and more slant: moved along the difference of the mean latents of the "
        shown[f"{caption}upper and lower quarter of each digit, {STRENGTHS[0]:g} to {STRENGTHS[-1]:g} times."] = _slanted(
            flow, problem
        )
    return shown


def _tempered(flow: Bijector, images: ImageFormat, context: Tensor | None = None) -> Tensor:
    z = torch.randn(images.num_classes, images.num_pixels)
    return torch.stack([flow(temperature * z, context) for temperature in TEMPERATURES]).clamp(0, 1)


def _slanted(flow: Bijector, problem: Problem) -> Tensor:
    most, least = (problem.noisy(split.x, 0) for split in _by_slant(problem))
    vector = attribute_direction(flow, most, least)
    return moved_along(flow, problem.examples()[[0, 1, 4, 7, 9]], vector, STRENGTHS).transpose(0, 1).clamp(0, 1)


def _by_slant(problem: Problem) -> tuple[Split, Split]:
    """Of every digit the quarter with the most slant and that with the least: as many of each, so that only slant differs."""
    digits, images = problem.train, problem.images
    lean = slant(images.square(images.quantization.decode(digits.x)).unsqueeze(1))
    most, least = [], []
    for k in range(images.num_classes):
        own = (digits.labels == k).nonzero().squeeze(1)
        order = own[lean[own].argsort()]
        quarter = len(order) // 4
        least.append(order[:quarter])
        most.append(order[len(order) - quarter :])
    return digits.take(torch.cat(most)), digits.take(torch.cat(least))
