r"""Glow in the comparison: a flow that knows that pixels have neighbors, and what can be done with its latents.

Two levels of steps (normalization, invertible 1x1 convolution, affine coupling by a small convolutional network) take 64
standard normal numbers to an image; half of them enter at each level, the finer ones through a learned normal law given the
coarser image. Its normalizations start from data and are shared by all positions, so that nothing has to be standardized; the
last layer, from logits to pixels, is that of every flow here, and so are the noise inside the levels and the likelihood, which
is exact. By class, the label enters every coupling and the law of each level. A tenth of the hidden units is dropped while it
trains; without that, 1200 images are too few (0.05 bits a dimension on those of the validation).

An image has one latent, :math:`z = f^{-1}(v)`, so the pictures search for nothing: :math:`f(T z)` at temperatures T, ways
between the latents of two images, and images moved along a vector that holds an attribute.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.data import Split, dequantize, load_digits, slant
from probgen.demo.flow_model import FlowModel
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, Problem, one_hot
from probgen.distributions.bijectors import Bijector, Compose, Reshape
from probgen.flows import attribute_direction, data_between, glow, moved_along

__all__ = ["digits_glow", "glow_model", "glow_pictures"]

TEMPERATURES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
STRENGTHS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
STARTING_IMAGES = 256
DROPOUT = 0.1


def digits_glow(*, hidden: int = 48, conditional: bool = False) -> Bijector:
    """Glow on 8x8 images, two levels of four steps, between flat vectors.

    Args:
        hidden: Hidden channels of the conditioners.
        conditional: Whether it takes a one-hot label.

    Returns:
        A bijector from ``[64]`` to ``[64]``.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_glow
        >>> flow = digits_glow(hidden=8, conditional=True)
        >>> flow(torch.zeros(10, 64), torch.eye(10)).shape
        torch.Size([10, 64])
    """
    shape = (1, 8, 8)
    context = (CLASSES,) if conditional else None
    flow = glow(shape, levels=2, steps=4, hidden=hidden, context_shape=context, activation=_activation)
    return Compose(flow, Reshape(shape, (PIXELS,)))


def _activation() -> nn.Module:
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
    model = FlowModel(digits_glow(hidden=3 * problem.width // 2, conditional=conditional), problem.from_logits, glow_pictures)
    first = problem.train.take(range(STARTING_IMAGES))
    model.bijector.initialize_from(problem.noisy(first.x, 0), one_hot(first.labels) if conditional else None)
    return model


def glow_pictures(flow: Bijector) -> dict[str, Tensor]:
    """What latents do: temperatures; without a class also ways between test images, and images with more and less slant.

    Args:
        flow: From latents ``[64]`` to pixels ``[64]``, perhaps with a one-hot label.

    Returns:
        Caption to pixels ``[rows, columns, 64]``.

    Example:
        >>> from probgen.demo import Settings, glow_model, glow_pictures, load_problem
        >>> model = glow_model(load_problem(Settings.smoke()), conditional=False)
        >>> [tuple(rows.shape) for rows in glow_pictures(model.bijector).values()]
        [(6, 10, 64), (4, 10, 64), (5, 9, 64)]
    """
    temperatures = ", ".join(f"{t:g}" for t in TEMPERATURES)
    if flow.context_shape is not None:
        caption = f"By class: the same latents at the temperatures {temperatures}, from the top; at 0 the latent is zero."
        return {caption: _tempered(flow, torch.eye(CLASSES))}
    test = load_digits().test
    return {
        f"Ten latents at the temperatures {temperatures}, from the top.": _tempered(flow),
        "Between two test images, twice: along a segment of latents (first and third row) and along an arc (second and "
        "fourth).": _ways(flow, test),
        "Test images (in the middle) with less and more slant: moved along the difference of the mean latents of the upper "
        f"and lower quarter of each digit, {STRENGTHS[0]:g} to {STRENGTHS[-1]:g} times.": _slanted(flow, test),
    }


def _tempered(flow: Bijector, context: Tensor | None = None) -> Tensor:
    z = torch.randn(CLASSES, PIXELS)
    return torch.stack([flow(temperature * z, context) for temperature in TEMPERATURES]).clamp(0, 1)


def _ways(flow: Bijector, test: Split) -> Tensor:
    start, end = _noisy(_first(test, (3, 4))), _noisy(_first(test, (8, 9)))
    ways = [data_between(flow, start, end, torch.linspace(0, 1, 10), arc=arc) for arc in (False, True)]
    return torch.stack(ways).permute(2, 0, 1, 3).flatten(0, 1).clamp(0, 1)


def _slanted(flow: Bijector, test: Split) -> Tensor:
    most, least = _by_slant(load_digits().train)
    vector = attribute_direction(flow, _noisy(most), _noisy(least))
    return moved_along(flow, _noisy(_first(test, (0, 1, 4, 7, 9))), vector, STRENGTHS).transpose(0, 1).clamp(0, 1)


def _by_slant(digits: Split) -> tuple[Split, Split]:
    """Of every digit the quarter with the most slant and that with the least: as many of each, so that only slant differs."""
    lean = slant(digits.x.unsqueeze(1) / 8 - 1)
    most, least = [], []
    for k in range(CLASSES):
        own = (digits.labels == k).nonzero().squeeze(1)
        order = own[lean[own].argsort()]
        quarter = len(order) // 4
        least.append(order[:quarter])
        most.append(order[len(order) - quarter :])
    return digits.take(torch.cat(most)), digits.take(torch.cat(least))


def _first(digits: Split, labels: tuple[int, ...]) -> Split:
    found = digits.labels.tolist()
    return digits.take([found.index(label) for label in labels])


def _noisy(digits: Split) -> Tensor:
    return dequantize(digits.x.flatten(1), LEVELS, generator=torch.Generator().manual_seed(0))
