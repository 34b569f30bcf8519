"""probgen: deep generative models as probability distributions, for PyTorch and Pyro.

``probgen.distributions`` holds the mathematics (bijectors, distributions, the law kit), ``probgen.nn`` networks,
``probgen.infer`` objectives and training; ``probgen.flows``, ``probgen.autoregressive``, ``probgen.vae``,
``probgen.diffusion`` and ``probgen.gan`` hold recipes; ``probgen.data``, ``probgen.metrics`` and ``probgen.plot`` stand around
them, and ``probgen.pretrained`` holds a small trained model of each family.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probgen import autoregressive, data, diffusion, distributions, flows, gan, infer, metrics, nn, plot, pretrained, vae
    from probgen.infer import load, save

__version__ = "0.1.0"

__all__ = [
    "autoregressive",
    "data",
    "diffusion",
    "distributions",
    "flows",
    "gan",
    "infer",
    "load",
    "metrics",
    "nn",
    "plot",
    "pretrained",
    "save",
    "vae",
]


def __getattr__(name: str) -> Any:
    """Import a subpackage when it is first named: ``import probgen as pg; pg.flows``; ``save`` and ``load`` are infer's."""
    if name in ("load", "save"):
        return getattr(importlib.import_module("probgen.infer"), name)
    if name in __all__:
        return importlib.import_module(f"probgen.{name}")
    raise AttributeError(f"module 'probgen' has no attribute {name!r}; it has {__all__}.")
