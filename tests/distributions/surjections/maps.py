"""One of every surjection, with points of its image, for the tests of this folder."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from torch import nn

from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.distributions.surjections import (
    AbsoluteValue,
    Argmax,
    CategoricalColumn,
    ContinuousColumn,
    IntegerColumn,
    MaxPool,
    MixedColumns,
    Rounding,
    Slice,
    Sort,
)

COLUMNS = (
    ContinuousColumn(3.0, 2.0),
    IntegerColumn(10.0, 4.0),
    IntegerColumn(5.6, 0.8, low=3, high=8),
    IntegerColumn(0.0, 1.0, low=0),
    CategoricalColumn(3),
    CategoricalColumn(2, cell="gumbel"),
)


def normal_law(inputs: int, outputs: int) -> NetworkLaw:
    """A law of ``outputs`` normal numbers given a vector of ``inputs``."""
    network = nn.Linear(inputs, 2 * outputs)
    nn.init.normal_(network.weight, std=0.05)  # rows hold numbers up to 20
    return NetworkLaw(network, NormalElement(), event_shape=(outputs,), input_shape=(inputs,))


def image_law(channels: int, size: int) -> NetworkLaw:
    """A law of as many channels given some channels of an image."""
    return NetworkLaw(nn.Conv2d(channels, 2 * channels, 1), NormalElement(), (channels, size, size), (channels, size, size))


def beta_noise(x):
    """Noise on the unit cube that depends on the integers."""
    return dist.Kumaraswamy(2.0 + x.abs(), torch.full_like(x, 3.0)).to_event(1)


def levels(count, *shape):
    return torch.randint(count, shape).to(torch.get_default_dtype())


def rows(*shape):
    """Rows that fit ``COLUMNS``."""
    parts = [torch.randn(shape), levels(20, *shape), 3 + levels(6, *shape), levels(4, *shape), levels(3, *shape)]
    return torch.stack([*parts, levels(2, *shape)], -1)


MAPS = {
    "absolute value": (AbsoluteValue, lambda *shape: torch.rand(shape)),
    "sort": (Sort, lambda *shape: torch.randn(*shape, 4).sort(-1).values),
    "slice": (lambda: Slice(2, 3), lambda *shape: torch.randn(*shape, 2)),
    "slice, learned": (lambda: Slice(2, 1, normal_law(2, 1)), lambda *shape: torch.randn(*shape, 2)),
    "slice, channels": (lambda: Slice(2, 2, image_law(2, 3), dim=-3), lambda *shape: torch.randn(*shape, 2, 3, 3)),
    "max-pool": (lambda: MaxPool((2, 2)), lambda *shape: torch.randn(*shape, 2, 3)),
    "max-pool, channels": (lambda: MaxPool((3,), event_dim=2), lambda *shape: torch.randn(*shape, 2, 4)),
    "rounding": (Rounding, lambda *shape: levels(300, *shape)),
    "rounding, levels": (lambda: Rounding(levels=4), lambda *shape: levels(4, *shape)),
    "rounding, noise": (lambda: Rounding(law=beta_noise, event_dim=1), lambda *shape: levels(9, *shape, 2)),
    "argmax, gumbel": (lambda: Argmax(4, cell="gumbel"), lambda *shape: levels(4, *shape)),
    "argmax, threshold": (lambda: Argmax(3, event_dim=1), lambda *shape: levels(3, *shape, 2)),
    "argmax, event": (lambda: Argmax(3, cell="gumbel", event_dim=1), lambda *shape: levels(3, *shape, 2)),
    "mixed columns": (lambda: MixedColumns(COLUMNS), rows),
    "mixed columns, learned": (lambda: MixedColumns(COLUMNS, normal_law(6, 8)), rows),
}
