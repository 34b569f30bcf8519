r"""Block neural autoregressive maps: one network that is itself the map, triangular block by block.

Every coordinate has :math:`n` hidden units a layer. The weights between two layers are :math:`D \times D` blocks: zero above
the diagonal, any numbers below, positive on it. With :math:`h^{(0)} = x`, :math:`z^{(l)} = W_l h^{(l-1)} + b_l` and
:math:`h^{(l)} = \tanh z^{(l)}`,

.. math:: y_i = s_i x_i + z^{(L)}_i, \qquad 0.01 < s_i < 100 .

:math:`y_i` depends on :math:`x_1, \dots, x_i` and increases in :math:`x_i`, so the Jacobian is lower triangular, and its
diagonal is a product of positive blocks along the network,

.. math::

    \frac{\partial y_i}{\partial x_i} = s_i + W_L^{ii} \operatorname{diag}(1 - h_i^{(L-1)\,2})\, W_{L-1}^{ii} \cdots
    \operatorname{diag}(1 - h_i^{(1)\,2})\, W_1^{ii} .

De Cao et al. sum it in log space; with the term :math:`s_i > 0` beside it nothing underflows, and plain sums of positive
numbers are exact to rounding.

**Codomain.** Without :math:`s_i x_i`, a stack of hyperbolic tangents with a linear last layer is bounded: it maps
:math:`\mathbb R^D` onto an open box (not even a fixed one), most of a normal base has no preimage, and the density that one
writes down does not integrate to one. With it (the paper's gated residual connection) every :math:`y_i` runs over the whole
line, whatever the coordinates before are: the map is onto :math:`\mathbb R^D`.

**Inverse.** Coordinate by coordinate. Given :math:`x_1, \dots, x_{i-1}`, the map of :math:`x_i` is a small network of :math:`n`
units with the earlier ones in its biases; :math:`z^{(L)}_i` lies within :math:`\sum_j |W_{L,ij}|` of :math:`b_{L,i}`, so its
root is bracketed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors._conditioning import DEFAULT_INPUT_BOUND, flat_context, require_bound
from probgen.distributions.bijectors.amortized import require_features
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.roots import invert_increasing
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["BlockAutoregressive"]

_LARGEST_GAIN = math.log(1e2)
_LARGEST_LOGIT = math.log(1e3)
_EVALUATIONS = 26


class BlockAutoregressive(Bijector):
    r"""A block autoregressive network, :math:`y_i = s_i x_i + z^{(L)}_i(x_1, \dots, x_i; c)`, onto :math:`\mathbb R^D`.

    The forward map is closed and costs one pass; the inverse is iterative, coordinate by coordinate. To score data in one pass,
    use ``.inv`` in the flow (as ``block_neural_autoregressive_flow`` does). What earlier coordinates do to the first layer is
    bounded, :math:`\beta \tanh(x_j / \beta)`.

    Args:
        features: Length :math:`D` of the vectors, at least 1.
        units: Hidden units of a coordinate in each layer, at least 1.
        layers: Hidden layers, at least 1.
        context_shape: Trailing shape of the context, None if there is none; it enters the first layer, linearly.
        input_bound: The bound :math:`\beta`.
        generator: Source of randomness for the weights.

    Raises:
        ValueError: a size is less than 1, or ``input_bound`` is not positive.

    References:
        De Cao, Titov, Aziz (2019). Block neural autoregressive flow. https://arxiv.org/abs/1904.04676

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import BlockAutoregressive
        >>> f = BlockAutoregressive(3, units=4)
        >>> x = torch.tensor([[0.5, -30.0, 1e3]])
        >>> torch.allclose(f.inverse(f(x)), x, rtol=1e-5), f.fast_direction
        (True, 'forward')
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    exact_inverse = False
    fast_direction = "forward"
    _below: Tensor

    def __init__(
        self,
        features: int,
        units: int = 8,
        layers: int = 2,
        *,
        context_shape: Sequence[int] | None = None,
        input_bound: float = DEFAULT_INPUT_BOUND,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if units < 1 or layers < 1:
            raise ValueError(f"`units` and `layers` must be at least 1; got {units} and {layers}.")
        self.features = require_features(features)
        self.units, self.layers = units, layers
        self.domain_shape = (features,)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.input_bound = require_bound(input_bound)
        widths = [1, *[units] * layers, 1]
        self.blocks = nn.ParameterList()  # from the second layer on: logits of the rows of positive blocks, [D, out, in]
        self.gains = nn.ParameterList()  # logarithms of the sums of their rows, [D, out]
        self.mixing = nn.ParameterList()  # the blocks below, [D, out, D, in]
        self.biases = nn.ParameterList()  # [D, out]
        for count, wide in itertools.pairwise(widths):
            if self.gains:
                self.blocks.append(torch.randn(features, wide, count, generator=generator))
            self.gains.append(torch.zeros(features, wide))
            scale = 1.0 / math.sqrt(features * count)
            self.mixing.append(scale * (2.0 * torch.rand(features, wide, features, count, generator=generator) - 1.0))
            self.biases.append(torch.randn(features, wide, generator=generator) * (wide > 1))
        self.leak = nn.Parameter(torch.full((features,), -math.log(2.0)))
        if self.context_shape is not None:
            size = math.prod(self.context_shape)
            self.context_weight = nn.Parameter(
                torch.randn(features, units, size, generator=generator) / math.sqrt(max(size, 1))
            )
        self.register_buffer("_below", torch.ones(features, features).tril(-1), persistent=False)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"features={self.features}, units={self.units}, layers={self.layers}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            x, offset, slopes = self._prepared(x, context)
            hidden, seen = x[..., None], soft_clip(x, self.input_bound)[..., None]
            slope = torch.ones_like(hidden)
            for index in range(self.layers + 1):
                block = self._positive(index, x)
                z = torch.einsum("...di,doi->...do", hidden, block) + self._mixed(index, seen) + self.biases[index]
                slope = torch.einsum("...di,doi->...do", slope, block)
                if index == 0:
                    z = z + offset
                if index < self.layers:
                    hidden = seen = torch.tanh(z)
                    slope = (1.0 - hidden * hidden) * slope
            return slopes * x + z.squeeze(-1), torch.log(slopes + slope.squeeze(-1)).sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            y, offset, slopes = self._prepared(y, context)
            batch = torch.broadcast_shapes(y.shape[:-1], offset.shape[:-2])
            blocks = [self._positive(index, y) for index in range(self.layers + 1)]
            mixing = [self._masked(index, y) for index in range(self.layers + 1)]
            offset = offset.expand(*batch, self.features, self.units)
            sums = [offset + self.biases[0], *[bias.expand(*batch, *bias.shape) for bias in list(self.biases)[1:]]]
            found: list[Tensor] = []
            log_slopes: list[Tensor] = []
            for i in range(self.features):
                part = [block[i] for block in blocks]
                known = [total[..., i, :] for total in sums]
                x, log_slope = self._root(y[..., i].expand(batch), slopes[i], part, known)
                found.append(x)
                log_slopes.append(log_slope)
                if i + 1 < self.features:
                    seen = [soft_clip(x, self.input_bound)[..., None], *_hidden(x, part, known)]
                    sums = [
                        total + torch.einsum("...j,doj->...do", value, weight[:, :, i])
                        for total, value, weight in zip(sums, seen, mixing, strict=True)
                    ]
            return torch.stack(found, -1), -torch.stack(log_slopes, -1).sum(-1)

    def _root(self, y: Tensor, slope: Tensor, blocks: list[Tensor], known: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Solve for one coordinate, ``[*batch]``, and give the logarithm of its slope."""

        def function(x: Tensor) -> tuple[Tensor, Tensor]:
            hidden, rate = x[..., None], torch.ones_like(x)[..., None]
            for index, (block, total) in enumerate(zip(blocks, known, strict=True)):
                hidden, rate = hidden @ block.mT + total, rate @ block.mT
                if index < self.layers:
                    hidden = torch.tanh(hidden)
                    rate = (1.0 - hidden * hidden) * rate
            return slope * x + hidden.squeeze(-1), torch.log(slope + rate.squeeze(-1))

        middle, reach = y - known[-1].squeeze(-1), blocks[-1].sum()
        return invert_increasing(
            function, y, bounds=((middle - reach) / slope, (middle + reach) / slope), evaluations=_EVALUATIONS
        )

    def _prepared(self, value: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The value in the parameters' dtype or wider, what the context adds ``[*context_batch, D, units]``, and the ``s``."""
        value = value.to(torch.promote_types(value.dtype, self.leak.dtype))
        slopes = torch.exp(soft_clip(self.leak, _LARGEST_GAIN)).to(value.dtype)
        offset = value.new_zeros(self.features, self.units)
        if context is not None and self.context_shape is not None:
            flat = flat_context(context, self.context_shape).to(value.dtype)
            offset = torch.einsum("...c,dnc->...dn", flat, self.context_weight.to(value.dtype))
        return value, offset, slopes

    def _positive(self, index: int, like: Tensor) -> Tensor:
        """The blocks on the diagonal, ``[D, out, in]``: a gain times rows that sum to one."""
        gains = torch.exp(soft_clip(self.gains[index], _LARGEST_GAIN))[..., None].to(like.dtype)
        if index == 0:
            return gains
        return gains * soft_clip(self.blocks[index - 1], _LARGEST_LOGIT).softmax(-1).to(like.dtype)

    def _masked(self, index: int, like: Tensor) -> Tensor:
        """The blocks below the diagonal, ``[D, out, D, in]``, zero elsewhere."""
        weight: Tensor = self.mixing[index] * self._below[:, None, :, None]
        return weight.to(like.dtype)

    def _mixed(self, index: int, seen: Tensor) -> Tensor:
        """What earlier coordinates add, ``[*batch, D, out]``, from their units ``seen`` ``[*batch, D, in]``."""
        weight = self._masked(index, seen).flatten(2).flatten(0, 1)
        mixed: Tensor = (seen.flatten(-2) @ weight.mT).unflatten(-1, (self.features, -1))
        return mixed


def _hidden(x: Tensor, blocks: list[Tensor], known: list[Tensor]) -> list[Tensor]:
    """The hidden units of one coordinate, layer by layer."""
    hidden, found = x[..., None], []
    for block, total in zip(blocks[:-1], known[:-1], strict=True):
        hidden = torch.tanh(hidden @ block.mT + total)
        found.append(hidden)
    return found
