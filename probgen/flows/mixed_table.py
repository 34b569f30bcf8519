r"""Tables with columns of different kinds: one flow for all of them, and a guide that sees the whole row.

.. math::

    \log P(v \mid c) \ge \mathbb E_{r \sim \kappa(\cdot \mid v, c)} \left[
        \log p_0(f^{-1}(u; c)) + \log\left|\det \frac{\partial f^{-1}}{\partial u}\right|
        + \log\left|\det \frac{\partial u}{\partial (v, r)}\right| - \log \kappa(r \mid v, c) \right], \qquad u = u(v, r),

where :math:`v` is a row, integers and categories among its values, :math:`u` the real numbers that it is a function of, and
:math:`f` a neural spline flow. For a row, the law is mixed: a density in the continuous columns, a mass in the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions import SurjectiveLaw, standard_normal
from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.distributions.latent import FlowPosterior
from probgen.distributions.numerics.stable import soft_clip
from probgen.distributions.surjections import Column, MixedColumns
from probgen.distributions.surjections.columns import require_columns
from probgen.flows.affine_coupling import real_nvp
from probgen.flows.spline_coupling import neural_spline_coupling
from probgen.nn import MLP

__all__ = ["RowNetwork", "mixed_table_flow"]

_SUMMARY = 32
_INPUT_BOUND = 5.0


def mixed_table_flow(
    columns: Sequence[Column],
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 6,
    bins: int = 8,
    bound: float = 6.0,
    hidden: Sequence[int] = (128, 128),
    guide_layers: int = 2,
    guide_hidden: Sequence[int] = (64, 64),
    num_draws: int = 1,
) -> SurjectiveLaw:
    r"""A law of the rows of a table with continuous, integer and categorical columns, and of how they depend on each other.

    Calling it gives a distribution with events ``[columns]``, categories and integers as floating-point numbers: ``sample``
    gives valid rows, ``bound`` and ``log_prob_estimate`` lower bounds, and ``log_prob`` the bound, for training
    (``probgen.infer.MaximumLikelihood``).

    Args:
        columns: What each column holds; ``columns_of(table, kinds)`` reads it off the training data.
        context_shape: Trailing shape of the context, None if there is none.
        layers: Coupling layers of the flow.
        bins: Bins of each spline.
        bound: The splines act on :math:`[-B, B]`; the numbers behind the columns are standardized, or Gumbel variables.
        hidden: Widths of the hidden layers of the flow's conditioners.
        guide_layers: Affine coupling layers of the guide; 0 for independent normal coordinates given the row.
        guide_hidden: Widths of the hidden layers of the guide's networks.
        num_draws: Draws of the guide for each row in ``log_prob``.

    Returns:
        A module that is called with a context, or without one, and returns the distribution.

    Raises:
        ValueError: there are no columns, or a size is not positive.
        TypeError: something else is among the columns.

    References:
        Hoogeboom, Nielsen, Jaini, Forré, Welling (2021). Argmax flows and multinomial diffusion: learning categorical
        distributions. https://arxiv.org/abs/2102.05379

        Durkan, Bekasov, Murray, Papamakarios (2019). Neural spline flows. https://arxiv.org/abs/1906.04032

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import CategoricalColumn, ContinuousColumn, IntegerColumn
        >>> from probgen.flows import mixed_table_flow
        >>> columns = [ContinuousColumn(10.0, 2.0), IntegerColumn(5.5, 1.0, low=3, high=8), CategoricalColumn(3)]
        >>> law = mixed_table_flow(columns, layers=2, hidden=(16,))
        >>> rows = law().sample((100,))
        >>> rows.shape, law().support.check(rows).all(), law().bound(rows).shape
        (torch.Size([100, 3]), tensor(True), torch.Size([100]))
    """
    columns = require_columns(columns)
    shape = None if context_shape is None else tuple(context_shape)
    guide = _guide(columns, shape, guide_layers, guide_hidden)
    rows = MixedColumns(columns, guide, context_shape=shape if guide is not None else None)
    flow = neural_spline_coupling(
        rows.width, context_shape=shape, layers=layers, bins=bins, bound=bound, hidden=hidden, masks="alternating"
    )
    return SurjectiveLaw(standard_normal(rows.width), [flow, rows], num_draws=num_draws)


class RowNetwork(nn.Module):
    """A multilayer perceptron that reads rows of a table: standardized numbers, categories one-hot.

    Args:
        columns: What each column holds.
        outputs: Length of the output.
        hidden: Widths of the hidden layers.
        context_shape: Trailing shape of a context that it reads, too, or None.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import CategoricalColumn, ContinuousColumn
        >>> from probgen.flows import RowNetwork
        >>> RowNetwork([ContinuousColumn(), CategoricalColumn(3)], 5, hidden=(8,))(torch.tensor([[0.1, 2.0]])).shape
        torch.Size([1, 5])
    """

    def __init__(
        self, columns: Sequence[Column], outputs: int, hidden: Sequence[int], context_shape: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.columns = tuple(columns)
        features = sum(column.num_features for column in columns)
        extra = 0 if context_shape is None else math.prod(context_shape)
        self.network = MLP(features + extra, outputs, hidden=hidden)

    def forward(self, rows: Tensor, context: Tensor | None = None) -> Tensor:
        """From rows ``[N, columns]`` (and a context ``[N, *context_shape]``) to ``[N, outputs]``."""
        seen = [column.features(values) for column, values in zip(self.columns, rows.unbind(-1), strict=True)]
        if context is not None:
            seen.append(context.flatten(1))
        output: Tensor = self.network(soft_clip(torch.cat(seen, -1), _INPUT_BOUND))
        return output


def _guide(
    columns: Sequence[Column], context_shape: tuple[int, ...] | None, layers: int, hidden: Sequence[int]
) -> nn.Module | None:
    """From rows to the law of the coordinates of all columns; None if nothing is forgotten."""
    size = sum(column.num_coordinates for column in columns)
    if not size:
        return None
    network = RowNetwork(columns, 2 * size, hidden, context_shape)
    base = NetworkLaw(network, NormalElement(), (size,), (len(columns),), context_shape)
    if not layers:
        return base
    flow = real_nvp(size, context_shape=(_SUMMARY,), layers=layers, hidden=hidden)
    return FlowPosterior(base, flow, RowNetwork(columns, _SUMMARY, hidden, context_shape))
