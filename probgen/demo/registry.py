"""The families that take part: a table of entries. A new family joins by one line in ``families.py``.

An entry says how to build a model (a Pyro program with a ``sample`` and, but for implicit models, a ``log_prob``) and which
objective trains it.
Everything else in the demo (table, classification, outliers, pages) works on every entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pyro.nn import PyroModule
from torch import Tensor, nn

from probgen.infer import ELBO

__all__ = ["DigitModel", "Entry", "maximum_likelihood"]


class DigitModel(PyroModule):
    """A model of digits (abstract): a Pyro program ``forward(v, label)`` that can also be scored and sampled.

    Attributes:
        kind: What ``log_prob`` is against the log-density of ``v``: "exact" or "lower"; "none" for a model without a density,
            which can only be drawn from.
        dequantized: Whether the density varies inside the cell of an integer; if not, one dequantization is as good as many.

    Example:
        >>> from probgen.demo import ENTRIES, Settings, load_problem
        >>> model = ENTRIES["spline coupling"].build(load_problem(Settings.smoke()), conditional=False)
        >>> model.kind, model.sample(3).shape
        ('exact', torch.Size([3, 64]))
    """

    kind: str = "exact"
    dequantized: bool = True

    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Log-density of pixels ``[*batch, 64]`` in nats (given labels ``[*batch]``): ``[*batch]``."""
        raise NotImplementedError

    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draw pixels ``[n, 64]`` in the unit cube, for labels ``[n]`` if the model takes them."""
        raise NotImplementedError

    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """Latent vectors of pixels."""
        raise NotImplementedError

    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Pixels of latent vectors."""
        raise NotImplementedError

    def mix(self, a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
        """Latent vectors on the way from ``a`` to ``b``, both ``[64]``: ``[k, 64]`` for weights ``[k]``; a straight line."""
        return torch.lerp(a, b, weights.to(a.dtype)[:, None])

    def pictures(self) -> dict[str, Tensor]:
        """What else there is to see of this family: caption to pixels ``[rows, columns, 64]``."""
        return {}


def maximum_likelihood(model: DigitModel) -> nn.Module:
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
    """One family in the comparison.

    Attributes:
        name: As it stands in the tables.
        build: Builds a fresh model, unconditional or by class.
        objective: Makes the loss that trains it.
        learning_rate: The largest one of the schedule.
        share: Steps as a share of ``Settings.steps``, for families whose steps are dear.
        serves_both: Whether one model, trained by class, is also the unconditional one, without a label.
        betas: Of AdamW.
        averaging: Decay of a moving average of the weights, which the trained model then has; None: the last weights.

    Example:
        >>> from probgen.demo import ENTRIES
        >>> list(ENTRIES)[:4]
        ['spline coupling', 'spline autoregressive', 'Glow', 'autoregressive']
    """

    name: str
    build: Callable[..., DigitModel]
    objective: Callable[[DigitModel], nn.Module] = maximum_likelihood
    learning_rate: float = 2e-3
    share: float = 1.0
    serves_both: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    averaging: float | None = None
