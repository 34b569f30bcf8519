r"""Finite laws as tables: the log-mass of every value, whatever law gave them.

Tempering and truncating change masses, so they need all of them: :math:`\log p(v)` for the values :math:`v_1, \dots, v_S`. A
binary law has two, a law of levels as many as there are levels, free or not (discretized logistic and normal laws and
mixtures of them). A law of several dependent numbers has :math:`S^C` and is left alone.
"""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import Bernoulli, MixtureSameFamily
from torch.nn.functional import logsigmoid

from probgen.distributions.categorical_levels import CategoricalLevels
from probgen.distributions.chains.independent_categorical import IndependentCategorical
from probgen.distributions.discretized import Discretized
from probgen.distributions.events import checked
from probgen.distributions.quantization import Quantization

__all__ = ["Table", "as_table", "with_log_masses"]

Table = CategoricalLevels | IndependentCategorical
"""A law whose ``log_probs`` ``[*batch, S]`` are the log-masses of its values in ascending order."""

_BINARY = Quantization(2, 0.0, 1.0)


def as_table(law: TorchDistribution) -> Table | None:
    """The same law with the log-masses of all values, or None where there is no such table.

    Args:
        law: A law of single numbers.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.elements.tables import as_table
        >>> as_table(dist.Bernoulli(torch.tensor(0.25))).probs, as_table(dist.Normal(0.0, 1.0))
        (tensor([0.7500, 0.2500]), None)
    """
    if isinstance(law, CategoricalLevels) or (isinstance(law, IndependentCategorical) and not law.event_shape):
        return law
    if isinstance(law, Bernoulli):
        both = torch.stack([logsigmoid(-law.logits), logsigmoid(law.logits)], -1)
        return CategoricalLevels(both, _BINARY, validate_args=checked(both))
    parts: Any = law.component_distribution if isinstance(law, MixtureSameFamily) else law
    if not isinstance(parts, Discretized):
        return None
    centers = parts.quantization.centers(parts.loc.dtype, parts.loc.device)
    values = centers.reshape(-1, *(1,) * len(law.batch_shape)).expand(-1, *law.batch_shape)
    masses = law.log_prob(values) if values.numel() else values
    masses = masses.movedim(0, -1)
    return CategoricalLevels(masses, parts.quantization, validate_args=checked(masses))


def with_log_masses(table: Table, log_masses: Tensor) -> Table:
    """A law over the same values with other masses.

    Args:
        table: Gives the values.
        log_masses: Unnormalized log-masses ``[*batch, S]``; minus infinity where impossible.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.elements.tables import as_table, with_log_masses
        >>> with_log_masses(as_table(dist.Bernoulli(torch.tensor(0.25))), torch.tensor([0.0, -torch.inf])).probs
        tensor([1., 0.])
    """
    if isinstance(table, IndependentCategorical):
        return IndependentCategorical(log_masses, 0, validate_args=checked(log_masses))
    return CategoricalLevels(log_masses, table.quantization, validate_args=checked(log_masses))
